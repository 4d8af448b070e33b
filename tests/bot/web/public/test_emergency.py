"""Whom to call in danger: every number has a kind, a source and a date."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from bot.web.public import emergency, words

BOOK = emergency.book()


def test_every_number_is_one_and_says_where_it_is_from() -> None:
    for code, numbers in BOOK.countries.items():
        assert re.fullmatch(r"[A-Z]{2}", code)
        assert len({one.number for one in numbers}) == len(numbers)
        for one in numbers:
            assert re.fullmatch(r"\d{2,4}( \d{2,4}){0,3}", one.number), one
            assert one.dialled.isdecimal()
            assert one.kind in emergency.KINDS
            assert one.source.startswith(("https://", "http://"))
            assert (
                one.as_of == "undated" or dt.date.fromisoformat(one.as_of + "-01") <= BOOK.checked
            )
    assert BOOK.checked >= dt.date(2026, 11, 22)


def test_every_country_has_somebody_who_comes_at_once() -> None:
    for code, numbers in BOOK.countries.items():
        assert {one.kind for one in numbers} & {"emergency", "police"}, code
        assert numbers[0].kind in {"emergency", "police"}, code


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_each_language_begins_with_its_own_countries(language: str) -> None:
    ordered = BOOK.ordered(language)
    assert sorted(ordered) == sorted(BOOK.countries)
    assert 1 <= emergency.first(language) < len(ordered)
    assert all(words.of(language).country(code) for code in ordered)


def test_france_has_what_france_needs() -> None:
    assert [one.number for one in BOOK.countries["FR"]] == ["17", "112", "114", "3919"]
