"""Each default text is one part, in each language, and ends with the way out."""

import pytest

from bot.contract import messages, optout, segments
from bot.policy import language, texts

_ALL = [pytest.param(text, id=f"{text.key}-{text.tone}-{text.language}") for text in texts.TEXTS]


def test_every_key_tone_and_language_is_there_once() -> None:
    wanted = {(k, t, lang) for k in texts.KEYS for t in texts.TONES for lang in texts.LANGUAGES}
    assert len(texts.TEXTS) == len(wanted) == len({t.body for t in texts.TEXTS})
    assert {(t.key, t.tone, t.language) for t in texts.TEXTS} == wanted


def test_the_french_default_is_the_one_decided() -> None:
    assert texts.text("fr") == (
        "Bonjour. Vous avez écrit à un numéro donné par quelqu'un qui ne voulait pas donner le"
        " sien. Un non se respecte. Pas vous ? Ignorez ce message. Merci. STOP"
    )


@pytest.mark.case("C15")
@pytest.mark.parametrize("text", _ALL)
def test_one_gsm7_part_that_ends_with_the_opt_out_word(text: texts.Text) -> None:
    body = text.body.replace("{address}", "+" + "3" * (texts.LONGEST_ADDRESS - 1))
    counted = segments.count(body)
    assert counted.encoding is segments.Encoding.GSM_7, counted.guilty
    assert counted.parts == 1, counted.units
    assert body.endswith(" STOP")
    assert optout.read(body.rsplit(maxsplit=1)[-1]) is messages.Wish.STOP


@pytest.mark.parametrize("text", _ALL)
def test_the_text_is_in_its_language_and_is_no_opt_out(text: texts.Text) -> None:
    assert language.detect(text.body) == text.language
    assert optout.read(text.body) is None


@pytest.mark.parametrize("lang", texts.LANGUAGES)
@pytest.mark.parametrize("tone", texts.TONES)
def test_with_address_names_the_address_written_to(lang: str, tone: str) -> None:
    named = texts.with_address(lang, "+33639980001", tone)
    assert named.count("+33639980001") == 1
    assert "{" not in named


def test_unknown_languages_and_tones_are_refused() -> None:
    with pytest.raises(KeyError):
        texts.text("xx")
    with pytest.raises(KeyError):
        texts.text("fr", "rude")


@pytest.mark.parametrize(
    ("detected", "chosen"),
    [(None, "fr"), ("fr", "fr"), ("en", "en"), ("de", "fr"), ("xx", "fr")],
)
def test_choose_language(detected: str | None, chosen: str) -> None:
    allowed = frozenset({"fr", "en", "xx"})
    found = texts.choose_language(collective="fr", detected=detected, allowed=allowed)
    assert found == chosen
