"""Numbers for made-up floods, drawn when they are needed: none stands in the code.

They lie in ranges that are in use, because the program would not answer others. Nothing is ever
sent to them: a simulation has no way out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from bot.policy import numbers

# Country -> calling code, what mobiles begin with, and how many digits follow.
_MOBILES: Final = {
    "FR": ("33", ("6", "7"), 8),
    "BE": ("32", ("47", "48", "49"), 7),
    "CH": ("41", ("76", "78", "79"), 7),
    "GB": ("44", ("74", "75", "77", "78"), 8),
    "ES": ("34", ("6",), 8),
    "DE": ("49", ("151", "160", "170"), 8),
    "IT": ("39", ("32", "33", "34"), 8),
    "NL": ("31", ("6",), 8),
    "PT": ("351", ("91", "92", "93", "96"), 7),
    "LT": ("370", ("6",), 7),
}
_HOME: Final = {
    "fr": "FR",
    "en": "GB",
    "es": "ES",
    "de": "DE",
    "it": "IT",
    "nl": "NL",
    "pt": "PT",
}
# Satellite, premium and far islands: what pumping is after.
_DEAR: Final = ("88213", "88165", "87077", "2519", "22177", "67774", "2469", "99237", "97910")
_DEAR_DIGITS: Final = 7
PRICES: Final = {
    "FR": "0.08",
    "BE": "0.09",
    "CH": "0.07",
    "GB": "0.045",
    "ES": "0.075",
    "DE": "0.085",
    "IT": "0.08",
    "NL": "0.09",
    "PT": "0.06",
    "LT": "0.11",
    "default": "0.12",
}


def home(language: str) -> str:
    """The country where most who write in it live."""
    return _HOME[language]


class Numbers:
    """Numbers of senders, each once."""

    def __init__(self, draw: random.Random) -> None:
        """Draws from `draw`."""
        self._draw = draw
        self._given: set[str] = set()

    def _digits(self, count: int) -> str:
        return f"{self._draw.randrange(10**count):0{count}}"

    def mobile(self, country: str) -> str:
        """A valid mobile number of a country."""
        code, starts, count = _MOBILES[country]
        while True:
            found = f"+{code}{self._draw.choice(starts)}{self._digits(count)}"
            if found not in self._given and self._good(found, country):
                self._given.add(found)
                return found

    @staticmethod
    def _good(found: str, country: str) -> bool:
        facts = numbers.read(found)
        # Some islands share a calling code with their neighbours.
        return (
            facts.valid
            and facts.region == country
            and facts.number_type
            in (
                numbers.NumberType.MOBILE,
                numbers.NumberType.FIXED_OR_MOBILE,
            )
        )

    def block(self, country: str, size: int = 900) -> Iterator[str]:
        """Neighbours of one block, then of another, without end."""
        while True:
            first = int(self.mobile(country)[1:]) // 10_000 * 10_000 + self._draw.randrange(9_000)
            for number in range(first, first + size):
                if (found := f"+{number}") not in self._given and self._good(found, country):
                    self._given.add(found)
                    yield found

    def dear(self) -> str:
        """A number that costs much more than any ordinary one."""
        while True:
            found = f"+{self._draw.choice(_DEAR)}{self._digits(_DEAR_DIGITS)}"
            if found not in self._given:
                self._given.add(found)
                return found

    def robot(self) -> str:
        """A short code."""
        return f"3{self._digits(4)}"
