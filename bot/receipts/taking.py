"""Delivery receipts and late prices -> outbox and ledger.

Receipts come twice, in any order, and before the send they speak of was recorded. So each is
judged by the state its reply is in now: a move that the lifecycle does not know changes nothing,
a price that was posted already posts nothing, and what comes too early is kept for a week and
tried again. Must not send anything, and never gives reserved money back: a provider may bill
for a failed message too, so a reservation stands until a price replaces it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot import ledger, outbox
from bot.contract import clock, intake, messages, money
from bot.policy import lifecycle, periods, settings
from bot.policy.lifecycle import State
from bot.receipts import retries
from bot.store import database, events, gather, ids, people, tables, vault

EARLY_KEPT_MS: Final = 7 * 86_400_000
# Most early receipts belong to other programs of the same account: bounded by channel, the
# oldest go.
EARLY_KEPT: Final = 20_000
SLICE: Final = 500
BATCH: Final = 128
# More than all replies that can be under way at once.
WAITING: Final = 2_048
_REASON_CHARACTERS: Final = 64

_e, _p, _r = tables.receipts, tables.persons, tables.replies

_BY_PROVIDER = (
    sa.select(_r)
    .where(_r.c.provider_id.in_(sa.bindparam("provider_ids", expanding=True)))
    .order_by(_r.c.id)
    # The same news may come to two processes at once.
    .with_for_update()
)
_EARLY_ID = (
    sa.select(_e.c.id)
    .join(_r, _r.c.id == _e.c.reply_id)
    .where(_r.c.state.not_in((State.HELD, State.SCHEDULED, State.SENDING)))
)
_EARLY_PROVIDER = sa.select(_e.c.id).join(
    _r, sa.and_(_r.c.provider_id == _e.c.provider_id, _r.c.channel == _e.c.channel)
)
_EARLY_ANY = sa.union(_EARLY_ID, _EARLY_PROVIDER).subquery()
_EARLY = (
    sa.select(_e)
    .where(_e.c.id.in_(sa.select(_EARLY_ANY.c.id)))
    .order_by(_e.c.id)
    .limit(sa.bindparam("limit"))
)
_EARLY_OLD = sa.delete(_e).where(_e.c.at_ms < sa.bindparam("old_ms"))
_OPT_OUT = (
    sa.update(_p)
    .where(_p.c.id == sa.bindparam("person"), _p.c.opted_out_ms.is_(None))
    .values(opted_out_ms=sa.bindparam("at_ms"))
)
_PRICED = (
    sa.update(_r)
    .where(_r.c.id == sa.bindparam("of"))
    .values(price_micros=sa.bindparam("price"), period=sa.bindparam("hour"))
)
_PARTS = sa.update(_r).where(_r.c.id == sa.bindparam("of")).values(parts=sa.bindparam("count"))

_TAKEN = (
    sa.update(_p)
    .where(_p.c.id == sa.bindparam("person"), _p.c.blocked_until_ms < sa.bindparam("until"))
    .values(blocked_until_ms=sa.bindparam("until"))
)
_GIVEN_BACK: Final = frozenset({State.CANCELLED, State.EXPIRED})

_WAITS: Final = frozenset({State.HELD, State.SCHEDULED, State.SENDING})
_TARGET: Final = {
    messages.Delivery.SENT: State.SENT,
    messages.Delivery.DELIVERED: State.DELIVERED,
    messages.Delivery.FAILED: State.FAILED,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A receipt with our own id read from its outside name."""

    receipt: messages.DeliveryReceipt
    reply_id: int | None


