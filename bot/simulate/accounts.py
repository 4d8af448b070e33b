"""The books at the end of a run: what the database holds against what the outside world saw.

Reads only. Whatever does not add up becomes a sentence in `faults`: a simulation whose sums do not
match is wrong, however good its figures look.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from bot import ledger
from bot.contract import money
from bot.policy import periods, settings
from bot.policy.decision import Verdict
from bot.policy.lifecycle import State
from bot.simulate import figures, world
from bot.store import events, tables

_HOUR_MS: Final = 3_600_000
_EARLIEST_S: Final = 45 * 60
_LATEST_S: Final = 2 * 60 * 60
_GONE: Final = frozenset({State.SENT, State.DELIVERED})

_i, _r, _c, _p = tables.inbound, tables.replies, tables.caps, tables.postings
_FATES = (
    sa.select(
        _i.c.decision,
        _i.c.reason,
        _r.c.state,
        _r.c.reason.label("reply_reason"),
        sa.func.count().label("n"),
    )
    .outerjoin(
        _r,
        sa.and_(_r.c.id == _i.c.reply_id, _i.c.decision.in_((Verdict.REPLY, Verdict.HOLD))),
    )
    .group_by(_i.c.decision, _i.c.reason, _r.c.state, _r.c.reason)
)
_RESERVED = sa.select(_c.c.scope, _c.c.used).where(_c.c.scope.startswith("day:"))
_QUOTAS = sa.select(_c.c.scope, _c.c.used).where(
    sa.or_(_c.c.scope.startswith("parts:"), _c.c.scope.startswith("recipients:"))
)
_SPENT = sa.select(_p.c.account, sa.func.sum(_p.c.amount_micros)).group_by(_p.c.account)
_HOURS = sa.select(
    (_i.c.received_ms - _i.c.received_ms % _HOUR_MS).label("hour_ms"), sa.func.count()
).group_by(sa.text("hour_ms"))
_MODES = (
    sa.select(tables.events.c.at_ms, tables.events.c.data)
    .where(tables.events.c.kind == "mode")
    .order_by(tables.events.c.id)
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the database says."""

    fates: Mapping[str, int]
    reserved: Mapping[str, int]
    accounts: Mapping[str, int]
    hours: Mapping[int, int]
    modes: Sequence[tuple[int, str]]
    quotas: Mapping[str, int]


def read(tx: sa.Connection) -> Books:
    """Everything the report needs, in one transaction."""
    fates: collections.Counter[str] = collections.Counter()
    for row in tx.execute(_FATES):
        fates[_fate(row.decision, row.reason, row.state, row.reply_reason)] += row.n
    duplicates = events.totals(tx).get("duplicates", 0)
    if duplicates:
        fates["duplicate"] = duplicates
    return Books(
        fates=dict(sorted(fates.items())),
        reserved={scope.removeprefix("day:"): used for scope, used in tx.execute(_RESERVED)},
        accounts={account: int(micros) for account, micros in tx.execute(_SPENT)},
        hours={int(hour): n for hour, n in tx.execute(_HOURS)},
        modes=[(at_ms, json.loads(data)["mode"]) for at_ms, data in tx.execute(_MODES)],
        quotas=dict(tx.execute(_QUOTAS).all()),
    )


def _fate(verdict: str, reason: str, state: str | None, reply_reason: str | None) -> str:
    """One word for what became of a message, with its reason where there are several."""
    if verdict == Verdict.OPT_OUT:
        return "opted_out"
    if verdict == Verdict.SILENCE:
        return f"silenced:{reason}"
    if state in _GONE:
        return "answered"
    if state == State.SCHEDULED:
        return "pending"
    return f"{state}:{reply_reason}"


def days(books: Books, seen: Sequence[world.Seen], budget: settings.Budget) -> list[figures.Day]:
    """Each calendar day that saw a reply or a reservation."""
    spent: collections.Counter[str] = collections.Counter()
    replies: collections.Counter[str] = collections.Counter()
    for one in seen:
        day = periods.day(one.at_ms, budget.timezone)
        spent[day] += one.micros
        replies[day] += 1
    return [
        figures.Day(
            day=day,
            reserved_micros=books.reserved.get(day, 0),
            spent_micros=spent[day],
            replies=replies[day],
        )
        for day in sorted(spent.keys() | {d for d, used in books.reserved.items() if used})
    ]


