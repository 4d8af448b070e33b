"""Which countries share a land border with which: whom a number is likely to meet.

Asked at set-up and written into `who.countries`, where anybody can change it. Only countries that
are answered at all (numbers.EEA_UK_CH_OVERSEAS); Ireland and the United Kingdom count, Malta and
Cyprus have none. Source: borders as of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bot.policy import numbers

_BORDERS: Final = (
    "AT-CH AT-CZ AT-DE AT-HU AT-IT AT-LI AT-SI AT-SK BE-DE BE-FR BE-LU BE-NL BG-GR BG-RO CH-DE "
    "CH-FR CH-IT CH-LI CZ-DE CZ-PL CZ-SK DE-DK DE-FR DE-LU DE-NL DE-PL EE-LV ES-FR ES-PT FI-NO "
    "FI-SE FR-IT FR-LU GB-IE HR-HU HR-SI HU-RO HU-SI HU-SK IT-SI LT-LV LT-PL NO-SE PL-SK"
)
_OVERSEAS: Final = tuple(
    sorted(numbers.EEA_UK_CH_OVERSEAS & {"BL", "GF", "GP", "MF", "MQ", "NC", "PM", "RE", "YT"})
)


def _both() -> dict[str, frozenset[str]]:
    met: dict[str, set[str]] = {}
    for pair in _BORDERS.split():
        one, other = pair.split("-")
        met.setdefault(one, set()).add(other)
        met.setdefault(other, set()).add(one)
    return {country: frozenset(found) for country, found in met.items()}


OF: Final[Mapping[str, frozenset[str]]] = MappingProxyType(_both())


def around(country: str) -> list[str]:
    """The country and its neighbours, its own first; France with its overseas parts."""
    near = sorted(OF.get(country, frozenset()))
    return [country, *near, *(_OVERSEAS if country == "FR" else ())]
