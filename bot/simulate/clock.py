"""Virtual time: stands still until the simulation moves it on."""

from __future__ import annotations

import asyncio
import datetime as dt

from bot.contract import clock


class VirtualClock:
    """A contract Clock in whole milliseconds. It never goes back."""

    def __init__(self, start_ms: int) -> None:
        """`start_ms`: milliseconds since 1970 UTC."""
        self._start_ms = start_ms
        self._now_ms = start_ms

    @property
    def now_ms(self) -> int:
        """The wall clock in milliseconds since 1970 UTC."""
        return self._now_ms

    def move_to(self, moment_ms: int) -> None:
        """Let time pass until then. Raises ValueError for a moment that is over."""
        if moment_ms < self._now_ms:
            raise ValueError("virtual time does not go back")
        self._now_ms = moment_ms

    def now(self) -> dt.datetime:
        """The wall clock in UTC."""
        return clock.from_ms(self._now_ms)

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return (self._now_ms - self._start_ms) / 1000

    async def sleep(self, seconds: float) -> None:
        """Only a turn of the loop: time is moved by the simulation alone, never by waiting."""
        await asyncio.sleep(0)
