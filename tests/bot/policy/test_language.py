"""The clear language of a text, and None for all that is not clear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy import language, texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Salut, tu vas bien ? On s'est vus hier au bar", "fr"),
        ("pourquoi tu réponds pas ?", "fr"),
        ("c\u2019est bruno, t\u2019es dispo ce soir ?", "fr"),
        ("Hi, it was nice to meet you yesterday", "en"),
        ("why don't you answer my messages?", "en"),
        ("Hola guapa, ¿qué tal estás?", "es"),
        ("gracias por tu número, eres muy simpática", "es"),
        ("Hallo, ich bin der Typ von gestern Abend", "de"),
        ("warum antwortest du mir nicht", "de"),
        ("Ciao bella, come stai? sono Marco", "it"),
        ("grazie per il numero, ci vediamo domani", "it"),
        ("Hoi, ik ben de jongen van gisteren", "nl"),
        ("waar ben jij vandaag, het was leuk", "nl"),
        ("Olá, tudo bem? sou o rapaz de ontem", "pt"),
        ("você não responde", "pt"),
    ],
)
def test_clear_texts(text: str, expected: str) -> None:
    assert language.detect(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "?", "ok", "Bruno", "hello", "Hey", "lol", "test", "12 34", "😀", "no", "si", "me",
     "hola merci", "ich hola", "Привет, как дела", "你好", "Hi Bruno", "party", "hotel Ibiza"],
)  # fmt: skip
def test_unclear_texts(text: str) -> None:
    assert language.detect(text) is None


@pytest.mark.parametrize("text", ["slt c bruno", "cc sa va", "tkt jtm", "Slt it's Romain"])
def test_slang_is_french_or_unclear(text: str) -> None:
    assert language.detect(text) in {None, "fr"}


def test_only_the_beginning_is_read() -> None:
    assert language.detect("x " * 200 + "bonjour merci pourquoi") is None


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_never_raises_and_names_only_ours(text: str) -> None:
    assert language.detect(text) in {None, *texts.LANGUAGES}
