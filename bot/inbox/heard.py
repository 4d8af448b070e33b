"""Who wrote already, and so what may wait when there is more than can be stored.

A second message of somebody changes little: his one reply is taken, or he gets none. A first
contact, a wish, a word that we asked for and a cry for help change much. Under overload the door
turns the former away first (503, which the network or the sweep brings again) and goes on taking
the latter. Nothing that was acknowledged is lost by it, and nothing is decided by it: what this
memory holds is a hint, the database decides.

64 bits of each keyed hash, one place each; a newcomer takes the place of whoever stood there. So
its size is fixed, and somebody who wrote long ago counts as new again, which costs nothing. After
30 days somebody who still stands here may be answered again: under overload he waits for that.
"""

from __future__ import annotations

import array
from typing import Final

from bot.inbox import state
from bot.policy import distress

PLACES: Final = 131_072
"""A power of two; a megabyte."""
_BYTES: Final = 8


class Heard:
    """The memory of one process."""

    def __init__(self, places: int = PLACES) -> None:
        """Nobody wrote yet."""
        self._mask = places - 1
        self._places = array.array("Q", bytes(places * _BYTES))

    def note(self, hashed: bytes) -> None:
        """His message is stored; by the newest hash of his address."""
        bits = int.from_bytes(hashed[:_BYTES], "big")
        self._places[bits & self._mask] = bits

    def knows(self, hashed: bytes) -> bool:
        """Whether he wrote lately."""
        bits = int.from_bytes(hashed[:_BYTES], "big")
        return self._places[bits & self._mask] == bits

    def is_repeat(self, item: state.Item) -> bool:
        """Whether it is worth no more than a second message of somebody."""
        message = item.message
        if item.wish is not None or item.proof is not None or not message.sender.value:
            return False
        return self.knows(item.hashes[0][0]) and distress.lane(message.text) is None
