"""Unknown sends: ask the provider at growing intervals, and in the end count them as paid."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
import structlog

from bot import ledger, outbox
from bot.contract import bridge, clock, messages, money
from bot.janitor import questions, stuck
from bot.policy import settings
from bot.store import database, events, tables, vault

_log = structlog.get_logger(__name__)

PER_RUN: Final = 20
# So many are kept an eye on at once; further ones are asked about as these are settled or paid.
WATCHED: Final = 20_000
ASK_LIMIT_S: Final = 30.0
_FIRST_WAIT_MS: Final = 30_000
_GROWTH: Final = 3
_LONGEST_WAIT_MS: Final = 6 * 3_600_000

_r = tables.replies
# Spelt like the partial index: those that count as paid stay unknown, and may be many.
_OPEN: Final[sa.ColumnElement[bool]] = sa.literal_column(
    "state = 'unknown' AND price_micros IS NULL"
)
_UNPAID = (
    sa.select(_r).where(_OPEN, _r.c.started_ms <= sa.bindparam("before_ms")).limit(stuck.SLICE)
)
_STARTED = (
    sa.select(_r.c.id, _r.c.started_ms)
    .where(_OPEN, _r.c.channel.in_(sa.bindparam("able", expanding=True)))
    .order_by(_r.c.started_ms, _r.c.id)
    .limit(WATCHED)
)
_PAID = (
    sa.update(_r)
    .where(_r.c.id == sa.bindparam("of"))
    .values(price_micros=sa.bindparam("price"), address_enc=None, text_enc=None)
)

Take = Callable[[Sequence[messages.DeliveryReceipt]], Awaitable[None]]


def post_in_full(tx: sa.Connection, core: settings.Core, now_ms: int) -> dict[str, int]:
    """After `budget.unknown_after_s` an unknown send counts as sent and paid; it stays unknown.

    Nobody will be asked any more, so its address goes too. Moderators may still settle it.
    """
    budget = core.budget
    before_ms = now_ms - budget.unknown_after_s * 1000
    rows = tx.execute(_UNPAID, {"before_ms": before_ms}).mappings().all()
    if not rows:
        return {"unknown_posted": 0}
    held = [stuck.reservation(row) for row in rows]
    told = [(one, money.Money(one.micros, budget.currency)) for one in held]
    posted = ledger.post(tx, told, budget, now_ms)
    paid = zip(held, posted, strict=True)
    tx.execute(_PAID, [{"of": one.reply_id, "price": micros} for one, micros in paid])
    events.append(tx, now_ms, "unknown_posted", {"n": len(rows), "micros": sum(posted)})
    return {"unknown_posted": len(rows)}


class Asking:
    """Remembers when each unknown reply is asked about next; a restart asks all of them again."""

    def __init__(self, keys: vault.Vault, bridges: Mapping[str, bridge.Bridge], take: Take) -> None:
        """`take` books the receipts that providers answer with."""
        self._keys = keys
        self._bridges = bridges
        self._take = take
        self._next_ms: dict[int, int] = {}

    async def step(self, store: database.Store, now_ms: int) -> dict[str, int]:
        """Ask about at most PER_RUN replies; how many were asked about and settled."""
        due = await store.read(lambda tx: self._due(tx, now_ms))
        answers = await asyncio.gather(*(self.ask(row) for row in due))
        receipts = [one for one in answers if one is not None]
        if receipts:
            await self._take(receipts)
        for row in due:
            age_ms = max(now_ms - (row["started_ms"] or now_ms), _FIRST_WAIT_MS)
            wait_ms = min(age_ms * (_GROWTH - 1), _LONGEST_WAIT_MS)
            self._next_ms[row["id"]] = now_ms + wait_ms
        return {"asked": len(due), "settled": len(receipts)}

    def _due(self, tx: sa.Connection, now_ms: int) -> list[Mapping[str, Any]]:
        """Whole rows of those whose turn it is, who has waited longest first."""
        able = [n for n, b in self._bridges.items() if isinstance(b, bridge.FetchesStatus)]
        if not able:
            return []
        started = {i: ms or now_ms for i, ms in tx.execute(_STARTED, {"able": able})}
        self._next_ms = {i: at for i, at in self._next_ms.items() if i in started}
        turns = sorted((self._next_ms.get(i, ms + _FIRST_WAIT_MS), i) for i, ms in started.items())
        ids = [i for at, i in turns if at <= now_ms][:PER_RUN]
        rows = outbox.load(tx, ids)
        return [rows[i] for i in ids]

    async def ask(self, row: Mapping[str, Any]) -> messages.DeliveryReceipt | None:
        """What the channel's provider says of this reply; None if it says nothing."""
        way = self._bridges[row["channel"]]
        if not isinstance(way, bridge.FetchesStatus):
            return None
        sent = bridge.SentReply(
            reply_id=outbox.key(self._keys, row["id"]),
            provider_id=row["provider_id"],
            recipient=questions.recipient(self._keys, row),
            sent_at=clock.from_ms(row["started_ms"]),
        )
        answer = await questions.answer(way.fetch_status(sent), ASK_LIMIT_S)
        if isinstance(answer, messages.DeliveryReceipt):
            return answer
        if isinstance(answer, BaseException):
            error = type(answer).__name__
            _log.warning("ask_failed", channel=row["channel"], error=error)
        return None
