"""Stand-ins for what the core lends to a bridge, each with a ledger of what it saw."""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
from collections.abc import Sequence
from typing import Final

from bot.contract import address, intake, messages

NOON: Final = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
_TURNS: Final = 10


class FakeClock:
    """Virtual time: stands still until `advance` moves it and wakes whoever slept."""

    def __init__(self, start: dt.datetime = NOON) -> None:
        """`start` is aware; it is what `now` says until the first `advance`."""
        messages.aware(start, "start")
        self._start = start.astimezone(dt.UTC)
        self._passed_s = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> dt.datetime:
        """The virtual wall clock, in UTC."""
        return self._start + dt.timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        """Virtual seconds since the clock was made."""
        return self._passed_s

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody advances the clock this far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed_s + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let time pass: sleepers wake in order, each at its own moment."""
        until = self._passed_s + seconds
        await _let_run()
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, woken = heapq.heappop(self._sleepers)
            self._passed_s = max(self._passed_s, due)
            if not woken.done():  # a cancelled sleeper stays in the heap until its moment
                woken.set_result(None)
                await _let_run()
        self._passed_s = until


async def _let_run() -> None:
    """Give every ready task a few turns of the loop."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class FakeStorage:
    """The bridge's key-value store in memory; it outlives the bridge, as the real one does."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.values.get(key)

    async def put(self, key: str, value: str | None) -> None:
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value


class FakeIntake:
    """The door, with a ledger. `accepted` holds everything that was taken, repeats included."""

    def __init__(self) -> None:
        self.accepted: list[messages.InboundMessage] = []
        self.taken_receipts: list[messages.DeliveryReceipt] = []
        self.cursors: dict[str, str] = {}
        self.long_known: set[address.Address] = set()
        self.knocks = 0
        self.refused = 0
        self._refusals = 0
        self._open = asyncio.Event()
        self._open.set()

    @property
    def stored(self) -> dict[str, messages.InboundMessage]:
        """By provider_id, the first of each: what the core's table would hold."""
        return {message.provider_id: message for message in reversed(self.accepted)}

    def refuse(self, times: int) -> None:
        """Raise NotStoredError for the next `times` knocks, as with a full disk."""
        self._refusals = times

    def hold(self) -> None:
        """Let `accept` wait, as for a slow disk, until `release`."""
        self._open.clear()

    def release(self) -> None:
        """End `hold`."""
        self._open.set()

    async def accept(
        self,
        batch: Sequence[messages.InboundMessage],
        *,
        channel: str | None = None,
        cursor: str | None = None,
    ) -> None:
        """Take the messages and the cursor, or refuse both."""
        await self._pass()
        self.accepted.extend(batch)
        if channel is not None and cursor is not None:
            self.cursors[channel] = cursor

    async def receipts(self, batch: Sequence[messages.DeliveryReceipt]) -> None:
        """Take delivery receipts, or refuse them."""
        await self._pass()
        self.taken_receipts.extend(batch)

    async def cursor(self, channel: str) -> str | None:
        """The cursor stored last."""
        return self.cursors.get(channel)

    async def delay_over(self, sender: address.Address) -> bool:
        """Whether a test put him into `long_known`."""
        return sender in self.long_known

    async def _pass(self) -> None:
        self.knocks += 1
        await self._open.wait()
        if self._refusals > 0:
            self._refusals -= 1
            self.refused += 1
            raise intake.NotStoredError("the fake was told to refuse", retry_after_s=1)
