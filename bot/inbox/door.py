"""The core's side of `contract.intake`: micro-batches in, one durable transaction each.

What waits while one transaction commits is the next one's batch; an idle door adds no delay.
The queue is bounded: past it a bridge is told NotStored before memory grows.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from bot.contract import address, clock, intake, messages
from bot.inbox import fold, load, merge, save, state
from bot.store import database, events, people, tables

BATCH: Final = 256
QUEUE: Final = 4_096

_i, _p = tables.identities, tables.persons


@dataclasses.dataclass(slots=True)
class _Waiting:
    batch: Sequence[messages.InboundMessage]
    cursor: tuple[str, str] | None
    done: asyncio.Future[None]


def take_in(
    tx: sa.Connection,
    context: state.Context,
    batch: Sequence[messages.InboundMessage],
    now_ms: int,
) -> None:
    """The whole of intake in one transaction."""
    items = load.items(context, batch, now_ms)
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
        if rest and not done:
            merge.join(tx, load.known(tx, rest[:1]).owners(rest[0]), rest[0].at_ms)


class Inbox:
    """Implements the accepting half of contract Intake."""

    def __init__(self, store: database.Store, context: state.Context, moment: clock.Clock) -> None:
        """`moment` is the clock that stored_ms and counters go by."""
        self._store = store
        self._context = context
        self._clock = moment
        self._waiting: deque[_Waiting] = deque()
        self._messages = 0
        self._draining: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Messages that wait to be stored."""
        return self._messages

    async def accept(
        self,
        batch: Sequence[messages.InboundMessage],
        *,
        channel: str | None = None,
        cursor: str | None = None,
    ) -> None:
        """As contract.intake.Intake.accept."""
        kept = (channel, cursor) if channel is not None and cursor is not None else None
        if self._store.inline:
            await self._write([(batch, kept)])
            return
        if self._messages + len(batch) > QUEUE and self._waiting:
            raise intake.NotStoredError("too many messages wait to be stored", retry_after_s=2)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(batch, kept, done))
        self._messages += len(batch)
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain(), name="intake")
        await done

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

    async def _drain(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft()]
            size = len(taken[0].batch)
            while self._waiting and size + len(self._waiting[0].batch) <= BATCH:
                taken.append(self._waiting.popleft())
                size += len(taken[-1].batch)
            await self._settle(taken)
            self._messages -= size

    async def _settle(self, taken: list[_Waiting]) -> None:
        """Store together; if the batch itself is at fault, one by one, so that one fails alone."""
        outcome = await self._try(taken)
        away = isinstance(outcome, intake.NotStoredError) and not isinstance(
            outcome.__cause__, database.AgainstError
        )
        if outcome is not None and not away and len(taken) > 1:
            for one in taken:
                _tell([one], await self._try([one]))
            return
        _tell(taken, outcome)

    async def _try(self, taken: list[_Waiting]) -> BaseException | None:
        parts = [(one.batch, one.cursor) for one in taken]
        (outcome,) = await asyncio.gather(self._write(parts), return_exceptions=True)
        return outcome

    async def _write(
        self,
        parts: list[tuple[Sequence[messages.InboundMessage], tuple[str, str] | None]],
    ) -> None:
        now_ms = clock.to_ms(self._clock.now())
        batch = [message for messages_, _ in parts for message in messages_]

        def work(tx: sa.Connection) -> None:
            take_in(tx, self._context, batch, now_ms)
            for _, cursor in parts:
                if cursor is not None:
                    save.cursor(tx, *cursor)

        try:
            # A transaction that lost a race is run again with fresh ids.
            await self._context.ids.top_up(self._store, database.TRIES * len(batch))
            await self._store.write(work, together=True)
        except database.StoreAwayError as error:
            raise intake.NotStoredError(str(error)) from error


def _tell(taken: list[_Waiting], outcome: BaseException | None) -> None:
    for one in taken:
        if one.done.done():
            continue
        if outcome is None:
            one.done.set_result(None)
        else:
            one.done.set_exception(outcome)
