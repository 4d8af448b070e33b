"""The one reply, in seven languages: what a person reads who wrote to a number that was a no.

Every body is one GSM-7 part (160 septets at most), so a reply costs one part on every paid route;
Spanish and Portuguese are worded around the accents that GSM-7 lacks, rather than misspelt. The
words are conditional and polite because they may reach somebody innocent. The last word is STOP,
which ends the conversation on every network. A collective may write its own in the settings; the
texts here are the defaults and never built from anything a sender wrote.
"""

from dataclasses import dataclass

LANGUAGES: tuple[str, ...] = ("fr", "en", "es", "de", "it", "nl", "pt")
"""ISO 639-1; the order in which they are shown."""
TONES: tuple[str, ...] = ("neutral", "2017")
"""`neutral` is the default; `2017` says, as the first number did, that a woman felt uneasy."""
KEYS: tuple[str, ...] = ("reply", "reply_with_address")
"""`reply_with_address` is for an answer that comes from another address than the one written to."""
HANDLE = "{handle}"
"""In an operator's own wording: the link to the free handle of `reply.handle`."""
LONGEST_ADDRESS = 16
"""Characters for which `with_address` still makes one part: E.164 has at most 16 with its plus."""

_REPLY = {
    "neutral": {
        "fr": "Bonjour. Vous avez écrit à un numéro donné par quelqu'un qui ne voulait pas donner "
        "le sien. Un non se respecte. Pas vous ? Ignorez ce message. Merci. STOP",
        "en": "Hello. You wrote to a number given by someone who did not want to give their own. "
        "A no deserves respect. Not you? Please ignore this message. Thank you. STOP",
        "es": "Hola. Ha escrito a un teléfono que dio alguien que no quiso dar el suyo. Un no se "
        "respeta. ¿No ha sido usted? Ignore este mensaje. Gracias. STOP",
        "de": "Guten Tag. Sie haben an eine Nummer geschrieben, die jemand statt der eigenen "
        "angab. Ein Nein verdient Respekt. Nicht Sie? Bitte ignorieren. Danke. STOP",
        "it": "Salve. Ha scritto a un numero dato da qualcuno che non voleva dare il proprio. Un "
        "no va rispettato. Non era lei? Ignori questo messaggio. Grazie. STOP",
        "nl": "Hallo. U schreef naar een nummer, gegeven door iemand die het eigen niet wilde "
        "geven. Een nee verdient respect. Was u dit niet? Negeer dit dan. Dank u. STOP",
        "pt": "Escreveu para um telefone dado por alguém que preferiu guardar o seu. Uma recusa "
        "merece respeito. Se for engano, ignore esta mensagem. Obrigado. STOP",
    },
    "2017": {
        "fr": "Bonjour ! Si vous lisez ceci, vous avez mis une femme mal à l'aise. C'est simple : "
        "un non est un non, inutile d'insister. Respectez son choix. Merci. STOP",
        "en": "Hello! If you are reading this, you made a woman feel uneasy. It is simple: a no "
        "is a no, do not insist. Please respect her choice. Thank you. STOP",
        "es": "¡Hola! Si lee esto, ha incomodado a una mujer. Es sencillo: un no es un no y no "
        "hace falta insistir. Respete lo que ella quiere. Gracias. STOP",
        "de": "Hallo! Wenn Sie das lesen, hat sich eine Frau mit Ihnen unwohl gefühlt. Ganz "
        "einfach: Ein Nein ist ein Nein. Bitte respektieren Sie es. Danke. STOP",
        "it": "Salve! Se legge questo messaggio, ha messo a disagio una donna. Un no è un no: "
        "inutile insistere. Rispetti la sua scelta. Grazie. STOP",
        "nl": "Hallo! Als u dit leest, voelde een vrouw zich door u ongemakkelijk. Het is simpel: "
        "nee is nee, dring niet aan. Respecteer haar keuze. Dank u. STOP",
        "pt": "Se recebeu esta mensagem, deixou uma mulher pouco à vontade. É simples: uma recusa "
        "é uma recusa. Respeite a vontade dela. Obrigado. STOP",
    },
}

