"""Names that moderators see: a reply's key, a person's short code."""

from __future__ import annotations

import base64
from typing import Final

from bot import outbox
from bot.store import vault

_CODE_BYTES: Final = 3
_CODE_CHARACTERS: Final = 4
_LARGEST_ID: Final = 1 << 63


def letters(drawn: bytes, length: int) -> str:
    """A code to read and type: base 32 in lower case, with 9 for x.

    Matrix clients draw the x of 4x5 as a multiplication sign, which nobody could type.
    """
    return base64.b32encode(drawn).decode().lower().replace("x", "9")[:length]


def person(keys: vault.Vault, person_id: int) -> str:
    """`#k7f2`: always the same for one person, says nothing about the address."""
    drawn = keys.hash("code", str(person_id))[:_CODE_BYTES]
    return "#" + letters(drawn, _CODE_CHARACTERS)


def topic(keys: vault.Vault, word: int) -> str:
    """`t-k7f2`: always the same for one topic, says nothing about its words."""
    drawn = keys.hash("topic", str(word))[:_CODE_BYTES]
    return "t-" + letters(drawn, _CODE_CHARACTERS)


def reply_id(keys: vault.Vault, text: str) -> int | None:
    """The id behind what somebody typed: a reply's key, or its plain number."""
    typed = text.strip().lower()
    found = outbox.read_key(keys, typed)
    if found is None and typed.isascii() and typed.isdecimal() and int(typed) < _LARGEST_ID:
        return int(typed)
    return found
