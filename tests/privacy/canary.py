"""A number and a sentence that stand nowhere else, and every shape in which they could be found."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

NUMBER: Final = "+33639987531"
ACI: Final = "c0ffee00-0000-4000-8000-00000c0ffee0"
WORDS: Final = "Zéphyrine kanarikanari vermillon"
MXID: Final = "@kanarikanari:example.org"
# Too short a piece would be found by chance.
_LEAST: Final = 8


def shapes() -> Mapping[str, bytes]:
    """Name -> bytes that must not be found."""
    digits = NUMBER[1:]
    national = "0" + digits[2:]
    pairs = [national[i : i + 2] for i in range(0, 10, 2)]
    spelled = {
        "number": digits,
        "national": national,
        "grouped": " ".join(pairs),
        "dotted": ".".join(pairs),
        "dashed": "-".join(pairs),
        "international": f"33 {national[1]} {' '.join(pairs[1:])}",
        "aci": ACI,
        "aci without dashes": ACI.replace("-", ""),
        "handle": "kanarikanari:example.org",
        "words": WORDS,
        "a word": "kanarikanari",
        "escaped": json.dumps(WORDS)[1:-1],
        "percent": urllib.parse.quote(WORDS),
        "plus": urllib.parse.quote_plus(WORDS),
    }
    found = {name: text.encode() for name, text in spelled.items()}
    for name in ("number", "national", "a word"):
        plain = found[name]
        found[f"{name}, utf-16"] = plain.decode().encode("utf-16-le")
        found[f"{name}, hex"] = plain.hex().encode()
        found[f"{name}, reversed"] = plain[::-1]
        found |= {f"{name}, base64 {n}": piece for n, piece in enumerate(_pieces(plain))}
    return found


def _pieces(plain: bytes) -> Iterator[bytes]:
    """What is the same in base64 wherever the bytes stand, at each of the three alignments."""
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + plain)
        # The first and the last group also depend on what stands beside.
        piece = whole[4 if shift else 0 : len(whole) // 4 * 4 - 4]
        if len(piece) >= _LEAST:
            yield piece


def places(told: Mapping[str, bytes], known: Iterable[bytes] = ()) -> list[str]:
    """Where which shape was found, as "place: shape"; `known`: further bytes to look for."""
    found = []
    values = {f"value {n}": one for n, one in enumerate(known)}
    for place, data in told.items():
        low = data.lower()
        found += [f"{place}: {name}" for name, one in shapes().items() if one in data or one in low]
        found += [f"{place}: {name}" for name, one in values.items() if one in data]
    return found
