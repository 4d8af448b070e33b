"""What is left to do once a reply is out: ask for prices told late, remove it at the provider.

A provider may tell the price of a message only a day later, and nobody calls back for it. And
where the operator wants it, the provider forgets the message once its price is known. What somebody
forgotten since was sent (`people.NOBODY`) is kept for these two alone, and deleted when they are
done. Looks the replies through page by page, so that none needs an index of its own. Must not send,
and must not ask about unknown sends: that is `unsure`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
import structlog

from bot.contract import bridge, messages
from bot.janitor import questions
from bot.policy.lifecycle import State
from bot.store import database, people, tables

_log = structlog.get_logger(__name__)

PAGE: Final = 5_000
_NO_END: Final = (1 << 63) - 1
ASKED: Final = 100
DELETED: Final = 40
DELETE_LIMIT_S: Final = 30.0
FIRST_WAIT_MS: Final = 120_000
GROWTH: Final = 3
LONGEST_WAIT_MS: Final = 6 * 3_600_000
# A price that did not come in three days does not come: the reservation goes on standing for it.
GIVEN_UP_MS: Final = 3 * 86_400_000
# What a provider did not remove in so long after somebody was forgotten, it does not remove.
NOBODYS_KEPT_MS: Final = 30 * 86_400_000
# One that stays `sent` gets no receipt any more.
STAYS_SENT_MS: Final = 2 * 86_400_000

_r = tables.replies
_ENDED: Final = frozenset({State.DELIVERED, State.FAILED})
_LAST = sa.select(_r.c.id).where(_r.c.id > sa.bindparam("after")).order_by(_r.c.id)
_LAST = _LAST.offset(PAGE - 1).limit(1)
_OUT = sa.select(_r).where(
    _r.c.id > sa.bindparam("after"),
    _r.c.id <= sa.bindparam("last"),
    _r.c.provider_id.is_not(None),
    _r.c.state.in_((State.SENT, State.DELIVERED, State.FAILED)),
    sa.or_(
        sa.and_(_r.c.price_micros.is_(None), _r.c.reserved_micros > 0),
        _r.c.channel.in_(sa.bindparam("forgetting", expanding=True)),
        _r.c.person_id == people.NOBODY,
    ),
)
_OUT = _OUT.order_by(_r.c.id)
_FORGET = (
    sa.update(_r)
    .where(_r.c.id == sa.bindparam("of"), _r.c.provider_id == sa.bindparam("was"))
    .values(provider_id=None)
)
# Whose it is, is asked again: somebody may have been forgotten since the page was read.
_DROP = sa.delete(_r).where(_r.c.id == sa.bindparam("of"), _r.c.person_id == people.NOBODY)

Row = Mapping[str, Any]
Ask = Callable[[Row], Awaitable[messages.DeliveryReceipt | None]]
Take = Callable[[Sequence[messages.DeliveryReceipt]], Awaitable[None]]


class Afterwards:
    """Remembers how far it looked and who is asked about when; a restart begins anew."""

    def __init__(self, bridges: Mapping[str, bridge.Bridge], ask: Ask, take: Take) -> None:
        """`ask` asks a provider about one reply, `take` books what it answers."""
        self._bridges = bridges
        self._ask = ask
        self._take = take
        self._after = 0
        self._next_ms: dict[int, int] = {}

    async def step(self, store: database.Store, now_ms: int) -> dict[str, int]:
        """One page: how many prices were asked for, how many messages removed."""
        out = {"prices_asked": 0, "deleted": 0}
        page, last = await store.read(self._page)
        over = {row["id"]: row for row in page if self._is_dropped(row, now_ms)}
        await self._drop(store, list(over.values()))
        page = [row for row in page if row["id"] not in over]
        unpriced = [row for row in page if self._is_unpriced(row, now_ms)]
        done = [row for row in page if self._is_deletable(row, now_ms)]
        left = [*unpriced[ASKED:], *done[DELETED:]]
        out["prices_asked"] = await self._price(unpriced[:ASKED], now_ms)
        out["deleted"] = await self._delete(store, done[:DELETED])
        if left:
            self._after = min(row["id"] for row in left) - 1
        else:
            self._after = last or 0
        self._next_ms = {i: at for i, at in self._next_ms.items() if at > now_ms - LONGEST_WAIT_MS}
        return out

    def _page(self, tx: sa.Connection) -> tuple[list[Row], int | None]:
        """What may have something left to do, and where the page ends (None: at the end)."""
        last: int | None = tx.execute(_LAST, {"after": self._after}).scalar_one_or_none()
        forgetting = [
            name for name, way in self._bridges.items() if isinstance(way, bridge.DeletesAtProvider)
        ]
        bounds = {"after": self._after, "last": last or _NO_END, "forgetting": forgetting}
        return [dict(row) for row in tx.execute(_OUT, bounds).mappings()], last

    def _is_unpriced(self, row: Row, now_ms: int) -> bool:
        """Out, paid for, and its price not told yet; its turn to be asked about."""
        started_ms = row["started_ms"] or now_ms
        due_ms = self._next_ms.get(row["id"], started_ms + FIRST_WAIT_MS)
        return due_ms <= now_ms and self._awaits_price(row, now_ms)

    def _is_dropped(self, row: Row, now_ms: int) -> bool:
        """What is nobody's, and has nothing left to do, or waited for it for long enough."""
        if row["person_id"] != people.NOBODY:
            return False
        if now_ms - row["first_ms"] >= NOBODYS_KEPT_MS:
            return True
        way = self._bridges.get(row["channel"])
        # A channel that was taken out may come back.
        forgets = way is None or isinstance(way, bridge.DeletesAtProvider)
        return not forgets and not self._awaits_price(row, now_ms)

    def _awaits_price(self, row: Row, now_ms: int) -> bool:
        return (
            row["price_micros"] is None
            and bool(row["reserved_micros"])
            and now_ms - (row["started_ms"] or now_ms) < GIVEN_UP_MS
            and isinstance(self._bridges.get(row["channel"]), bridge.FetchesStatus)
        )

    def _is_deletable(self, row: Row, now_ms: int) -> bool:
        nobodys = row["person_id"] == people.NOBODY
        if row["price_micros"] is None and (not nobodys or self._awaits_price(row, now_ms)):
            return False
        stays = row["state"] == State.SENT and now_ms - (row["sent_ms"] or now_ms) >= STAYS_SENT_MS
        ended = row["state"] in _ENDED or stays
        return ended and isinstance(self._bridges.get(row["channel"]), bridge.DeletesAtProvider)

    async def _price(self, rows: Sequence[Row], now_ms: int) -> int:
        answers = await asyncio.gather(*(self._ask(row) for row in rows))
        receipts = [one for one in answers if one is not None]
        if receipts:
            await self._take(receipts)
        for row in rows:
            age_ms = max(now_ms - (row["started_ms"] or now_ms), FIRST_WAIT_MS)
            self._next_ms[row["id"]] = now_ms + min(age_ms * (GROWTH - 1), LONGEST_WAIT_MS)
        return len(rows)

    async def _delete(self, store: database.Store, rows: Sequence[Row]) -> int:
        """What is gone there loses its provider's id here: nothing leads to it any more."""
        gone = [row for row in rows if await self._is_gone(row)]
        if gone:
            told = [{"of": row["id"], "was": row["provider_id"]} for row in gone]
            await store.write(lambda tx: tx.execute(_FORGET, told).rowcount)
            await self._drop(store, gone)
        return len(gone)

    @staticmethod
    async def _drop(store: database.Store, rows: Sequence[Row]) -> None:
        if rows:
            told = [{"of": row["id"]} for row in rows]
            await store.write(lambda tx: tx.execute(_DROP, told).rowcount)

    async def _is_gone(self, row: Row) -> bool:
        way = self._bridges[row["channel"]]
        if not isinstance(way, bridge.DeletesAtProvider):
            return False
        answer = await questions.answer(way.delete(row["provider_id"]), DELETE_LIMIT_S)
        if isinstance(answer, BaseException):
            _log.warning("delete_failed", channel=row["channel"], error=type(answer).__name__)
        return answer is True
