"""What the made-up crowds of the demo write, in French and English.

Only material: the defence must not know a word of it. `made_words` of the simulation draws from
others, so that what is shown here is not what the rules were tuned on. In a line `|` stands
between choices, `{n}` for a first name and `{t}` for a thing.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """One language. A person says `opening`, `name`, `place`, `question`; later `insists`."""

    opening: str
    name: str
    place: str
    question: str
    short: str
    insists: str
    slogans: str
    wanted: str
    things: str


_FRENCH: Final = Phrases(
    opening="salut|coucou|bonsoir|hello|re|yo|bonjour toi|heyy|slt|cc",
    name="moi c'est {n}|c'est {n}|{n} à l'appareil|tu remets {n} ?|ici {n}",
    place="du parc|de l'anniversaire de léa|du vernissage|du tramway|de la piscine|du quai"
    "|du karaoké|de l'ascenseur|du stage|du cinéma|du coin fumeur|de la laverie|du bus 27",
    question="tu fais quoi dimanche ?|on va boire un verre ?|bien dormi ?|tu danses bien"
    "|je peux passer ?|tu habites par ici ?|ça te dit un ciné ?|t'as un copain ?|on se capte ?"
    "|j'ai pensé à toi|tu aimes les sushis ?|t'es où là ?|jolie robe hier",
    short="alors ?|toc toc|c'est toi ?|hum|bonne journée|tu dors|…|👋|dispo ?|ok c'est moi",
    insists="pourquoi tu réponds pas|allô ?|t'es sérieuse|bon|je suis gentil pourtant|réponds stp"
    "|au moins dis non|tu m'as donné ton numéro|tant pis|????|je t'attends|dernière chance",
    slogans="videz la cagnotte du numéro|le forum vous salue bien|le forum paie sa tournée"
    "|sms gratuits, le forum régale|cagnotte bientôt vide|encore un sms pour la cagnotte",
    wanted="bonjour {t} toujours disponible ?|c'est pour l'annonce {t}|{t} encore en vente ?"
    "|intéressé par {t} quel prix ?|je peux venir voir {t} ce soir ?|annonce {t} négociable ?",
    things="le vélo électrique|vélo électrique",
)
_ENGLISH: Final = Phrases(
    opening="hello|hey there|evening|hiya|alright|morning you|heyyy|hi hi|ello|oh hi",
    name="{n} here|my name's {n}|it's {n}|guess who, {n}|you know, {n}",
    place="from the park|from lea's birthday|from the gallery|from the tram|from the pool"
    "|from the pier|from karaoke|from the lift|from the workshop|from the cinema|off the 27 bus",
    question="what are you doing sunday?|drink some time?|slept well?|you dance well"
    "|can I come over?|live round here?|fancy a film?|got a boyfriend?|meet up?"
    "|been thinking of you|like sushi?|where are you now?|nice dress yesterday",
    short="well?|knock knock|that you?|hm|have a nice day|asleep?|…|👋|around?|ok it's me",
    insists="why no reply|hello?|are you serious|fine|I'm a nice guy though|answer please"
    "|at least say no|you gave me your number|whatever|????|I'm waiting|last chance",
    slogans="empty their kitty everyone|the forum salutes you|this round is on the forum"
    "|free texts, courtesy of the forum|kitty nearly empty|one more text for the kitty",
    wanted="hello is {t} still available?|about the ad for {t}|{t} still for sale?"
    "|interested in {t} what price?|can I see {t} tonight?|price of {t} negotiable?",
    things="the electric bike|electric bike",
)
LANGUAGES: Final = {"fr": _FRENCH, "en": _ENGLISH}
_NAMES: Final = (
    "adam|amir|anton|bastien|cédric|clément|damien|erik|florian|gaël|hugo|idriss|jules|karim"
    "|léo|loïc|maël|mehdi|noé|olivier|paolo|quentin|raphaël|sacha|théo|ulysse|vincent|yanis"
)
_ENDINGS: Final = ("", "", "", "", "!", " :)", " 😉", "...", " mdr", " xo")


class Voice:
    """Somebody of that language, by a seeded draw."""

    def __init__(self, language: str, draw: random.Random) -> None:
        """`language`: one of LANGUAGES."""
        self._phrases = LANGUAGES[language]
        self._draw = draw

    def person(self) -> str:
        """What a pest writes first."""
        said, draw = self._phrases, self._draw
        if draw.random() < 0.15:  # noqa: PLR2004 (a share)
            return self._one(said.short)
        words = [self._one(said.opening)]
        for line, share in ((said.name, 0.65), (said.place, 0.5), (said.question, 0.6)):
            if draw.random() < share:
                words.append(self._one(line))
        text = " ".join(words) + draw.choice(_ENDINGS)
        return text[:1].upper() + text[1:] if draw.random() < 0.5 else text  # noqa: PLR2004

    def again(self) -> str:
        """What the same one writes when nothing comes."""
        return self._one(self._phrases.insists)

    def slogan(self) -> str:
        """What a forum agreed on, varied as forums do."""
        said = self._one(self._phrases.slogans)
        return self._draw.choice((said, said.upper(), f"{said} {self._draw.randrange(9_999)}"))

    def misled(self) -> str:
        """Somebody who read an advertisement with our number in it."""
        return self._one(self._phrases.wanted) + self._draw.choice(("", " merci", "", "!"))

    def _one(self, line: str) -> str:
        chosen = self._draw.choice(line.split("|"))
        if "{t}" in chosen:
            chosen = chosen.replace("{t}", self._one(self._phrases.things))
        return chosen.replace("{n}", self._draw.choice(_NAMES.split("|")))
