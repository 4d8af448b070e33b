"""A cheap look whether a text could hold one of many phrases, before the dear one. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Final

_WORDS: Final = re.compile(r"[a-z]{3,}")
_REMEMBERED: Final = 4_096


class Stems:
    """Beginnings, middles or whole phrases; one of them stands in every text that is meant.

    Most words were seen before, so each is asked about once. Nothing tells who wrote it or beside
    which others, digits are no words, and whoever wrote longest ago is forgotten first.
    """

    def __init__(self, stems: Sequence[str]) -> None:
        """In folded text: small ASCII letters. Each must hold three letters in a row."""
        self._stems = tuple(stems)
        runs = [max(_WORDS.findall(stem), key=len) for stem in stems]
        self._are_words = runs == list(stems)
        self._holds = functools.lru_cache(_REMEMBERED)(functools.partial(_holds, tuple(runs)))

    def within(self, folded: str) -> bool:
        """Whether one of them stands in the text."""
        if not any(map(self._holds, _WORDS.findall(folded))):
            return False
        return self._are_words or _holds(self._stems, folded)


def _holds(stems: tuple[str, ...], text: str) -> bool:
    # A plain loop: a generator's turns would cost more than the look-ups.
    for stem in stems:  # noqa: SIM110 (see above)
        if stem in text:
            return True
    return False
