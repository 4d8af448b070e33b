"""Whom to call in danger, by country: `emergency.toml`, each number with its dated source."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "emergency": "emergency",
        "police": "police",
        "text": "by text message",
        "violence": "violence against women",
        "domestic": "domestic violence",
        "advice": "violence, advice",
    }
)
"""Kind in the file -> msgid."""
_FIRST: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "fr": ("FR", "BE", "CH", "LU"),
        "en": ("GB", "IE"),
        "es": ("ES",),
        "de": ("DE", "AT", "CH", "LU"),
        "it": ("IT", "CH"),
        "pt": ("PT",),
        "nl": ("NL", "BE"),
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """`number` as people write it; `as_of`: year and month of the source."""

    number: str
    kind: str
    source: str
    as_of: str

    @property
    def dialled(self) -> str:
        """What a phone dials."""
        return self.number.replace(" ", "")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All countries; `checked`: the day on which the sources were last read."""

    checked: dt.date
    countries: Mapping[str, tuple[Number, ...]]

    def ordered(self, language: str) -> tuple[str, ...]:
        """Country codes: first those where the language is spoken."""
        first = _FIRST[language]
        return (*first, *(code for code in self.countries if code not in first))


@functools.cache
def book() -> Book:
    """The file, read once."""
    told = tomllib.loads(
        resources.files(__package__).joinpath("emergency.toml").read_text(encoding="utf-8")
    )
    countries = {
        one["code"]: tuple(Number(**number) for number in one["numbers"]) for one in told["country"]
    }
    return Book(checked=told["checked"], countries=MappingProxyType(countries))


def first(language: str) -> int:
    """How many of `ordered` stand open; the others are folded away."""
    return len(_FIRST[language])