class Receipts:
    """Implements the receipts half of contract Intake."""

    def __init__(
        self,
        *,
        store: database.Store,
        core: settings.Core,
        keys: vault.Vault,
        moment: clock.Clock,
        ids: ids.Ids,
    ) -> None:
        """`moment` is the clock that postings and early receipts go by."""
        self._store = store
        self._core = core
        self._clock = moment
        self._ids = ids
        self._queue: gather.Queue[Sequence[messages.DeliveryReceipt]] = gather.Queue(
            self._write, batch=BATCH, name="receipts"
        )
        self._again = retries.Again(
            keys=keys, rules=core.reply, new_id=functools.partial(ids.take, "replies")
        )

    async def take(self, batch: Sequence[messages.DeliveryReceipt]) -> None:
        """As contract.intake.Intake.receipts; in a lane of their own, beside messages."""
        if self._store.inline:
            await self._write([batch])
            return
        await self._queue.put(batch, len(batch), WAITING)

    async def _write(self, parts: list[Sequence[messages.DeliveryReceipt]]) -> None:
        batch = [one for part in parts for one in part]
        now_ms = clock.to_ms(self._clock.now())
        try:
            await self._ids.top_up(self._store, database.TRIES * len(batch))
            await take(self._store, self._core, self._again, batch, now_ms)
        except database.StoreAwayError as error:
            raise intake.NotStoredError(str(error)) from error

    async def settle(self) -> int:
        """Try early receipts again; how many found their reply. Raises StoreAwayError."""
        now_ms = clock.to_ms(self._clock.now())
        return await self._store.write(
            functools.partial(settle_early, core=self._core, now_ms=now_ms)
        )


async def take(
    store: database.Store,
    core: settings.Core,
    again: retries.Again,
    batch: Sequence[messages.DeliveryReceipt],
    now_ms: int,
) -> None:
    """Book a batch in one transaction. Raises StoreAwayError: nothing of it was stored."""
    if not batch:
        return
    news = [
        News(
            receipt=receipt,
            reply_id=outbox.read_key(again.keys, receipt.reply_id) if receipt.reply_id else None,
        )
        for receipt in batch
    ]

    def work(tx: sa.Connection) -> None:
        early = book(tx, core, news, now_ms, again)
        if early:
            tx.execute(sa.insert(_e), [_early_row(one, now_ms) for one in early])
            _bound(tx, {one.receipt.channel for one in early})

    await store.write(work, together=True)


def settle_early(tx: sa.Connection, core: settings.Core, now_ms: int, limit: int = SLICE) -> int:
    """Book early receipts whose send is recorded by now; drop those kept for a week."""
    tx.execute(_EARLY_OLD, {"old_ms": now_ms - EARLY_KEPT_MS})
    rows = tx.execute(_EARLY, {"limit": limit}).mappings().all()
    if not rows:
        return 0
    tx.execute(sa.delete(_e).where(_e.c.id.in_([row["id"] for row in rows])))
    book(tx, core, [_from_row(row) for row in rows], now_ms)
    return len(rows)


def book(
    tx: sa.Connection,
    core: settings.Core,
    news: Sequence[News],
    now_ms: int,
    again: retries.Again | None = None,
) -> list[News]:
    """Book what can be booked; returns the receipts that came too early.

    Later attempts are made with `again` only: news that was kept knows nobody's address.
    """
    replies = _Replies(tx, news)
    early: list[News] = []
    prices: dict[int, money.Money] = {}
    counted: dict[str, int] = {}
    failed: list[tuple[Mapping[str, Any], messages.DeliveryReceipt]] = []
    _stop(tx, {one.receipt.channel for one in news if one.receipt.stop_channel}, now_ms)
    for one in news:
        receipt, row = one.receipt, replies.of(one)
        if row is None or row["state"] in _WAITS:
            early.append(one)
            continue
        name = receipt.delivery or "price"
        counted[f"receipt:{name}"] = counted.get(f"receipt:{name}", 0) + 1
        if receipt.delivery is not None and _deliver(tx, row, receipt, now_ms) is State.FAILED:
            failed.append((row, receipt))
        if receipt.opt_out:
            _opt_out(tx, row["person_id"], now_ms)
        if receipt.parts and receipt.parts > 0 and receipt.parts != row["parts"]:
            tx.execute(_PARTS, {"of": row["id"], "count": receipt.parts})
            row["parts"] = receipt.parts
        if receipt.price is not None:
            prices[row["id"]] = receipt.price
    events.count(tx, now_ms, counted)
    if again is not None:
        retries.grant(tx, again, failed, now_ms)
    _price(tx, core.budget, [(replies.by_id[i], p) for i, p in prices.items()], now_ms)
    # An outside name that is none of ours and no provider's id: it can never be matched.
    return [e for e in early if e.reply_id is not None or e.receipt.provider_id is not None]


