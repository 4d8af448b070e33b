"""Calling codes of the countries whose prices a simulation may set apart.

Pure and small on purpose: the bridge needs "which price", not "is this number real" (that is
policy's question). The longest prefix wins, so an overseas part goes before its mother country.
Source of the codes: ITU-T E.164, list of assigned country codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CALLING_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "1": "US", "7": "RU", "20": "EG", "27": "ZA", "30": "GR", "31": "NL", "32": "BE",
        "33": "FR", "34": "ES", "36": "HU", "39": "IT", "40": "RO", "41": "CH", "43": "AT",
        "44": "GB", "45": "DK", "46": "SE", "47": "NO", "48": "PL", "49": "DE", "52": "MX",
        "55": "BR", "61": "AU", "81": "JP", "86": "CN", "90": "TR", "91": "IN", "212": "MA",
        "213": "DZ", "216": "TN", "221": "SN", "225": "CI", "237": "CM", "262": "RE",
        "350": "GI", "351": "PT", "352": "LU", "353": "IE", "354": "IS", "355": "AL",
        "356": "MT", "357": "CY", "358": "FI", "359": "BG", "370": "LT", "371": "LV",
        "372": "EE", "376": "AD", "377": "MC", "380": "UA", "381": "RS", "385": "HR",
        "386": "SI", "387": "BA", "420": "CZ", "421": "SK", "423": "LI", "508": "PM",
        "590": "GP", "594": "GF", "596": "MQ", "687": "NC", "689": "PF",
    }
)  # fmt: skip
COUNTRIES: Final = frozenset(CALLING_CODES.values())
_LONGEST: Final = max(map(len, CALLING_CODES))


def country_of(number: str) -> str | None:
    """The ISO 3166 country of an E.164 number by its longest known calling code, else None."""
    for length in range(_LONGEST, 0, -1):
        found = CALLING_CODES.get(number[1 : 1 + length])
        if found is not None:
            return found
    return None
