"""Words for made-up floods: what people, trolls and the misled might write, in seven languages.

Combined from short lists, with typos, so that few texts are the same. Nobody wrote any of it.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True)
class Lexicon:
    """One language. Lines of choices, separated by a bar; `{n}` is a name, `{t}` a thing."""

    hello: str
    me: str
    where: str
    ask: str
    brief: str
    again: str
    slogans: str
    wanted: str
    things: str
    called: str
    curious: str


LEXICONS: Final = {
    "fr": Lexicon(
        "bonsoir|salut toi|coucou la belle|hello|yo|bjr|slt|hey|re",
        "c'est {n}|moi c'est {n}|ici {n}|{n} au téléphone|tu te souviens de {n}",
        "du train|du festival|de la fac|de la salle de sport|du bar d'hier|de la soirée|du tram"
        "|de la plage|du marché|de chez {n}|de la file d'attente|du rond-point",
        "on se revoit ?|tu es libre demain ?|ça te dit un café ?|tu dors ?|bien arrivée ?"
        "|tu me réponds ?|un ciné ce week-end ?|je peux t'appeler ?|tu habites où ?|t'es fâchée ?",
        "hey|allô|?|c qui|coucou|t là|slt ça va|yo|test|re|tu dors|😊|bonjour|cc",
        "alors ?|tu réponds pas|ok|dommage|je t'attends|t'es où|bonne nuit|et demain ?|pfff",
        "payez la note|numéro de rageuses|on va vous vider|{t} gratuit pour tous|la caisse est vide"
        "|merci pour le forfait|spam de la part de {n}|vive les relous|encore seize centimes"
        "|ça coûte cher hein|coucou les fragiles|répondez bande de lâches|un euro de moins",
        "votre {t} est encore à vendre ?|je viens pour l'annonce du {t}|{t} dispo ce soir ?"
        "|dernier prix pour le {t} ?|le {t} fonctionne bien ?|je peux passer voir le {t} ?",
        "canapé|scooter|frigo|appartement|studio|téléphone|piano|poussette|camion|chiot",
        "vous m'avez appelé ?|qui êtes vous, j'ai un appel manqué|appel manqué de ce numéro"
        "|c'est quoi ce numéro qui appelle sans arrêt|arrêtez de m'appeler svp",
        "c'est vrai que ce numéro répond aux relous ?|je teste le fameux numéro|vu sur les réseaux"
        "|il paraît que ça répond tout seul|bravo pour le projet, je teste",
    ),
    "en": Lexicon(
        "hi|hey there|hello you|good evening|yo|hiya|hey|heya",
        "this is {n}|it's {n}|{n} here|remember {n}|my name's {n}",
        "from the gym|from the bus|from the party|from the club|from the library|off the train"
        "|from work|from last night|from the pub|from the beach",
        "wanna hang out?|how have you been?|free tomorrow?|fancy a drink?|did you get home ok?"
        "|can I call you?|what are you up to?|when can I see you?|are you single?",
        "hey|hi|u there|who dis|hello?|test|?|sup|yo|😊|hiii",
        "hello??|ok then|why no answer|good night|and tomorrow?|your loss|still there?",
        "pay the bill|drain their wallet|free {t} for everyone|broke yet|thanks for the credit"
        "|greetings from {n}|long live the creeps|another sixteen cents|crying yet snowflakes"
        "|answer me cowards|one more euro gone",
        "is the {t} still for sale?|about your ad for the {t}|can I see the {t} tonight?"
        "|lowest price for the {t}?|does the {t} work?|{t} available?",
        "sofa|scooter|fridge|apartment|studio|phone|piano|pram|van|puppy",
        "did you just call me?|missed call from this number|who is this calling me"
        "|stop calling this phone please|you rang?",
        "is it true this number replies to creeps?|testing the famous number|saw this online"
        "|heard it answers by itself|great project, just testing",
    ),
    "es": Lexicon(
        "hola|buenas|hola guapa|buenas noches|ey|holaa|qué tal",
        "soy {n}|aquí {n}|me llamo {n}|te acuerdas de {n}",
        "del gimnasio|del autobús|de la fiesta|del bar de anoche|de la biblioteca|del metro"
        "|de la playa|del curro|del mercado",
        "quedamos?|estás libre mañana?|un café?|llegaste bien?|te puedo llamar?|dónde vives?"
        "|cuándo te veo?|tienes novio?",
        "hola|ey|quién eres|estás|hola?|test|?|😊|buenas|oye",
        "contesta|vale|qué pena|buenas noches|y mañana?|sigues ahí?",
        "pagad la cuenta|os vamos a arruinar|{t} gratis para todos|la hucha está vacía"
        "|saludos de {n}|otros dieciséis céntimos|vivan los pesados|contestad cobardes"
        "|un euro menos|gracias por el saldo",
        "sigue en venta el {t}?|llamo por el anuncio del {t}|puedo ver el {t} hoy?"
        "|último precio del {t}?|funciona bien el {t}?|{t} disponible?",
        "sofá|patinete|frigorífico|piso|estudio|móvil|piano|carrito|camión|cachorro",
        "me has llamado?|llamada perdida de este número|quién llama desde aquí"
        "|dejad de llamarme por favor",
        "es verdad que este número contesta a los pesados?|probando el famoso número"
        "|lo vi en las redes|dicen que contesta solo",
    ),
    "de": Lexicon(
        "hallo|hi du|guten abend|na|hey|servus|moin",
        "hier ist {n}|ich bin {n}|{n} hier|kennst du {n} noch",
        "aus dem zug|vom festival|von der uni|aus dem fitnessstudio|aus der bar|von der party"
        "|vom strand|von der arbeit|vom markt",
        "sehen wir uns?|hast du morgen zeit?|lust auf kaffee?|gut heimgekommen?|schläfst du?"
        "|darf ich anrufen?|wo wohnst du?|bist du single?",
        "hallo|hey|wer bist du|bist du da|na|test|?|😊|hi",
        "und?|keine antwort|ok|schade|gute nacht|und morgen?|noch da?",
        "zahlt die rechnung|wir machen euch arm|{t} gratis für alle|die kasse ist leer"
        "|gruß von {n}|wieder sechzehn cent|hoch die nervensägen|antwortet ihr feiglinge"
        "|ein euro weniger|danke fürs guthaben",
        "ist das {t} noch zu haben?|wegen der anzeige für das {t}|kann ich das {t} ansehen?"
        "|letzter preis für das {t}?|geht das {t} noch?|{t} noch frei?",
        "sofa|mofa|kühlschrank|zimmer|studio|handy|klavier|fahrrad|auto|boot",
        "haben sie mich angerufen?|verpasster anruf von dieser nummer|wer ruft hier dauernd an"
        "|hören sie auf anzurufen",
        "stimmt es dass die nummer antwortet?|ich teste die berühmte nummer|im netz gesehen"
        "|die antwortet angeblich von selbst",
    ),
    "it": Lexicon(
        "ciao|ehi|buonasera|ciao bella|ehilà|salve",
        "sono {n}|qui {n}|mi chiamo {n}|ti ricordi di {n}",
        "del treno|della festa|della palestra|del bar di ieri|dell'università|della spiaggia"
        "|del mercato|del lavoro",
        "ci vediamo?|sei libera domani?|un caffè?|arrivata bene?|posso chiamarti?|dove abiti?"
        "|dormi?|sei fidanzata?",
        "ciao|ehi|chi sei|ci sei|test|?|😊|pronto|salve",
        "rispondi|ok|peccato|buonanotte|e domani?|ancora lì?",
        "pagate il conto|vi svuotiamo|{t} gratis per tutti|la cassa è vuota|saluti da {n}"
        "|altri sedici centesimi|viva i molesti|rispondete vigliacchi|un euro in meno",
        "il {t} è ancora in vendita?|scrivo per l'annuncio del {t}|posso vedere il {t} oggi?"
        "|ultimo prezzo del {t}?|il {t} funziona?|{t} disponibile?",
        "divano|motorino|frigorifero|appartamento|monolocale|telefono|pianoforte|passeggino",
        "mi hai chiamato?|chiamata persa da questo numero|chi chiama da qui"
        "|smettete di chiamarmi per favore",
        "è vero che questo numero risponde?|provo il famoso numero|visto sui social"
        "|dicono che risponde da solo",
    ),
    "nl": Lexicon(
        "hoi|hallo|hey|goedenavond|dag schat|yo|hee",
        "ik ben {n}|met {n}|{n} hier|ken je {n} nog",
        "uit de trein|van het feest|van de sportschool|uit de kroeg|van de uni|van het strand"
        "|van het werk|van de markt",
        "zien we elkaar?|heb je morgen tijd?|zin in koffie?|goed thuisgekomen?|slaap je al?"
        "|mag ik bellen?|waar woon je?|ben je vrij?",
        "hoi|hey|wie ben je|ben je daar|test|?|😊|hallo|yo",
        "en?|geen antwoord|ok|jammer|welterusten|en morgen?|nog daar?",
        "betaal de rekening|we maken jullie arm|gratis {t} voor iedereen|de kas is leeg"
        "|groeten van {n}|weer zestien cent|leve de lastpakken|antwoord dan lafaards"
        "|een euro minder",
        "is de {t} nog te koop?|over de advertentie van de {t}|kan ik de {t} bekijken?"
        "|laatste prijs voor de {t}?|werkt de {t} nog?|{t} beschikbaar?",
        "bank|scooter|koelkast|kamer|studio|telefoon|piano|fiets|auto|boot",
        "heeft u mij gebeld?|gemiste oproep van dit nummer|wie belt er steeds"
        "|stop met bellen alstublieft",
        "klopt het dat dit nummer antwoordt?|ik test het beroemde nummer|gezien op internet"
        "|het antwoordt vanzelf hoor ik",
    ),
    "pt": Lexicon(
        "olá|oi|boa noite|ei|oi linda|boas",
        "sou o {n}|aqui é o {n}|chamo-me {n}|lembras-te do {n}",
        "do comboio|da festa|do ginásio|do bar de ontem|da faculdade|da praia|do trabalho"
        "|do mercado",
        "vemo-nos?|estás livre amanhã?|um café?|chegaste bem?|posso ligar?|onde moras?"
        "|já dormes?|tens namorado?",
        "oi|olá|quem és|estás aí|test|?|😊|ei|boas",
        "responde|ok|que pena|boa noite|e amanhã?|ainda aí?",
        "paguem a conta|vamos arruinar-vos|{t} grátis para todos|a caixa está vazia"
        "|cumprimentos do {n}|mais dezasseis cêntimos|vivam os chatos|respondam cobardes"
        "|menos um euro",
        "o {t} ainda está à venda?|é sobre o anúncio do {t}|posso ver o {t} hoje?"
        "|último preço do {t}?|o {t} funciona?|{t} disponível?",
        "sofá|mota|frigorífico|quarto|estúdio|telemóvel|piano|carrinho|barco|cão",
        "ligou-me?|chamada perdida deste número|quem liga daqui|parem de me ligar por favor",
        "é verdade que este número responde?|a testar o famoso número|vi nas redes"
        "|dizem que responde sozinho",
    ),
}
LANGUAGES: Final = tuple(LEXICONS)
_NAMES: Final = (
    "alba|andré|basil|bilal|boris|carlos|dario|denis|elias|emre|fabio|farid|felix|gianni|hakim"
    "|henk|igor|ivan|jan|joel|jonas|jorge|kamel|lars|liam|luca|malik|marco|mario|milan|nabil|nils"
    "|omar|oscar|pablo|pedro|rafa|remy|ruben|sam|simon|tariq|tiago|tim|ugo|victor|walid|yves"
)
_ENDS: Final = ("", "", "", "", " 😊", "!", " :)", " ;)", "...", " 😘", " haha", " bises", " x")
_VOWELS: Final = "aeiou"
_CONSONANTS: Final = "bcdfgjklmnprstvz"


class Speaker:
    """One way of talking: a language, drawn from a seed."""

    def __init__(self, language: str, draw: random.Random) -> None:
        """`language`: one of LANGUAGES."""
        self._lexicon = LEXICONS[language]
        self._draw = draw
        self.things = draw.sample(self._lexicon.things.split("|"), 2)
        self.slogans = draw.sample(slogans := self._lexicon.slogans.split("|"), len(slogans) - 3)

    def _one(self, line: str | Sequence[str]) -> str:
        choices = line.split("|") if isinstance(line, str) else line
        chosen = self._draw.choice(choices)
        if "{n}" in chosen:
            chosen = chosen.replace("{n}", self.name())
        return chosen.replace("{t}", self._draw.choice(self.things)) if "{t}" in chosen else chosen

    def name(self) -> str:
        """A first name; one in four is nobody else's."""
        if self._draw.random() < 0.75:  # noqa: PLR2004 (a share)
            return self._one(_NAMES)
        pairs = self._draw.choice((2, 2, 3))
        choice = self._draw.choice
        return "".join(choice(_CONSONANTS) + choice(_VOWELS) for _ in range(pairs))

    def person(self) -> str:
        """What somebody writes first."""
        said, draw = self._lexicon, self._draw
        if draw.random() < 0.2:  # noqa: PLR2004 (a share)
            return self._spelt(self._one(said.brief))
        parts = [self._one(said.hello)]
        for line, share in ((said.me, 0.7), (said.where, 0.45), (said.ask, 0.5)):
            if draw.random() < share:
                parts.append(self._one(line))
        return self._spelt(" ".join(parts)) + draw.choice(_ENDS)

    def again(self) -> str:
        """What somebody writes after it."""
        return self._spelt(self._one(self._lexicon.again))

    def slogan(self) -> str:
        """What a raid writes; it numbers its messages to look different."""
        said = self._one(self.slogans)
        shape: Callable[[], str] = self._draw.choice(
            (lambda: said, lambda: f"{said} {self._draw.randrange(10_000)}", said.upper)
        )
        return shape()

    def gibberish(self) -> str:
        """Letters that mean nothing, each time others."""
        words = self._draw.randint(1, 4)
        letters = _VOWELS + _CONSONANTS
        return " ".join(
            "".join(self._draw.choices(letters, k=self._draw.randint(3, 12))) for _ in range(words)
        )

    def misled(self) -> str:
        """About an advertisement with our number in it."""
        return self._asked(self._lexicon.wanted)

    def called(self) -> str:
        """After a call that showed our number."""
        return self._asked(self._lexicon.called)

    def curious(self) -> str:
        """Somebody who heard of us and tries it."""
        return self._asked(self._lexicon.curious)

    def _asked(self, line: str) -> str:
        hello = self._one(self._lexicon.hello) + " " if self._draw.random() < 0.6 else ""  # noqa: PLR2004
        return self._spelt(hello + self._one(line)) + self._draw.choice(_ENDS)

    def _spelt(self, text: str) -> str:
        """As thumbs write: capitals at will, now and then a letter too few or twice."""
        draw = self._draw
        if draw.random() < 0.4:  # noqa: PLR2004 (a share)
            text = text[:1].upper() + text[1:]
        if len(text) > 6 and draw.random() < 0.12:  # noqa: PLR2004 (a share)
            at = draw.randrange(1, len(text) - 1)
            text = text[:at] + draw.choice(("", text[at] * 2)) + text[at + 1 :]
        return text
