"""The core's side of `contract.intake`: micro-batches in, one durable transaction each.

What waits while one transaction commits is the next one's batch; an idle door adds no delay.
The queue is bounded: past it a bridge is told NotStored before memory grows, and before that
whoever brings what is worth least (`heard`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from bot.contract import address, clock, intake, messages
from bot.inbox import fold, heard, load, merge, save, state
from bot.store import database, events, gather, people, tables

BATCH: Final = 256
QUEUE: Final = 4_096
ALONE: Final = 896
"""Past so many that wait, a message that comes by itself (a webhook's) is turned away.

Fewer than the connections that the web floor holds (`web.guard.Limits`): receipts, health and
pages find one however many messages wait for the disk.
"""
REPEATS: Final = 640
"""Past so many, those that are worth least (`heard`); two batches, so that a burst is no raid."""

_Part = tuple[list[state.Item], tuple[str, str] | None]

_i, _p = tables.identities, tables.persons


def take_in(
    tx: sa.Connection,
    context: state.Context,
    batch: Sequence[messages.InboundMessage],
    now_ms: int,
) -> list[state.Item]:
    """The whole of intake in one transaction; gives what was there, seen before or not."""
    return keep(tx, context, load.items(context, batch, now_ms), now_ms)


def keep(
    tx: sa.Connection, context: state.Context, items: list[state.Item], now_ms: int
) -> list[state.Item]:
    """The same for what was read before; in its order (`load.ordered`)."""
    fresh = load.unseen(tx, items)
    duplicates = len(items) - len(fresh)
    if duplicates:
        events.count(tx, now_ms, {"duplicates": duplicates})
    save.seen(tx, fresh, now_ms)

    rest = fresh
    while rest:
        known = load.known(tx, rest)
        written, done = fold.fold(context, rest, known, context.ids.take)
        save.folded(tx, context, known, written, now_ms)
        rest = rest[done:]
        if rest:
            # Where it ended early, the next message joins persons.
            merge.join(tx, load.known(tx, rest[:1]).owners(rest[0]), rest[0].at_ms)
    return items


class Inbox:
    """Implements the accepting half of contract Intake."""

    def __init__(self, store: database.Store, context: state.Context, moment: clock.Clock) -> None:
        """`moment` is the clock that stored_ms and counters go by."""
        self._store = store
        self._context = context
        self._clock = moment
        self._heard = heard.Heard()
        self._queue: gather.Queue[_Part] = gather.Queue(self._write, batch=BATCH, name="intake")

    @property
    def waiting(self) -> int:
        """Messages that wait to be stored."""
        return self._queue.size

    async def accept(
        self,
        batch: Sequence[messages.InboundMessage],
        *,
        channel: str | None = None,
        cursor: str | None = None,
    ) -> None:
        """As contract.intake.Intake.accept."""
        kept = (channel, cursor) if channel is not None and cursor is not None else None
        by_itself = len(batch) == 1 and kept is None
        most = min(ALONE, QUEUE) if by_itself else QUEUE
        if not self._store.inline:
            # Before anything is done for it.
            self._queue.admit(len(batch), most)
        # Here and not in the transaction: while the last one goes to the disk there is time.
        part = (load.items(self._context, batch, clock.to_ms(self._clock.now())), kept)
        if self._store.inline:
            await self._write([part])
            return
        crowded = by_itself and self._queue.size >= REPEATS
        if crowded and self._heard.is_repeat(part[0][0]):
            most = min(REPEATS, QUEUE)
        await self._queue.put(part, len(batch), most)

    async def cursor(self, channel: str) -> str | None:
        """As contract.intake.Intake.cursor."""
        table = tables.cursors
        query = sa.select(table.c.cursor).where(table.c.channel == channel)

        def work(tx: sa.Connection) -> str | None:
            value: str | None = tx.execute(query).scalar_one_or_none()
            return value

        try:
            return await self._store.read(work)
        except database.StoreAwayError as error:
            raise intake.NotStoredError(str(error)) from None

    async def delay_over(self, sender: address.Address) -> bool:
        """As contract.intake.Intake.delay_over."""
        hashes = self._context.keys.hash_address(sender.network, sender.value)
        delay_ms = self._context.core.reply.delay_max_s * 1000
        before_ms = clock.to_ms(self._clock.now()) - delay_ms
        known = sa.select(_i.c.person_id).where(_i.c.hash.in_(hashes))

        def work(tx: sa.Connection) -> bool:
            found = [people.survivor(tx, one) for one in tx.execute(known).scalars()]
            first = sa.select(sa.func.min(_p.c.created_ms)).where(_p.c.id.in_(found))
            created: int | None = tx.execute(first).scalar_one_or_none()
            return created is not None and created <= before_ms

        try:
            return await self._store.read(work)
        except database.StoreAwayError as error:
            raise intake.NotStoredError(str(error)) from None

    async def _write(self, parts: Sequence[_Part]) -> None:
        now_ms = clock.to_ms(self._clock.now())
        batch = load.ordered([item for items, _ in parts for item in items])

        def work(tx: sa.Connection) -> list[state.Item]:
            taken = keep(tx, self._context, batch, now_ms)
            for _, cursor in parts:
                if cursor is not None:
                    save.cursor(tx, *cursor)
            return taken

        try:
            # A transaction that lost a race is run again with fresh ids.
            await self._context.ids.top_up(self._store, database.TRIES * len(batch))
            stored = await self._store.write(work, together=True)
        except database.StoreAwayError as error:
            raise intake.NotStoredError(str(error)) from error
        for item in stored:
            self._heard.note(item.hashes[0][0])
