"""Virtual time for a whole event loop: nothing waits, every time limit is met when it is due.

The loop's own timers (`asyncio.timeout`, `wait_for`, aiohttp's limits) and the program's clock are
one axis. When nothing is ready the time jumps to the next timer, so a peer that never answers
costs nothing and still runs into the limit that the program set itself.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import selectors
from collections.abc import Callable, Coroutine
from typing import TypeVar

from tests.fakes import world

T = TypeVar("T")
_LONG_S = 60.0


class StuckError(Exception):
    """Everybody waits, and no timer runs: somebody asked without a time limit."""


class _Selector(selectors.SelectSelector):
    """Hears nobody from outside; a wait is a jump. `each` is called once a turn of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0
        self.each: Callable[[], None] = lambda: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.each()
        if timeout is None:
            raise StuckError
        self.passed_s += max(timeout, 0.0)
        return []


class Loop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, without sockets and threads."""

    def __init__(self) -> None:
        self.turns = _Selector()
        super().__init__(self.turns)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.turns.passed_s


class Clock:
    """contract.clock.Clock on the loop's time; the wall clock may be set, the steady one not."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.shift = dt.timedelta()

    def true(self) -> dt.datetime:
        """What everybody else's clock says."""
        return world.START + dt.timedelta(seconds=self._loop.time())

    def now(self) -> dt.datetime:
        """What our machine's clock says."""
        return self.true() + self.shift

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Slow:
    """For bridges: what they do every minute or more seldom, they do ten times more seldom.

    Hours go by between two things that happen; asking a neighbour for his health all that time
    would be most of a run.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> dt.datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds if seconds < _LONG_S else seconds * 10)


def run(make: Callable[[Loop], Coroutine[None, None, T]]) -> T:
    """Run to the end on a loop of its own."""
    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(make(loop))
