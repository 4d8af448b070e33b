"""How many billed parts a text makes as an SMS, and which of its characters make it dear.

Exact after 3GPP TS 23.038 (alphabets, escape) and TS 23.040 (concatenation with the usual header of
six octets): 160 septets alone or 153 a part in GSM-7, 70 UTF-16 units alone or 67 a part in UCS-2.
National shift tables are left out on purpose: there is none for French and carriers ignore them.
This module must not know prices; whoever holds a quote multiplies.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

# TS 23.038, 6.2.1 in code order, without 0x1B, which is the escape itself and no character.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# TS 23.038, 6.2.1.1: escape plus one more septet.
_ESCAPED = "\f^{}\\[~]|€"
_ESCAPED_SET = frozenset(_ESCAPED)
_GSM = frozenset(_BASIC + _ESCAPED)
# The same alphabet as one character class, three times as fast on a whole text.
_ALL_GSM = re.compile(f"[{re.escape(_BASIC + _ESCAPED)}]*")

GSM_ALONE, GSM_PART = 160, 153  # septets
UCS_ALONE, UCS_PART = 70, 67  # UTF-16 units

# What a reader does not miss: another quote, dash, space, or nothing for what cannot be seen.
_PUNCTUATION: dict[str, str] = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`\u2039\u203a", "'"),
    **dict.fromkeys("«»\u201c\u201d\u201e\u201f\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2007\u2008\u2009\u200a\u202f\u3000\t", " "),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\ufe0e\ufe0f", ""),
    **dict.fromkeys("\u2022\u00b7\u2219", "-"),
    "\u2026": "...",
    "\u2028": "\n",
    "\u2029": "\n",
    "œ": "oe",
    "Œ": "OE",
}
_PUNCTUATION_TABLE = str.maketrans(_PUNCTUATION)
# Letters that Unicode does not take apart into a letter and an accent.
_STROKED = {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "ı": "i", "ħ": "h"}


class Encoding(StrEnum):
    """The alphabet a text is sent in; one character decides for the whole text."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guilty:
    """A character that forces UCS-2: where it stands and what could stand there instead."""

    character: str
    position: int
    """Index of the code point in the text, from 0."""
    name: str
    """Its Unicode name, or what it is where Unicode names nothing."""
    suggestion: str | None
    """GSM-7 wording for it; the empty text means leave it out, None that there is no near one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """The size of a text as an SMS."""

    encoding: Encoding
    parts: int
    """Billed parts, at least 1: an empty text is still one message."""
    units: int
    """Septets in GSM-7, UTF-16 units in UCS-2; what a part leaves unused is not counted."""
    guilty: tuple[Guilty, ...]
    """Each character outside GSM-7, in order; empty exactly when the encoding is GSM-7."""


def count(text: str) -> Segments:
    """Count the parts of a text. The empty text has 0 units and 1 part."""
    if not _ALL_GSM.fullmatch(text):
        return _count_ucs2(text)
    units = len(text)
    if not _ESCAPED_SET.isdisjoint(text):
        units += sum(text.count(character) for character in _ESCAPED)
    if units <= GSM_ALONE:
        parts = 1
    elif units == len(text):
        parts = -(-units // GSM_PART)
    else:
        parts = _pack([2 if c in _ESCAPED_SET else 1 for c in text], GSM_PART)
    return Segments(encoding=Encoding.GSM_7, parts=parts, units=units, guilty=())


def to_gsm7(text: str) -> str | None:
    """Give the same words in GSM-7 where other punctuation is enough, None where words must change.

    Letters keep their accents: « ç » or « ê » has no equal in GSM-7 and a person should decide on
    the rewording, with `Guilty.suggestion` at hand. Only « œ » becomes « oe », which French
    typography allows, and combining accents are composed, which nobody sees.
    """
    if _ALL_GSM.fullmatch(text):
        return text
    plain = unicodedata.normalize("NFC", text).translate(_PUNCTUATION_TABLE)
    return plain if _ALL_GSM.fullmatch(plain) else None


def _count_ucs2(text: str) -> Segments:
    # A surrogate that stands alone cannot be sent as text at all; it still takes one unit.
    raw = text.encode("utf-16-be", "surrogatepass")
    units = len(raw) // 2
    parts = 1 if units <= UCS_ALONE else _pack(_pair_widths(raw), UCS_PART)
    guilty = tuple(_accuse(c, i) for i, c in enumerate(text) if c not in _GSM)
    return Segments(encoding=Encoding.UCS_2, parts=parts, units=units, guilty=guilty)


def _pair_widths(raw: bytes) -> list[int]:
    """Give 2 for each surrogate pair and 1 for every other unit of UTF-16, big end first.

    Read from the units, not the code points: two halves that stand side by side in a Python text
    are one pair for the phone.
    """
    widths: list[int] = []
    previous_is_high = False
    for lead in raw[::2]:
        if previous_is_high and 0xDC <= lead <= 0xDF:  # noqa: PLR2004  low half of the pair
            widths[-1] = 2
            previous_is_high = False
        else:
            widths.append(1)
            previous_is_high = 0xD8 <= lead <= 0xDB  # noqa: PLR2004  high half
    return widths


def _pack(widths: list[int], room: int) -> int:
    """Fill parts in order; what does not fit whole opens the next part."""
    parts, used = 1, 0
    for width in widths:
        if used + width > room:
            parts, used = parts + 1, 0
        used += width
    return parts


def _accuse(character: str, position: int) -> Guilty:
    if "\ud800" <= character <= "\udfff":
        name = f"LONE SURROGATE U+{ord(character):04X}"
        return Guilty(character=character, position=position, name=name, suggestion="")
    name = unicodedata.name(character, "") or f"UNNAMED CHARACTER U+{ord(character):04X}"
    return Guilty(character=character, position=position, name=name, suggestion=_suggest(character))


def _suggest(character: str) -> str | None:
    for candidate in (
        _PUNCTUATION.get(character),
        _STROKED.get(character),
        "".join(c for c in unicodedata.normalize("NFKD", character) if c in _GSM) or None,
        "" if unicodedata.category(character) in {"Cc", "Cf", "Mn"} else None,
    ):
        if candidate is not None:
            return candidate
    return None
