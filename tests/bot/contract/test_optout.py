"""A word is a wish only when it is the whole message."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import messages, optout

STOP, START = messages.Wish.STOP, messages.Wish.START

_STOPS = (
    "STOP stop Stop ARRET arret ARRÊT arrêt STOPALL UNSUBSCRIBE unsubscribe END QUIT CANCEL REVOKE"
    " OPTOUT OPT-OUT DÉSABONNER desinscription BAJA PARAR CANCELAR STOPP ABMELDEN CANCELLA"
    " DISISCRIVIMI AFMELDEN UITSCHRIJVEN SAIR REMOVER"
)
_STARTS = "START start UNSTOP REPRENDRE ALTA STARTEN RIPRENDI HERVATTEN RETOMAR"


@pytest.mark.case("C15")
@pytest.mark.parametrize("word", _STOPS.split())
def test_stop_words_of_each_language(word: str) -> None:
    assert optout.read(word) is STOP


@pytest.mark.case("C15")
@pytest.mark.parametrize("word", _STARTS.split())
def test_start_words_of_each_language(word: str) -> None:
    assert optout.read(word) is START


@pytest.mark.case("C50")
@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("stop tu me plais", None),
        ("arrête", None),
        ("Arrete", None),
        ("arrêter", None),
        ("arrêtez", None),
        ("STOP.", STOP),
        ("  STOP \n", STOP),
        ("STOP !!!", STOP),
        ("« STOP »", STOP),
        ('"stop"', STOP),
        ("\u201cStop\u201d", STOP),
        ("¡BAJA!", STOP),
        ("STOP 🛑", STOP),
        ("🙏🏽stop❤\ufe0f", STOP),
        ("opt out", STOP),
        ("Opt_Out", STOP),
        ("OPT   OUT.", STOP),
        ("ＳＴＯＰ", STOP),
        ("𝗦𝗧𝗢𝗣", STOP),
        ("ⓢⓣⓞⓟ", STOP),
        ("🆂🆃🅾🅿", STOP),
        ("🇸🇹🇴🇵", STOP),
        ("S\u200bT\u200dO\u2060P\ufeff", STOP),
        ("\u3164STOP\u3164", STOP),
        ("\u00a0STOP\u202f", STOP),
        ("ARRE\u0302T", STOP),
        ("", None),
        ("...", None),
        ("🛑", None),
        ("STOP STOP", None),
        ("ne t'arrête pas", None),
        ("non stop", None),
        ("stop it", None),
        ("tu peux me stop?", None),
        ("stop1", None),
        ("STOP 你好", None),
        ("стоп STOP", None),
        ("basta", None),
        ("para", None),
        ("yes", None),
        ("oui", None),
        ("the end", None),
        ("start again?", None),
        ("on start quand ?", None),
        ("\ud83d", None),
        ("STOP" + " je t'aime" * 500, None),
    ],
)
def test_only_the_whole_message_counts(text: str, wish: messages.Wish | None) -> None:
    assert optout.read(text) is wish


@pytest.mark.case("C50")
@given(
    st.sampled_from(_STOPS.split()),
    st.text(st.sampled_from(" \t\n.,!?;:\"'«»()[]<>*_-–…¡¿🙏😡🛑\u200b\ufeff\u00a0"), max_size=8),
    st.text(st.sampled_from(" \t\n.,!?;:\"'«»()[]<>*_-–…¡¿🙏😡🛑\u200b\ufeff\u00a0"), max_size=8),
)
def test_what_stands_around_the_word_does_not_matter(word: str, before: str, after: str) -> None:
    assert optout.read(before + word + after) is STOP


@pytest.mark.case("C50")
@given(st.sampled_from(_STOPS.split()), st.text(st.characters(categories=["Ll"]), min_size=1))
def test_a_further_word_of_any_alphabet_makes_it_a_message(word: str, more: str) -> None:
    assert optout.read(f"{word} {more} {word}") is None
    assert optout.read(f"{more}{more} {word} x") is None


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_never_raises(text: str) -> None:
    assert optout.read(text) in {None, STOP, START}


def _plainly(text: str) -> messages.Wish | None:
    """The same without any short cut."""
    stripped = text.strip()
    if not stripped or len(stripped) > optout._LONGEST_READ:
        return None
    apart = unicodedata.normalize("NFKD", stripped.translate(optout._ODD_LETTERS))
    word = apart.encode("ascii", "ignore").decode().lower().strip(optout._AROUND)
    word = optout._BETWEEN_WORDS.sub(" ", word)
    if any(c.isalpha() and not c.isascii() for c in apart):
        return None
    if word in optout._STOP_WORDS:
        return messages.Wish.STOP
    return messages.Wish.START if word in optout._START_WORDS else None


_KNOWN = sorted(optout._STOP_WORDS | optout._START_WORDS)
_CHANGES: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.title,
    lambda word: word.replace(" ", "  .-"),
    lambda word: word.replace("e", "é"),
    lambda word: "".join(chr(0x1F150 + ord(c) - 97) if c.isalpha() else c for c in word),
    "\u3164".join,
    lambda word: f"«{word}»!!",
    lambda word: word + "x",
    lambda word: word[1:],
    lambda word: word + " ж",
)


@given(
    st.lists(st.sampled_from([*_KNOWN, "salut", "\u200b", "1"]), min_size=1, max_size=3),
    st.lists(st.sampled_from(_CHANGES), max_size=3),
)
def test_short_cuts_change_nothing(words: list[str], changes: list[Callable[[str], str]]) -> None:
    text = " ".join(words)
    for change in changes:
        text = change(text)
    assert optout.read(text) is _plainly(text)


def test_every_word_is_read_without_short_cuts_too() -> None:
    for word in _KNOWN:
        assert optout.read(word) is _plainly(word) is not None
