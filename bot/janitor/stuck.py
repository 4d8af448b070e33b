"""Replies that would stay where they are: ended leases, past dates, money that came back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from bot import ledger, outbox
from bot.contract import money
from bot.policy import decision, overrides, settings
from bot.policy.decision import Reason
from bot.policy.lifecycle import State
from bot.store import events, tables

SLICE: Final = 1_000

_r, _p = tables.replies, tables.persons


def _in(state: State) -> sa.ColumnElement[bool]:
    """A literal, so that the partial index is used."""
    return sa.literal_column("replies.state") == sa.literal_column(f"'{state}'")


_ENDED = (
    sa.select(
        _r.c.id,
        _r.c.channel,
        _r.c.attempts,
        _r.c.first_ms,
        _p.c.opted_out_ms,
        _p.c.blocked_ms,
        _p.c.merged_into,
    )
    .join(_p, _p.c.id == _r.c.person_id)
    .where(_in(State.SENDING), _r.c.lease_until_ms < sa.bindparam("now_ms"))
    .limit(SLICE)
)
_PAST = {
    state: sa.select(_r.c.id, _r.c.person_id, _r.c.window_ms)
    .where(_in(state), _r.c.first_ms <= sa.bindparam("first_ms"))
    # Nothing expires before it is due, which keeps the index's range short.
    .where(_r.c.due_ms <= sa.bindparam("now_ms"))
    .limit(SLICE)
    for state in (State.HELD, State.SCHEDULED)
}
# Spelt like the partial index, which gives the oldest of each channel and country.
_WAITS: Final[sa.ColumnElement[bool]] = sa.literal_column(
    "state = 'held' AND reason IN ('money', 'quota')"
)
_of_channel = _r.c.channel == sa.bindparam("channel")
_CHANNEL_AFTER = sa.select(sa.func.min(_r.c.channel)).where(
    _WAITS, _r.c.channel > sa.bindparam("after")
)
_COUNTRY_AFTER = sa.select(sa.func.min(_r.c.country)).where(
    _WAITS, _of_channel, _r.c.country > sa.bindparam("after")
)
_for_room = (
    sa.select(_r.c.id, _r.c.channel, _r.c.country, _r.c.reason, _r.c.quoted_micros, _r.c.first_ms)
    .where(_WAITS, _of_channel)
    .order_by(_r.c.first_ms, _r.c.id)
    .limit(sa.bindparam("limit"))
)
_FOR_ROOM = _for_room.where(_r.c.country == sa.bindparam("country"))
_FOR_ROOM_NOWHERE = _for_room.where(_r.c.country.is_(None))


def leases(
    tx: sa.Connection, core: settings.Core, idempotent: Callable[[str], bool], now_ms: int
) -> dict[str, int]:
    """Sends that nobody finished are unknown, but for those that the dispatcher makes again."""
    rows = tx.execute(_ENDED, {"now_ms": now_ms}).mappings().all()
    unsure = [
        row["id"]
        for row in rows
        if not decision.send_again(
            idempotent=idempotent(row["channel"]),
            attempts=row["attempts"],
            unwanted=any(row[n] is not None for n in ("opted_out_ms", "blocked_ms", "merged_into")),
            expired=now_ms >= decision.expires_ms(row["first_ms"], core.reply),
        )
    ]
    outbox.move(
        tx,
        State.SENDING,
        State.UNKNOWN,
        [{"id": i, "reason": "lease_ended", "lease_until_ms": None} for i in unsure],
    )
    if unsure:
        events.append(tx, now_ms, "unknown_sends", {"n": len(unsure)})
    return {"leases_unknown": len(unsure)}


def reservation(row: sa.RowMapping) -> ledger.Reservation:
    """What a reply that was claimed holds, from its row."""
    return ledger.Reservation(
        reply_id=row["id"],
        channel=row["channel"],
        country=row["country"],
        micros=row["reserved_micros"] or 0,
        parts=row["parts"] or 1,
        period=row["period"],
    )


def expire(tx: sa.Connection, core: settings.Core, now_ms: int) -> dict[str, int]:
    """Replies of no use any more, held or never fetched (a pause of days); windows go back.

    Those written by hand too: one that waits for next month's quota would keep the address till
    then, and come when nobody remembers what it answers.
    """
    first_ms = now_ms - core.reply.expires_after_s * 1000
    count = 0
    for state, query in _PAST.items():
        rows = [
            {
                "id": reply_id,
                "person_id": person_id,
                "window_ms": window_ms,
                "reason": Reason.EXPIRED,
                "address_enc": None,
                "text_enc": None,
            }
            for reply_id, person_id, window_ms in tx.execute(
                query, {"first_ms": first_ms, "now_ms": now_ms}
            )
        ]
        outbox.move(tx, state, State.EXPIRED, rows)
        count += len(rows)
    if count:
        events.append(tx, now_ms, "expired", {"n": count})
    return {"expired": count}


def release(tx: sa.Connection, core: settings.Core, now_ms: int) -> dict[str, int]:
    """What was held for money or a quota is due again when there is room, the oldest first.

    Only as many as surely fit, so that they are not held again a second later; the dispatcher
    reserves for each all the same.
    """
    rows = _for_room_now(tx)
    if not rows:
        return {"released": 0}
    budget = overrides.budget(core.budget, events.controls(tx))
    wanted = [_guess(row, budget) for row in rows]
    fit = _fitting(tx, wanted, budget, now_ms)
    if core.reply.route != settings.ROUTE_SAME:
        # Held by its last way: a quota that is free again may take it for nothing.
        for channel in sorted(budget.quotas):
            rest = [_free_by(channel, one) for one in wanted if one.reply_id not in fit]
            if _is_bounded(budget.quotas[channel]):
                fit |= _fitting(tx, rest, budget, now_ms)
    moved = [
        {"id": one.reply_id, "due_ms": now_ms, "reason": Reason.FIRST_CONTACT}
        for one in wanted
        if one.reply_id in fit
    ]
    outbox.move(tx, State.HELD, State.SCHEDULED, moved)
    if moved:
        events.append(tx, now_ms, "released", {"n": len(moved)})
    return {"released": len(moved)}


def _fitting(
    tx: sa.Connection, wanted: Sequence[ledger.Request], budget: settings.Budget, now_ms: int
) -> set[int]:
    answers = ledger.fits(tx, wanted, budget, now_ms)
    return {one.reply_id for one, no in zip(wanted, answers, strict=True) if no is None}


def _free_by(channel: str, one: ledger.Request) -> ledger.Request:
    nothing = money.Money(0, one.amount.original.currency)
    amount = ledger.Amount(micros=0, original=nothing, rate_micros=money.MICROS)
    return dataclasses.replace(one, channel=channel, amount=amount)


def _is_bounded(quota: settings.Quota) -> bool:
    """Without a bound everything would fit, and be held again a second later."""
    bounds = (quota.parts_per_hour, quota.parts_per_day, quota.recipients_per_month)
    return any(bound is not None for bound in (*bounds, quota.sent_per_received))


def _for_room_now(tx: sa.Connection) -> list[sa.RowMapping]:
    """The oldest of all, no more of a channel and country than its share.

    Else the many of an exhausted one would hide those behind them, which have room.
    """
    places = list(_places(tx))
    if not places:
        return []
    share = SLICE // len(places) or 1
    found = {place: _oldest(tx, *place, share) for place in places}
    full = [place for place in places if len(found[place]) == share]
    spare = SLICE - sum(map(len, found.values()))
    if full and spare >= len(full):
        found |= {place: _oldest(tx, *place, share + spare // len(full)) for place in full}
    rows = [row for group in found.values() for row in group]
    return sorted(rows, key=lambda row: (row["first_ms"], row["id"]))


def _places(tx: sa.Connection) -> Iterator[tuple[str, str | None]]:
    """Channels and countries in which anybody waits for room, by steps through the index."""
    channel = ""
    while channel := tx.execute(_CHANNEL_AFTER, {"after": channel}).scalar_one():
        if _oldest(tx, channel, None, 1):
            yield channel, None
        country = ""
        step = {"channel": channel}
        while country := tx.execute(_COUNTRY_AFTER, {**step, "after": country}).scalar_one():
            yield channel, country


def _oldest(
    tx: sa.Connection, channel: str, country: str | None, limit: int
) -> Sequence[sa.RowMapping]:
    query = _FOR_ROOM_NOWHERE if country is None else _FOR_ROOM
    named = {} if country is None else {"country": country}
    return tx.execute(query, {**named, "channel": channel, "limit": limit}).mappings().all()


def _guess(row: sa.RowMapping, budget: settings.Budget) -> ledger.Request:
    """What it was quoted when it was held. Else the most: the ceiling, or a whole cap below it.

    Nothing paid is ever guessed to be free, or a cap of nothing would let it go and hold it again
    for ever. What waits for a quota alone and was never quoted may be free.
    """
    micros = row["quoted_micros"]
    if micros is None and row["reason"] == Reason.MONEY:
        caps = (budget.cap_day_micros, budget.cap_month_micros)
        known = [cap for cap in caps if cap is not None]
        micros = max(1, min([budget.price_ceiling_micros, *known]))
    micros = micros or 0
    return ledger.Request(
        reply_id=row["id"],
        channel=row["channel"],
        country=row["country"],
        amount=ledger.Amount(
            micros=micros,
            original=money.Money(micros, budget.currency),
            rate_micros=money.MICROS,
        ),
        parts=1,
    )
