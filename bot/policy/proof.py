"""The word that somebody sends from their own address to prove that it is theirs. Pure.

Whoever wants to be forgotten, or to know what is kept, is given such a word by a moderator; no
address is ever typed. It counts only as the whole message, and tells nobody anything.
"""

from __future__ import annotations

import re
from typing import Final

WORD: Final = "PROOF"
LETTERS: Final = 10
# No 0, 1, O, I: it is copied by hand.
ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_FORM = re.compile(rf"\s*{WORD}[\s-]?([{ALPHABET}]{{{LETTERS}}})\s*\Z", re.IGNORECASE)


def read(text: str) -> str | None:
    """The word's own letters in capitals, None for every other message."""
    if len(text) > 64:  # noqa: PLR2004 (nobody pads it further)
        return None
    found = _FORM.match(text)
    return found[1].upper() if found else None


def spelled(letters: str) -> str:
    """As it is handed out."""
    return f"{WORD}-{letters}"
