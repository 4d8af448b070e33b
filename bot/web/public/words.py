"""The page's words: gettext catalogues whose msgids are the English words.

`locale/LANGUAGE.po`, read when a language is first asked for.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Mapping
from importlib import resources
from typing import Final

from bot.policy import texts

LANGUAGES: Final = texts.LANGUAGES
_SPACE: Final = re.compile(" (?=[;:!?])")


class Words:
    """One language: `words("Copy")` gives its word for it, with the values in their places."""

    def __init__(self, language: str, table: Mapping[str, str]) -> None:
        """`table`: msgid to msgstr."""
        self.language: Final = language
        self._table = table
        # Not before somebody asks for the page: it takes longer to import than to use.
        from babel import core  # noqa: PLC0415 (see above)

        self._locale = core.Locale(language)

    def __call__(self, msgid: str, **values: object) -> str:
        """The word; English where there is none, which the tests rule out."""
        told = self._table.get(msgid) or msgid
        return told.format(**values) if values else told

    def country(self, code: str) -> str:
        """The name of a country by its ISO 3166 code."""
        return str(self._locale.territories[code])

    def day(self, day: dt.date) -> str:
        """A date in full."""
        from babel import dates  # noqa: PLC0415 (see above)

        return dates.format_date(day, "long", locale=self._locale)

    def month(self, day: dt.date) -> str:
        """Month and year."""
        from babel import dates  # noqa: PLC0415 (see above)

        return dates.format_skeleton("yMMMM", day, locale=self._locale)


@functools.cache
def of(language: str) -> Words:
    """One of LANGUAGES; FileNotFoundError for another."""
    from babel.messages import pofile  # noqa: PLC0415 (see above)

    file = resources.files(__package__).joinpath("locale", f"{language}.po")
    with file.open("rb") as source:
        catalog = pofile.read_po(source, locale=language)
    table = {str(one.id): str(one.string) for one in catalog if one.id and not one.fuzzy}
    if language == "fr":
        # No line may begin with the second half of a sign.
        table = {msgid: _SPACE.sub("\u00a0", told) for msgid, told in table.items()}
    return Words(language, table)


def own_name(language: str) -> str:
    """What a language calls itself, with a capital as in a menu."""
    from babel import core  # noqa: PLC0415 (see above)

    name = core.Locale(language).get_display_name(language) or language
    return name[:1].upper() + name[1:]


@functools.lru_cache(256)
def chosen(accepted: str, fallback: str) -> str:
    """The first of an Accept-Language header (RFC 9110, 12.5.4) that the page speaks."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted[:500].split(",")):
        tag, _, weight = part.partition(";")
        language = tag.strip().partition("-")[0].lower()
        if language in LANGUAGES:
            wanted.append((-_weight(weight), place, language))
    wanted.sort()
    return wanted[0][2] if wanted and wanted[0][0] < 0 else fallback


def _weight(told: str) -> float:
    name, _, value = told.strip().partition("=")
    if not name:
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
