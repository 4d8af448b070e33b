"""A line that beats, dies, hangs or feels ill, and a clock for its keeper."""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from bot import supervisor
from bot.contract import address, bridge, intake, messages, outcomes


class Clock:
    """Time that passes only when told; sleepers wake in order."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 11, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.now_s)

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        await self.wait(seconds)

    async def wait(self, seconds: float) -> None:
        """What the tests call: virtual, and not named like the real thing."""
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_s + seconds, id(future), future))
        await future

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, stopping wherever somebody wakes."""
        end_s = self.now_s + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end_s:
            due_s, _, future = heapq.heappop(self._sleepers)
            self.now_s = max(self.now_s, due_s)
            if not future.done():
                future.set_result(None)
            await settle()
        self.now_s = end_s
        await settle()


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


class Door:
    """Nothing comes in here."""

    async def accept(
        self,
        batch: Sequence[messages.InboundMessage],
        *,
        channel: str | None = None,
        cursor: str | None = None,
    ) -> None:
        raise intake.NotStoredError("closed")

    async def receipts(self, batch: Sequence[messages.DeliveryReceipt]) -> None:
        raise intake.NotStoredError("closed")

    async def delay_over(self, sender: address.Address) -> bool:
        return False

    async def cursor(self, channel: str) -> str | None:
        return None


class Line:
    """A bridge whose `listen` does what the test says, and notes when it was started."""

    network = address.SMS
    addresses: Sequence[bridge.OwnAddress] = ()
    idempotent = True

    def __init__(self, clock: Clock, error: BaseException | None) -> None:
        self.channel = "sms"
        self.error = error
        self.runs_s = 0.0
        self.starts: list[float] = []
        self._clock = clock

    def reaches(self, recipient: address.Address) -> bool:
        return False

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return None

    async def listen(self, door: intake.Intake) -> None:
        self.starts.append(self._clock.now_s)
        if self.error is None:
            await asyncio.Event().wait()
            return
        if self.runs_s:
            await self._clock.wait(self.runs_s)
        raise self.error

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        return outcomes.Unknown(reason="test")

    async def close(self) -> None:
        return


class Feeling(Line):
    """A bridge that reports its health."""

    def __init__(self, clock: Clock, answer: Callable[[], bridge.Health] | None) -> None:
        super().__init__(clock, None)
        self._answer = answer

    async def health(self) -> bridge.Health:
        if self._answer is None:
            await asyncio.Event().wait()
        assert self._answer is not None
        return self._answer()


@asynccontextmanager
async def running(keeper: supervisor.Supervisor, clock: Clock) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(keeper.run())
    await settle()
    yield task
    task.cancel()
    await clock.pass_by(supervisor.GRACE_S)
    with pytest.raises(asyncio.CancelledError):
        await task


def gaps(starts: Sequence[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(starts)]


def part(health: object, *keys: str) -> object:
    for key in keys:
        assert isinstance(health, dict)
        health = health[key]
    return health
