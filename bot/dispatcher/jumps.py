"""Notices that the wall clock jumped, by the clock that never does (C32).

A jump forward would make a day's replies due at once, a jump back would hide caps that are used
up. Neither sends anything twice; a minute without claims lets a clock that is being set settle.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from bot.contract import clock

JUMP_S: Final = 300.0
PAUSE_S: Final = 60.0


class Jumps:
    """Asked at each round. A jump across a restart cannot be seen."""

    def __init__(self, moment: clock.Clock) -> None:
        """Remembers both clocks as they are now."""
        self._clock = moment
        self._wall, self._steady_s = moment.now(), moment.monotonic()
        self._until_s = float("-inf")

    def look(self) -> float | None:
        """Seconds by which the wall clock jumped since the last look, None if it did not."""
        wall, steady_s = self._clock.now(), self._clock.monotonic()
        expected = self._wall + dt.timedelta(seconds=steady_s - self._steady_s)
        self._wall, self._steady_s = wall, steady_s
        jump_s = (wall - expected).total_seconds()
        if abs(jump_s) <= JUMP_S:
            return None
        self._until_s = steady_s + PAUSE_S
        return jump_s

    @property
    def settling(self) -> bool:
        """Whether claims wait."""
        return self._clock.monotonic() < self._until_s
