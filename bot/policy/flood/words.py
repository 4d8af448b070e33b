"""What a text says, as a few words that can be counted: same or nearly the same words match.

Digits are folded away (a flood numbers its messages to look different), so are accents, case and
stretched letters. The whole text counts as one more word, so that common words in one fixed
order are noticed too.
"""

from __future__ import annotations

import functools
import re
import struct
import unicodedata
from collections.abc import Sequence
from typing import Final

MOST: Final = 12
# Words are positive; in the tables of counts these two stand for senders, and those on a topic.
SENDERS: Final = 0
TOPICAL: Final = -1
# Set in the number of a whole text's own word, so that it can be told from the others.
WHOLE: Final = 1 << 60
# The same for the block of numbers that a sender's belongs to.
BLOCK: Final = 1 << 61
_SIGN: Final = "="
_BLOCK_SIGN: Final = "+"
_BLOCK_DIGITS: Final = 4
_SHORTEST_NUMBER: Final = 9
_READ: Final = 400
_LONGEST: Final = 24
_WORD = re.compile(r"[^\W\d_]+|[\d][\d.,:/h-]*[^\W\d_€$£%]*[€$£%]?|[^\w\s]")
_NUMBER = re.compile(r"\d[\d.,:/-]*")
_STRETCHED = re.compile(r"(.)\1{2,}")
# ASCII has no accents, joiners or selectors.
_MARKED = re.compile(r"[^\x00-\x7f]+")


def of(text: str) -> tuple[str, ...]:
    """The distinct words of a text in order, at most MOST, the whole text's own word last."""
    plain = _plain(text[:_READ])
    found: dict[str, None] = {}
    for word in _WORD.findall(plain):
        shape = _shape(word) if word[0].isdigit() else word[:_LONGEST]
        if shape:
            found[shape] = None
            if len(found) == MOST - 1:
                break
    # Punctuation says something only where there is nothing else ("?", an emoji by itself).
    words = tuple([w for w in found if w.isalnum() or len(w) > 1]) or tuple(found)
    return (*words, _SIGN + " ".join(words)) if len(words) > 1 else words


def block(sender: str) -> str | None:
    """The word of a number's block (the number less its last four digits); None without one."""
    if len(sender) < _SHORTEST_NUMBER or sender[0] != _BLOCK_SIGN:
        return None
    return sender[:-_BLOCK_DIGITS]


def _plain(text: str) -> str:
    folded = text.casefold()
    if not folded.isascii():
        folded = _MARKED.sub(_bared, unicodedata.normalize("NFKC", folded))
    # Hardly any text has such letters, and looking costs a third of replacing.
    return _STRETCHED.sub(r"\1", folded) if _STRETCHED.search(folded) else folded


def _bared(found: re.Match[str]) -> str:
    return "".join(map(_bare, found[0]))


@functools.lru_cache(4_096)
def _bare(character: str) -> str:
    """A letter without its accent; joiners and variation selectors vanish."""
    if unicodedata.category(character) in {"Mn", "Cf"}:
        return ""
    return unicodedata.normalize("NFD", character)[0]


def _shape(number: str) -> str:
    """A number's shape without its digits; nothing for a bare number."""
    shape = _NUMBER.sub("#", number)
    return shape[:_LONGEST] if shape != "#" else ""


def number(word: str, digest: bytes) -> int:
    """The number of a word, above zero and below 2 ** 62, from a keyed digest of it."""
    found = int.from_bytes(digest[:7], "big") + 1
    if len(word) > 1 and word[0] == _SIGN:
        return found | WHOLE
    return found | BLOCK if len(word) > 1 and word[0] == _BLOCK_SIGN else found


def pack(hashes: Sequence[int]) -> bytes:
    """Keyed words as stored with a reply: eight bytes each."""
    return struct.pack(f"<{len(hashes)}q", *hashes)


def unpack(packed: bytes | None) -> tuple[int, ...]:
    """What `pack` stored; nothing for an empty message."""
    return struct.unpack(f"<{len(packed) // 8}q", packed) if packed else ()
