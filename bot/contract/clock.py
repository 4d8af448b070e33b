"""Time as an argument: deadlines by wall clock, waits by monotonic clock."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import time
from typing import Protocol


class Clock(Protocol):
    """What the core and the bridges know of time. `now` is aware, in UTC."""

    def now(self) -> dt.datetime:
        """The wall clock."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> dt.datetime:
        """The wall clock in UTC."""
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        """Seconds on the monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` (0 yields to other tasks)."""
        await asyncio.sleep(seconds)


def to_ms(moment: dt.datetime) -> int:
    """Milliseconds since 1970 UTC of an aware datetime, rounded down."""
    return int(moment.timestamp() * 1000)


def from_ms(moment_ms: int) -> dt.datetime:
    """The aware UTC datetime of milliseconds since 1970."""
    return dt.datetime.fromtimestamp(moment_ms / 1000, dt.UTC)


class LapseClock:
    """Another clock run faster: the demo shows an hour in ten seconds.

    `speed` is how many seconds pass here in one of the inner clock's; it may be changed while
    tasks sleep, and they notice at once. `now` follows the inner monotonic clock from the wall
    time of the start, so it never goes back, whatever the speed or the machine's wall clock do.
    Raises ValueError for a speed that is not a finite number above zero. Of one event loop only.
    """

    def __init__(self, inner: Clock, speed: float = 1.0) -> None:
        """Starts at the inner clock's wall time."""
        self._inner = inner
        self._speed = _checked(speed)
        self._start = inner.now()
        self._lapsed_s = 0.0
        self._anchor_s = inner.monotonic()
        self._changed = asyncio.Event()

    @property
    def speed(self) -> float:
        """Seconds here in one second of the inner clock."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Go on from the present moment at another speed; sleepers wait the rest at that speed."""
        speed = _checked(speed)
        self._lapsed_s = self.monotonic()
        self._anchor_s = self._inner.monotonic()
        self._speed = speed
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def now(self) -> dt.datetime:
        """The lapsed wall clock in UTC."""
        return self._start + dt.timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Lapsed seconds since the clock was made."""
        return self._lapsed_s + (self._inner.monotonic() - self._anchor_s) * self._speed

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of lapsed time, through any change of speed."""
        deadline_s = self.monotonic() + seconds
        while True:
            left_s = max(0.0, deadline_s - self.monotonic())
            if await self._slept(left_s / self._speed):
                return

    async def _slept(self, inner_s: float) -> bool:
        """Sleep on the inner clock; whether it ended by itself, not by a change of speed."""
        nap = asyncio.ensure_future(self._inner.sleep(inner_s))
        change = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait((nap, change), return_when=asyncio.FIRST_COMPLETED)
            return nap.done()
        finally:
            nap.cancel()
            change.cancel()


def _checked(speed: float) -> float:
    """A usable speed, or ValueError."""
    if not (math.isfinite(speed) and speed > 0):
        raise ValueError("speed must be a finite number above zero")
    return float(speed)