class _Replies:
    """The rows that a batch of receipts speaks of, changed in memory as they move."""

    def __init__(self, tx: sa.Connection, news: Sequence[News]) -> None:
        ids = {one.reply_id for one in news if one.reply_id is not None}
        provider_ids = {
            one.receipt.provider_id for one in news if one.receipt.provider_id is not None
        }
        self.by_id = {i: dict(row) for i, row in outbox.load(tx, sorted(ids), held=True).items()}
        self._by_provider: dict[tuple[str, str], int] = {}
        if provider_ids:
            found = tx.execute(_BY_PROVIDER, {"provider_ids": sorted(provider_ids)})
            for row in found.mappings():
                self.by_id.setdefault(row["id"], dict(row))
                self._by_provider[row["channel"], row["provider_id"]] = row["id"]

    def of(self, one: News) -> dict[str, Any] | None:
        """The reply of a receipt; None if unknown yet, or if it is about another send of it."""
        receipt = one.receipt
        reply_id = one.reply_id
        if reply_id is None:
            reply_id = self._by_provider.get((receipt.channel, receipt.provider_id or ""))
        row = self.by_id.get(reply_id) if reply_id is not None else None
        if row is None or row["channel"] != receipt.channel:
            return None
        # One attempt was refused, the next went out: news of the first is none of the second.
        known, told = row["provider_id"], receipt.provider_id
        return None if known is not None and told is not None and known != told else row


def _deliver(
    tx: sa.Connection, row: dict[str, Any], receipt: messages.DeliveryReceipt, now_ms: int
) -> State | None:
    """Move the reply if the lifecycle allows it from where it is; else it is old news, None."""
    before, after = State(row["state"]), _TARGET[receipt.delivery or messages.Delivery.SENT]
    if after not in lifecycle.MOVES[before]:
        if before in _GIVEN_BACK and after is not State.FAILED and receipt.reply_id is not None:
            _came_after_all(tx, row)
        return None
    change: dict[str, Any] = {
        "id": row["id"],
        "address_enc": None,
        "text_enc": None,
        "lease_until_ms": None,
        "provider_id": row["provider_id"] or receipt.provider_id,
    }
    if after is State.FAILED:
        reason = messages.clean(receipt.reason or "failed")[:_REASON_CHARACTERS]
        change |= {"reason": reason, "person_id": row["person_id"], "window_ms": row["window_ms"]}
    else:
        change["sent_ms"] = row["sent_ms"] or clock.to_ms(receipt.at)
    # The window stays: the provider took the message and bills it, and a handset that always
    # fails must not be sent one paid reply after the other.
    outbox.move(tx, before, after, [change], gives_back=False)
    row |= change | {"state": after}
    if before is State.UNKNOWN:
        events.append(tx, now_ms, "settled", {"reply": row["id"], "state": after})
        # What was unknown is never sent again by itself, whatever seems worth it.
        return None
    return after


def _came_after_all(tx: sa.Connection, row: Mapping[str, Any]) -> None:
    """Refused by the network (a 429), dropped by us, and delivered all the same: his one reply."""
    person = people.survivor(tx, row["person_id"])
    tx.execute(_TAKEN, {"person": person, "until": row["window_ms"]})


