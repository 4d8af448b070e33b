"""Words that somebody should read: distress, a threat, a wrong number. Never a helpline.

Conservative on purpose: whole phrases in seven languages, first person where the phrase needs
one, and nothing that jokes or asks. A miss costs a calm text that says nothing of it; a false
hit costs a tired volunteer's attention and holds one reply back until they looked.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from typing import Final

from bot.policy import stems

_READ: Final = 700


class Lane(enum.StrEnum):
    """Why a moderator should look before anything goes out."""

    DISTRESS = "distress"
    THREAT = "threat"
    WRONG_NUMBER = "wrong_number"


def _whole(*phrases: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(phrases) + r")\b")


# Written as `_fold` leaves a text: lower case, no accents, straight apostrophes, single spaces.
_DISTRESS: Final = _whole(
    # fr
    r"(?:me|m'etre) suicide[er]?",
    r"pens(?:e|ees?) (?:au suicide|suicidaires?)",
    r"je (?:veux|vais|voudrais) (?:mourir|me tuer|en finir)(?! de rire| de honte)",
    r"envie (?:de mourir|d'en finir|de me tuer)(?! de rire| de honte)",
    r"plus (?:envie|la force) de vivre",
    r"(?:on m'a|il m'a|ils m'ont|j'ai ete|je me suis fait) violee?",
    r"je suis en danger",
    r"appele[rz] (?:la police|les secours|le samu|les pompiers)",
    r"(?:il|mon mari|mon copain|mon ex) me (?:frappe|bat)",
    # en
    r"(?:kill|hurt|harm)(?:ing)? myself",
    r"(?:want|going) to die(?! laughing| of)",
    r"end(?:ing)? (?:my life|it all)",
    r"(?:i am|i'm|im|feeling) suicidal",
    r"(?:i was|i've been|he|they) raped(?: me)?",
    r"(?:i am|i'm|im) in danger",
    r"(?:please )?call (?:the police|the cops|911|999|112|an ambulance)",
    r"(?:he|my husband|my boyfriend|my ex) (?:hits|beats) me",
    # es
    r"(?:quiero|voy a) (?:morir(?:me)?|matarme|suicidarme)(?! de risa)",
    r"me (?:quiero|voy a) (?:morir|matar|suicidar)(?! de risa)",
    r"estoy en peligro",
    r"me (?:han violado|ha violado|violaron|violo)",
    r"llam(?:a|e|ad|en) a la policia",
    # de
    r"ich (?:will|mochte|werde) (?:sterben|nicht mehr leben)",
    r"(?:will|werde|mochte) mich umbringen",
    r"bringe? mich um",
    r"(?:selbstmord|suizid)(?:gedanken)?",
    r"ich bin in gefahr",
    r"(?:wurde|hat mich) vergewaltigt",
    r"ruf(?:t|en sie)? die polizei",
    # it
    r"voglio (?:morire|uccidermi|ammazzarmi|farla finita)(?! dal ridere)",
    r"(?:suicidarmi|mi suicido)",
    r"sono in pericolo",
    r"mi (?:ha|hanno) (?:violentat|stuprat)[aoi]",
    r"chiam(?:a|i|ate) la polizia",
    # nl
    r"ik wil (?:dood|sterven|niet meer leven)",
    r"zelfmoord(?:gedachten)?",
    r"(?:mezelf|me) van kant",
    r"ik ben in gevaar",
    r"(?:ben|heeft me|hebben me) verkracht",
    r"bel de politie",
    # pt
    r"quero (?:morrer|matar-me|me matar)(?! de rir)",
    r"(?:suicidar-me|me suicidar|vou matar-me|vou me matar)",
    r"estou em perigo",
    r"fui (?:violada|estuprada|violado|estuprado)",
    r"(?:chama|chame|liga para) a policia",
)
_THREAT: Final = _whole(
    # fr
    r"(?:je vais|j'vais|on va|jvais) (?:te|vous|la) (?:tuer|buter|crever|violer|egorger|frapper"
    r"|tabasser|defoncer|demolir)",
    r"je (?:te|vous) (?:tue|bute|creve|viole|egorge)(?:rai)?",
    r"je sais ou (?:tu|vous|elle) (?:habites?|habitez)",
    # en
    r"(?:i'll|i will|i'm gonna|im gonna|i'm going to|i am going to|gonna) (?:kill|rape|stab|shoot"
    r"|beat) (?:you|u|her)",
    r"i know where (?:you|u|she) lives?",
    # es
    r"(?:te|la) (?:voy|vamos) a (?:matar|violar|pegar|rajar)",
    r"voy a (?:matarte|violarte|pegarte)",
    r"se donde (?:vives|vive)",
    # de
    r"ich (?:bringe?|steche?|schlage?) dich (?:um|ab|tot|zusammen)",
    r"ich vergewaltige dich",
    r"ich wei(?:ss|s) wo du wohnst",
    # it
    r"(?:ti|la) (?:ammazzo|uccido|stupro|violento|spacco la faccia)",
    r"so dove (?:abiti|vivi)",
    # nl
    r"ik (?:maak|schiet|steek|sla) (?:je|jou) (?:dood|af|neer|kapot)",
    r"ik weet waar (?:je|jij) woont",
    # pt
    r"vou (?:te matar|matar-te|te violar|violar-te|te bater|bater-te)",
    r"sei onde (?:moras|mora|voce mora|vives)",
)
_WRONG_NUMBER: Final = _whole(
    r"(?:mauvais|faux) (?:numero|num|destinataire)",
    r"(?:erreur|trompee?s?|trompez) de (?:numero|num|personne|destinataire)",
    r"wrong (?:number|person)",
    r"numero (?:equivocado|erroneo|sbagliato|errado)",
    r"(?:equivoque|equivocado|equivoca) de (?:numero|persona)",
    r"(?:falsche|verkehrte) nummer",
    r"(?:verwahlt|verkeerd verbonden)",
    r"sbagliato (?:numero|persona)",
    r"verkeerde? nummer",
    r"(?:enganei-me|me enganei) no numero",
)
# "Tu m'as donné un faux numéro" is a pest's complaint, and a question is no news.
_GIVEN: Final = re.compile(
    r"\?|donn|file\b|gave|give|diste|dado|dato|dado|gegeb|gegeven|deste|deu\b"
)
_JOKES: Final = re.compile(r"\b(?:lol|mdr+|ptdr+|haha\w*|hihi\w*|jk|xd+|jaja\w*|kkk+|rires?)\b")
# Few messages hold any of these, so most texts are looked through once.
_STEM_WORDS: Final = (
    "suicid tuer mour finir viole danger appele frapp bat vivre myself die life raped call hits"
    " beats morir matar peligro viola polic sterben leben umbring mich selbstmord suizid gefahr"
    " vergewaltig poliz morire uccid ammazz finita pericolo violent stupr dood sterven zelfmoord"
    " kant gevaar verkracht politie morrer perigo estupr tue bute creve egorge habite kill rape"
    " stab shoot beat where vives vive pegar rajar dich wohnst uccido spacco abiti maak schiet"
    " steek sla woont bater mora numero num destinataire personne number person equivoc nummer"
    " verwahlt verbonden sbagliato"
)
_STEMS: Final = stems.Stems(_STEM_WORDS.split())


def lane(text: str) -> Lane | None:
    """The lane of a person's text, None for nearly all. Pure; machine texts are not for here."""
    folded = _fold(text[:_READ])
    if not _STEMS.within(folded):
        return None
    if _DISTRESS.search(folded) and not _JOKES.search(folded):
        return Lane.DISTRESS
    if _THREAT.search(folded) and not _JOKES.search(folded):
        return Lane.THREAT
    if _WRONG_NUMBER.search(folded) and not _GIVEN.search(folded):
        return Lane.WRONG_NUMBER
    return None


def _fold(text: str) -> str:
    """Lower case, ASCII, straight apostrophes, one space for any white space."""
    if not text.isascii():
        spelt = text.replace("\u2019", "'").replace("ß", "ss").replace("œ", "oe")
        text = unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()
    return " ".join(text.casefold().split())
