"""Figures that may be told to the press: whole days, at least a day old, in tens, none under ten.

Told this way nobody can find out by writing himself whether somebody else wrote (C40). Who writes
is called a sender, never a harasser: some were wrong numbers or fakes. How many of them asked to
be left alone stands beside how many were answered.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from bot import ledger
from bot.console import funds
from bot.contract import money
from bot.policy import periods, settings
from bot.store import tables

TENS: Final = 10
_DAY_MS: Final = 86_400_000
_COUNTED: Final = {"messages": "messages", "sent": "replies", "rejected": "refused"}
_c, _p, _in, _m = tables.counters, tables.persons, tables.inbound, tables.postings


class TooYoungError(Exception):
    """These days may not be told yet; the message says which may."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One calendar day; None: fewer than ten, also for none."""

    day: str
    messages: int | None
    replies: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts and whole units of money in tens, None for fewer than ten.

    `senders` is known only while the facts of messages are kept: `senders_known` says whether.
    `complaints`: senders who asked for no more (STOP), `complaints_percent` of the replies;
    `complaints_below`: with fewer than ten of them, the per cent that the rate is below.
    """

    first: str
    last: str
    timezone: str
    currency: str
    messages: int | None
    senders: int | None
    senders_known: bool
    replies: int | None
    refused: int | None
    complaints: int | None
    complaints_percent: float | None
    complaints_below: float | None
    spent: int | None
    received_cost: int | None
    donated: int | None
    way_of_2017: int | None
    days: tuple[Day, ...]


def youngest(now_ms: int, budget: settings.Budget) -> str:
    """The last day that may be told: it ended a whole day ago or earlier."""
    return _before(periods.day(now_ms - _DAY_MS, budget.timezone))


def tens(n: int) -> int | None:
    """Rounded to the nearest ten; None under ten."""
    return None if n < TENS else (n + TENS // 2) // TENS * TENS


def look(
    tx: sa.Connection, core: settings.Core, *, first: str | None, last: str | None, now_ms: int
) -> Figures:
    """From `first` to `last`, both days included; without them the 30 newest that may be told.

    Raises TooYoungError if they may not, or are none.
    """
    budget, limit = core.budget, youngest(now_ms, core.budget)
    last = last or limit
    first = first or _before(last, 29)
    if last > limit:
        raise TooYoungError(f"figures are told when they are a day old: --to {limit} at the latest")
    if first > last:
        raise TooYoungError(f"--from {first} is after --to {last}")
    from_ms = periods.day_start_ms(first, budget.timezone)
    until_ms = periods.day_start_ms(periods.next_day(last), budget.timezone)
    by_day = _by_day(tx, budget, from_ms, until_ms)
    total = {name: sum(one.get(name, 0) for one in by_day.values()) for name in _COUNTED.values()}
    kept_ms = core.retention.inbound_days * _DAY_MS
    known = from_ms >= now_ms - kept_ms
    complaints = _complaints(tx, from_ms, until_ms)
    money_of = _money(tx, from_ms, until_ms)
    replies, messages = tens(total["replies"]), tens(total["messages"])
    return Figures(
        first=first,
        last=last,
        timezone=str(budget.timezone),
        currency=budget.currency,
        messages=messages,
        senders=tens(_senders(tx, from_ms, until_ms)) if known else None,
        senders_known=known,
        replies=replies,
        refused=tens(total["refused"]),
        complaints=tens(complaints),
        complaints_percent=_percent(tens(complaints), replies),
        complaints_below=_percent(TENS, replies) if complaints < TENS else None,
        spent=_units(money_of.get(ledger.REPLIES, 0)),
        received_cost=_units(money_of.get(ledger.INBOUND, 0)),
        donated=_units(-money_of.get(ledger.DONATIONS, 0)),
        way_of_2017=_units((messages or 0) * funds.PARTS_2017 * funds.part_micros(tx)),
        days=_days(by_day, first, last),
    )


def _before(day: str, days: int = 1) -> str:
    return (dt.date.fromisoformat(day) - dt.timedelta(days=days)).isoformat()


def _by_day(
    tx: sa.Connection, budget: settings.Budget, from_ms: int, until_ms: int
) -> dict[str, dict[str, int]]:
    query = sa.select(_c.c.hour_ms, _c.c.name, _c.c.n).where(
        _c.c.hour_ms >= from_ms, _c.c.hour_ms < until_ms, _c.c.name.in_(_COUNTED)
    )
    found: dict[str, dict[str, int]] = {}
    for hour_ms, name, n in tx.execute(query):
        day = found.setdefault(periods.day(hour_ms, budget.timezone), {})
        day[_COUNTED[name]] = day.get(_COUNTED[name], 0) + n
    return found


def _days(by_day: Mapping[str, Mapping[str, int]], first: str, last: str) -> tuple[Day, ...]:
    """Each day, also those of which nothing may be told: a gap would tell."""
    out, day = [], first
    while day <= last:
        found = by_day.get(day, {})
        out.append(
            Day(
                day=day,
                messages=tens(found.get("messages", 0)),
                replies=tens(found.get("replies", 0)),
            )
        )
        day = periods.next_day(day)
    return tuple(out)


def _senders(tx: sa.Connection, from_ms: int, until_ms: int) -> int:
    """Different people; two that were found to be one count once (one step of it is enough)."""
    who = sa.func.coalesce(_p.c.merged_into, _in.c.person_id)
    query = (
        sa.select(sa.func.count(who.distinct()))
        .select_from(_in.outerjoin(_p, _p.c.id == _in.c.person_id))
        .where(_in.c.received_ms >= from_ms, _in.c.received_ms < until_ms)
    )
    return int(tx.execute(query).scalar_one())


def _complaints(tx: sa.Connection, from_ms: int, until_ms: int) -> int:
    query = sa.select(sa.func.count()).where(
        _p.c.opted_out_ms >= from_ms, _p.c.opted_out_ms < until_ms, _p.c.merged_into.is_(None)
    )
    return int(tx.execute(query).scalar_one())


def _money(tx: sa.Connection, from_ms: int, until_ms: int) -> dict[str, int]:
    """Millionths by account; donations are booked as negative."""
    query = (
        sa.select(_m.c.account, sa.func.sum(_m.c.amount_micros))
        .where(_m.c.at_ms >= from_ms, _m.c.at_ms < until_ms)
        .group_by(_m.c.account)
    )
    return {account: int(micros) for account, micros in tx.execute(query)}


def _units(micros: int) -> int | None:
    return tens(round(micros / money.MICROS))


def _percent(part: int | None, whole: int | None) -> float | None:
    """Of figures that are rounded already, so that the rate tells no more than they do."""
    return None if part is None or not whole else round(100 * part / whole, 1)