_REPLY_WITH_ADDRESS = {
    "neutral": {
        "fr": "Vous avez écrit à {address}, donné par quelqu'un qui ne voulait pas donner son "
        "numéro. Un non se respecte. Pas vous ? Ignorez ceci. Merci. STOP",
        "en": "You wrote to {address}, given by someone who did not want to give their own "
        "number. A no deserves respect. Not you? Please ignore this. STOP",
        "es": "Ha escrito a {address}, que dio alguien que no quiso dar su propio teléfono. Un no "
        "se respeta. ¿No fue usted? Ignore esto. Gracias. STOP",
        "de": "Sie schrieben an {address}; jemand gab dies statt der eigenen Nummer an. Ein Nein "
        "verdient Respekt. Nicht Sie? Bitte ignorieren. Danke. STOP",
        "it": "Ha scritto a {address}, dato da qualcuno che non voleva dare il proprio numero. Un "
        "no va rispettato. Non era lei? Ignori. Grazie. STOP",
        "nl": "U schreef naar {address}, gegeven door iemand die het eigen nummer niet wilde "
        "geven. Een nee verdient respect. Niet u? Negeer dit. STOP",
        "pt": "Escreveu para {address}, dado por alguém que preferiu guardar o seu telefone. Uma "
        "recusa merece respeito. Se for engano, ignore. STOP",
    },
    "2017": {
        "fr": "Vous avez écrit à {address} : vous avez mis une femme mal à l'aise. Un non est un "
        "non, inutile d'insister. Respectez son choix. Merci. STOP",
        "en": "You wrote to {address}: you made a woman feel uneasy. A no is a no, do not insist. "
        "Please respect her choice. Thank you. STOP",
        "es": "Ha escrito a {address}: ha incomodado a una mujer. Un no es un no y no hace falta "
        "insistir. Respete lo que ella quiere. Gracias. STOP",
        "de": "Sie schrieben an {address}: Eine Frau hat sich mit Ihnen unwohl gefühlt. Ein Nein "
        "ist ein Nein. Bitte respektieren Sie es. Danke. STOP",
        "it": "Ha scritto a {address}: ha messo a disagio una donna. Un no è un no: inutile "
        "insistere. Rispetti la sua scelta. Grazie. STOP",
        "nl": "U schreef naar {address}: een vrouw voelde zich door u ongemakkelijk. Nee is nee, "
        "dring niet aan. Respecteer haar keuze. Dank u. STOP",
        "pt": "Escreveu para {address}: deixou uma mulher pouco à vontade. Uma recusa é uma "
        "recusa. Respeite a vontade dela. Obrigado. STOP",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One default wording; `body` of `reply_with_address` holds the place `{address}` once."""

    key: str
    language: str
    tone: str
    body: str


TEXTS: tuple[Text, ...] = tuple(
    Text(key=key, language=language, tone=tone, body=bodies[tone][language])
    for key, bodies in zip(KEYS, (_REPLY, _REPLY_WITH_ADDRESS), strict=True)
    for tone in TONES
    for language in LANGUAGES
)
"""All defaults, for the linter, the public page and the tests."""


def text(language: str, tone: str = "neutral") -> str:
    """Give the reply. KeyError for a tone or language that is not ours: settings check it first."""
    return _REPLY[tone][language]


def with_address(language: str, address: str, tone: str = "neutral") -> str:
    """Give the reply that names the address written to, one part for up to LONGEST_ADDRESS.

    A Matrix handle is longer, and free to send. Whoever pays counts the parts before sending.
    """
    return _REPLY_WITH_ADDRESS[tone][language].replace("{address}", address)


def choose_language(*, collective: str, detected: str | None, allowed: frozenset[str]) -> str:
    """Choose the language of a reply: the text's own if the collective allows it, else its own."""
    if detected is not None and detected in allowed and detected in LANGUAGES:
        return detected
    return collective