def quotas(books: Books, budget: settings.Budget) -> list[figures.QuotaUse]:
    """How far each channel's quotas of a day and a month were used, period by period."""
    limits = {("parts", name): quota.parts_per_day for name, quota in budget.quotas.items()} | {
        ("recipients", name): quota.recipients_per_month for name, quota in budget.quotas.items()
    }
    out = []
    for scope, used in sorted(books.quotas.items()):
        what, _, rest = scope.partition(":")
        channel, _, period = rest.partition(":")
        limit = limits.get((what, channel))
        # Hours have a quota of their own; they are too many to show.
        if limit is not None and "T" not in period:
            out.append(
                figures.QuotaUse(channel=channel, what=what, period=period, used=used, limit=limit)
            )
    return out


def hours(books: Books, seen: Sequence[world.Seen]) -> list[figures.Stretch]:
    """Hour by hour from the first message to the last reply."""
    replies: collections.Counter[int] = collections.Counter()
    bill: collections.Counter[int] = collections.Counter()
    for one in seen:
        replies[periods.hour_ms(one.at_ms)] += 1
        bill[periods.hour_ms(one.at_ms)] += one.micros
    moments = books.hours.keys() | replies.keys()
    out: list[figures.Stretch] = []
    total, mode, changes = 0, "normal", collections.deque(books.modes)
    for hour_ms in range(min(moments, default=0), max(moments, default=-1) + 1, _HOUR_MS):
        while changes and changes[0][0] < hour_ms + _HOUR_MS:
            mode = changes.popleft()[1]
        total += bill[hour_ms]
        out.append(
            figures.Stretch(
                from_ms=hour_ms,
                messages=books.hours.get(hour_ms, 0),
                replies=replies[hour_ms],
                bill_micros=total,
                mode=mode,
            )
        )
    return out


def twice(seen: Sequence[world.Seen], rules: settings.Reply) -> int:
    """Replies to somebody who got one already within the window, seen from outside."""
    last: dict[str, int] = {}
    count = 0
    for one in seen:
        before = last.get(one.to)
        if before is not None and one.at_ms < before + rules.window_days * 86_400_000:
            count += 1
        last[one.to] = one.at_ms
    return count


def early(seen: Sequence[world.Seen], first_ms: Mapping[str, int], rules: settings.Reply) -> int:
    """Replies before the shortest delay was over, or to somebody who never wrote."""
    return sum(
        one.to not in first_ms or one.at_ms < first_ms[one.to] + rules.delay_min_s * 1000
        for one in seen
    )


def on_time(seen: Sequence[world.Seen], first_ms: Mapping[str, int]) -> float | None:
    """The share of replies between 45 minutes and two hours after somebody's first message."""
    if not seen:
        return None
    good = sum(
        _EARLIEST_S * 1000 <= one.at_ms - first_ms.get(one.to, one.at_ms) <= _LATEST_S * 1000
        for one in seen
    )
    return round(good / len(seen), 4)


def faults(
    books: Books,
    seen: Sequence[world.Seen],
    daily: Sequence[figures.Day],
    budget: settings.Budget,
    messages: int,
) -> list[str]:
    """Everything that does not add up, in plain sentences; empty when all does."""
    out: list[str] = []
    accounted = sum(books.fates.values())
    if accounted != messages:
        out.append(f"{messages} messages came, {accounted} are accounted for")
    answered = books.fates.get("answered", 0)
    if answered != len(seen):
        out.append(f"{answered} replies are recorded as sent, {len(seen)} reached a phone")
    billed = sum(one.micros for one in seen)
    booked = books.accounts.get(ledger.REPLIES, 0)
    if billed != booked:
        out.append(f"billed {money.plain(billed)}, booked {money.plain(booked)}")
    out += [
        f"{one.channel}: {one.used} of {one.limit} {one.what} in {one.period}"
        for one in quotas(books, budget)
        if one.used > one.limit
    ]
    cap = budget.cap_day_micros
    for day in daily:
        if day.reserved_micros != day.spent_micros:
            out.append(f"{day.day}: reserved and spent differ")
        if cap is not None and max(day.reserved_micros, day.spent_micros) > cap:
            out.append(f"{day.day}: over the cap of the day")
    return out
