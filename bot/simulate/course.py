"""The course of a simulation: the rooms, the outside world and the clock, event after event.

Messages go in as virtual batches that never cross a due event or an hour's turn: what the
dispatcher and the janitor see is what they would have seen had each message come alone. Must not
decide anything.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bot import build, janitor, outbox
from bot.contract import bridge, messages
from bot.flood import look
from bot.inbox import door
from bot.policy import periods
from bot.simulate import clock, world

Progress = Callable[[int, int], None]

_HOUR_MS: Final = 3_600_000


def _idempotent(_channel: str) -> bool:
    """The world knows every reply by its id; a send that was cut short may be made again."""
    return True


class Course:
    """One run. `first_ms`, `written`: when each sender wrote first, and how many messages."""

    def __init__(
        self,
        rooms: build.Rooms,
        seen: Sequence[world.Seen],
        moment: clock.VirtualClock,
        progress: Progress | None,
    ) -> None:
        """`rooms` stand on `moment`; what their bridges send is in `seen`."""
        self._rooms = rooms
        self._seen = seen
        self._clock = moment
        self._progress = progress
        self._batch: list[messages.InboundMessage] = []
        self._handed_in = 0
        # No reply is due before this; the true next due time is asked when it is reached.
        self._due_ms: int | None = None
        self._tick_ms = self._next_tick()
        self._look_ms = self._clock.now_ms + look.EVERY_S * 1000
        self.first_ms: dict[str, int] = {}
        self.written: collections.Counter[str] = collections.Counter()

    async def play(
        self, inbound: Iterable[tuple[int, messages.InboundMessage]], count: int
    ) -> None:
        """All `count` messages, each at its own time."""
        first_ms, written = self.first_ms, self.written
        delay_ms = self._rooms.core.reply.delay_min_s * 1000
        limit_ms = last_ms = 0
        for at_ms, message in inbound:
            if self._batch and (at_ms >= limit_ms or len(self._batch) == door.BATCH):
                await self._hand_in(last_ms, count)
            if not self._batch:
                await self._catch_up(at_ms)
                limit_ms = min(self._next_ms(), at_ms + delay_ms)
            self._batch.append(message)
            last_ms = at_ms
            sender = message.sender.value
            first_ms.setdefault(sender, at_ms)
            written[sender] += 1
        if self._batch:
            await self._hand_in(last_ms, count)

    async def finish(self, until_ms: int) -> None:
        """Go on after the last message until no reply waits any more, `until_ms` at the latest."""
        while self._next_ms() <= until_ms:
            if not await self._rooms.store.read(outbox.goes_on):
                return
            await self._catch_up(self._next_ms())

    async def states(self) -> dict[str, int]:
        """How many replies are in each state now."""
        return await self._rooms.store.read(outbox.counts)

    def _next_ms(self) -> int:
        soonest = min(self._tick_ms, self._look_ms)
        return soonest if self._due_ms is None else min(soonest, self._due_ms)

    async def _hand_in(self, last_ms: int, count: int) -> None:
        first_ms = int(self._batch[0].received_at.timestamp() * 1000)
        self._clock.move_to(last_ms)
        await self._rooms.intake.accept(self._batch)
        soonest_ms = first_ms + self._rooms.core.reply.delay_min_s * 1000
        self._due_ms = soonest_ms if self._due_ms is None else min(self._due_ms, soonest_ms)
        self._handed_in += len(self._batch)
        self._batch = []
        if self._progress is not None:
            self._progress(self._handed_in, count)

    async def _catch_up(self, until_ms: int) -> None:
        """Let everything happen that is due by then."""
        while (next_ms := self._next_ms()) <= until_ms:
            self._clock.move_to(max(next_ms, self._clock.now_ms))
            if next_ms == self._tick_ms:
                await self._tidy()
                self._tick_ms = self._next_tick()
            if next_ms == self._look_ms:
                await self._rooms.flood.look()
                self._look_ms += look.EVERY_S * 1000
                await self._ask_around()
            await self._dispatch()
        self._clock.move_to(max(until_ms, self._clock.now_ms))

    async def _tidy(self) -> None:
        """The janitor's round, and again while it lets go of what was held for money.

        In life it comes by four times a minute: each time there is room for fewer, soon for none.
        """
        rooms, sent = self._rooms, -1
        # Only while it helps: what is let go and finds no money after all would go round for ever.
        while sent < len(self._seen):
            sent = len(self._seen)
            told = await janitor.tidy(rooms.store, rooms.core, _idempotent, self._clock.now_ms)
            if not told["released"]:
                return
            await self._dispatch()

    async def _ask_around(self) -> None:
        """Second opinions, as often as the janitor asks for them between two looks."""
        rooms = self._rooms
        if any(isinstance(b, bridge.GivesSecondOpinions) for b in rooms.bridges.values()):
            # Not by the janitor's own step, which would log every round of a made-up week.
            (chore,) = (one for one in rooms.janitor.chores if one.name == "opinions")
            for _ in range(look.EVERY_S // janitor.OPINIONS_EVERY_S):
                await chore.step(self._clock.now_ms)

    async def _dispatch(self) -> None:
        """Until nothing is due, then learn when something will be."""
        while True:
            self._due_ms = await self._rooms.store.read(outbox.next_due)
            if self._due_ms is None or self._due_ms > self._clock.now_ms:
                return
            await self._rooms.dispatcher.step()

    def _next_tick(self) -> int:
        """The next full hour, or the next calendar day of the budget: caps begin anew then."""
        now_ms, zone = self._clock.now_ms, self._rooms.core.budget.timezone
        morning_ms = periods.day_start_ms(periods.next_day(periods.day(now_ms, zone)), zone)
        return min(periods.hour_ms(now_ms) + _HOUR_MS, morning_ms)
