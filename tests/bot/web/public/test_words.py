"""The catalogues: complete in all seven languages, with the same places and nothing uncertain."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages import catalog, extract, pofile
from jinja2 import ext

from bot.policy import texts
from bot.web.public import emergency, paper, words

ROOM = Path(words.__file__).parent
# Words that are spelt alike in two languages.
ALIKE = {"police"}


def used() -> set[str]:
    """Every msgid that templates and code ask for."""
    found: set[str] = set(emergency.KINDS.values())
    for path in sorted((ROOM / "templates").glob("*.html")):
        with path.open("rb") as source:
            options = {"trimmed": "false"}
            for _, _, message, _ in ext.babel_extract(source, ["_"], [], options):
                # With values there is a tuple, the msgid first; what is looked up is in KINDS.
                told = message[0] if isinstance(message, tuple) else message
                found |= {str(told)} if told else set()
    with Path(paper.__file__).open("rb") as source:
        found |= {str(m) for _, m, _, _ in extract.extract("python", source, {"told": None})}
    return found


def read(language: str) -> catalog.Catalog:
    with (ROOM / "locale" / f"{language}.po").open("rb") as source:
        return pofile.read_po(source, locale=language, abort_invalid=True)


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def entries(language: str) -> Iterator[catalog.Message]:
    return (one for one in read(language) if one.id)


def test_the_page_speaks_the_languages_of_the_replies() -> None:
    assert words.LANGUAGES == texts.LANGUAGES
    assert {p.stem for p in (ROOM / "locale").glob("*.po")} == set(words.LANGUAGES)
    assert len(used()) > 60


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_catalogue_has_every_word_and_no_other(language: str) -> None:
    found = list(entries(language))
    assert {str(one.id) for one in found} == used()
    assert len(found) == len({one.id for one in found})
    assert not read(language).obsolete


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_nothing_is_empty_or_uncertain_and_every_place_is_kept(language: str) -> None:
    for one in entries(language):
        text = str(one.string)
        assert text.strip() == text != "", one.id
        assert not one.fuzzy, one.id
        assert places(text) == places(str(one.id)), one.id
        assert not set("<>&") & set(text), one.id
        # Ends alike, so that no sentence lost its end.
        assert (text[-1] == ".") == (str(one.id)[-1] == "."), one.id


@pytest.mark.parametrize("language", [code for code in words.LANGUAGES if code != "en"])
def test_nothing_was_left_in_english(language: str) -> None:
    same = {str(one.id) for one in entries(language) if one.string == one.id}
    assert len(same - ALIKE) == 0
    longer = [one for one in entries(language) if len(str(one.id)) > 60]
    assert all(0.7 < len(str(one.string)) / len(str(one.id)) < 1.7 for one in longer)


def test_english_is_what_the_code_says() -> None:
    assert all(one.string == one.id for one in entries("en"))


def test_french_signs_stay_on_their_line() -> None:
    told = words.of("fr")("Open: replies are going out.")
    assert told == "Ouvert\u00a0: les réponses partent."


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("en-GB,en;q=0.8", "en"),
        ("ja,pt-BR;q=0.5,de;q=0.9", "de"),
        ("ja, zh;q=0.9", "fr"),
        ("nl;q=0, it;q=0.1", "it"),
        ("es;q=nonsense, de;q=0.2", "de"),
        ("EN-us", "en"),
        ("*;q=0.1", "fr"),
        ("," * 5000, "fr"),
    ],
)
def test_the_browsers_languages_choose(header: str, language: str) -> None:
    assert words.chosen(header, "fr") == language
