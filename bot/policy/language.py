"""In which of the seven languages a text is clearly written, if in any.

Small words decide, because everybody uses them and text-message slang keeps them. It is built to
say None: a wrong language insults, the collective's own language never does. It must not grow
into a library: names, places and borrowed words ("hello", "stop", "ok") tell nothing.
"""

import re

_READ = 300
"""Characters looked at: enough for any language, and the work is bounded."""
_MARGIN = 2.0
"""Points that the first language must have more than the next: two plain words or a telling one."""
_TELLING = 2.0
_PLAIN = 1.0

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")

# Words that belong to one language alone among the seven, or nearly so.
_TELLING_WORDS = {
    "fr": "bonjour bonsoir salut coucou slt bjr bsr merci oui j'ai c'est t'es t'as d'accord stp"
    " svp quelqu'un aujourd'hui pourquoi quand réponds reponds désolé desole très aussi avec"
    " toujours c'était m'as qu'on jamais",
    "en": "the you're i'm don't what's thanks please yesterday tonight would could should where"
    " what with your this that have were",
    "es": "hola gracias buenos buenas usted eres estás estas qué quiero mañana ayer dónde donde"
    " quién quien muy",
    "de": "ich nicht danke bitte guten morgen gestern heute wir uns habe hast geht's dich mich"
    " und schön auch warum",
    "it": "ciao grazie buongiorno buonasera sono perché perche ieri domani anche chi c'è della che",
    "nl": "ik jij niet bedankt goedemorgen goedenavond gisteren vandaag het een wij hoe gaat"
    " waar wat zijn",
    "pt": "olá obrigado obrigada você voce não nao bom boa ontem amanhã amanha onde quem muito"
    " estou tudo",
}
# Plain small words; one that two languages share stands in both and so settles nothing.
_PLAIN_WORDS = {
    "fr": "je tu il elle nous vous on le la les un une des du de et est es en qui que quoi pas ne"
    " mon ton ma ta moi toi ce ça ca sur dans pour mais si bien va ou au me te se hier",
    "en": "i you he she we they is are am a an of to in on at and or but not my me it it's do did"
    " for so how who when if no hi was come here",
    "es": "yo tú tu él ella el la los las un una de del y en que no es con por para mi me te se ti"
    " lo como pero si está esta soy también era va ola",
    "de": "du er sie es der die das des ein eine ist bin bist war mit von zu in im auf für fur"
    " aber was wo wie wer mir dir mein dein ja nein den dem so noch hier dank sei",
    "it": "io tu lui lei noi il lo la i gli le un una di del e è in con per non mi ti si da ma"
    " come al era hai ho se no sei quando cosa va",
    "nl": "je de van en in op te is dat die er was aan voor maar om nee ja of mijn u we ze nog"
    " wie me zo kan ben met jou dank hier",
    "pt": "eu tu ele ela o a os as um uma de do da e é em que com por para me te se mas no na ti"
    " como foi meu seu está esta sou também quando era ola",
}
_LETTERS = {
    "ñ": "es",
    "¿": "es",
    "¡": "es",
    "ß": "de",
    "ã": "pt",
    "õ": "pt",
    "œ": "fr",
    "ĳ": "nl",
}


def _weights() -> dict[str, tuple[tuple[str, float], ...]]:
    table: dict[str, dict[str, float]] = {}
    for words, weight in ((_PLAIN_WORDS, _PLAIN), (_TELLING_WORDS, _TELLING)):
        for language, line in words.items():
            for word in line.split():
                table.setdefault(word, {})[language] = weight
    return {word: tuple(scores.items()) for word, scores in table.items()}


_WEIGHTS = _weights()


def small_words() -> frozenset[str]:
    """The words that everybody uses, of all seven languages together."""
    return frozenset(_WEIGHTS)


def detect(text: str) -> str | None:
    """Name the clear language of a text (ISO 639-1, one of the seven), else None."""
    beginning = text[:_READ].casefold()
    scores: dict[str, float] = {}
    for word in set(_WORD.findall(beginning)):
        for language, weight in _WEIGHTS.get(word.replace("\u2019", "'"), ()):
            scores[language] = scores.get(language, 0.0) + weight
    if not beginning.isascii():
        for letter, language in _LETTERS.items():
            if letter in beginning:
                scores[language] = scores.get(language, 0.0) + _TELLING
    if not scores:
        return None
    first, *rest = sorted(scores, key=lambda language: -scores[language])
    lead = scores[first] - (scores[rest[0]] if rest else 0.0)
    return first if lead >= _MARGIN else None