def _stop(tx: sa.Connection, channels: set[str], now_ms: int) -> None:
    """The account is in trouble: it is fed nothing until a moderator resumes it."""
    known = events.controls(tx) if channels else {}
    for channel in sorted(channels):
        if f"stopped:{channel}" not in known:
            events.control(tx, now_ms, f"stopped:{channel}", "forever")
            events.append(tx, now_ms, "channel_stopped", {"channel": channel})


def _opt_out(tx: sa.Connection, person_id: int, now_ms: int) -> None:
    """The network says he wants no messages; a pending reply is cancelled when it falls due."""
    row = {"person": people.survivor(tx, person_id), "at_ms": now_ms}
    if tx.execute(_OPT_OUT, row).rowcount:
        events.append(tx, now_ms, "opt_outs", {"n": 1})


def _price(
    tx: sa.Connection,
    budget: settings.Budget,
    told: Sequence[tuple[Mapping[str, Any], money.Money]],
    now_ms: int,
) -> None:
    """Post each price once; a different one later posts the difference as a correction."""
    due: list[tuple[ledger.Reservation, money.Money]] = []
    for row, price in told:
        if price.micros < 0:
            # The bridge turns a provider's sign; a price below zero would make money.
            data = {"reply": row["id"], "channel": row["channel"]}
            events.append(tx, now_ms, "odd_price", data)
            continue
        amount = ledger.convert(budget, price)
        posted = row["price_micros"]
        if posted is not None and (amount is None or amount.micros == posted):
            continue
        one = ledger.Reservation(
            reply_id=row["id"],
            channel=row["channel"],
            country=row["country"],
            micros=(row["reserved_micros"] or 0) if posted is None else posted,
            parts=row["parts"] or 1,
            period=row["period"] or periods.hour(now_ms, budget.timezone),
        )
        due.append((one, price))
    if not due:
        return
    posted_micros = ledger.post(tx, due, budget, now_ms)
    rows = [
        {"of": one.reply_id, "price": micros, "hour": one.period}
        for (one, _), micros in zip(due, posted_micros, strict=True)
    ]
    tx.execute(_PRICED, rows)


def _bound(tx: sa.Connection, channels: set[str]) -> None:
    """Of each channel by itself: a flood on one must not push out what another waits for."""
    for channel in sorted(channels):
        ours = _e.c.channel == channel
        query = sa.select(_e.c.id).where(ours).order_by(_e.c.id.desc())
        last: int | None = tx.execute(query.offset(EARLY_KEPT - 1).limit(1)).scalar_one_or_none()
        if last is not None:
            tx.execute(sa.delete(_e).where(ours, _e.c.id < last))


def _early_row(one: News, now_ms: int) -> dict[str, Any]:
    receipt = one.receipt
    price = receipt.price
    data = {
        "at_ms": clock.to_ms(receipt.at),
        "delivery": receipt.delivery,
        "price": [price.micros, price.currency] if price else None,
        "parts": receipt.parts,
        "reason": receipt.reason,
        "opt_out": receipt.opt_out,
    }
    return {
        "at_ms": now_ms,
        "channel": receipt.channel,
        "provider_id": receipt.provider_id,
        "reply_id": one.reply_id,
        "data": json.dumps(data),
    }


def _from_row(row: sa.RowMapping) -> News:
    data: dict[str, Any] = json.loads(row["data"])
    receipt = messages.DeliveryReceipt(
        channel=row["channel"],
        at=clock.from_ms(data["at_ms"]),
        provider_id=row["provider_id"],
        # Ours was read before; the outside name only has to be there.
        reply_id=None if row["reply_id"] is None else str(row["reply_id"]),
        delivery=messages.Delivery(data["delivery"]) if data["delivery"] else None,
        price=money.Money(*data["price"]) if data["price"] else None,
        parts=data["parts"],
        reason=data["reason"],
        opt_out=data["opt_out"],
    )
    return News(receipt=receipt, reply_id=row["reply_id"])
