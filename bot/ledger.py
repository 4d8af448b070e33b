"""The only writer of money: reserve before the send, post the true price, void what never left.

A cap is a row of `caps`; a reservation is a conditional update of it in the claim's own
transaction, so that no number of workers can pass it. Quotas (parts an hour, recipients a
month) are caps that count something else. Everything fails closed.

Signs: a posting's amount is what it adds to what is used; a donation is negative in the scope
`donations`, whose limit is zero. For each day the cap row equals the sum of that day's postings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from bot.contract import money
from bot.policy import exchange, overrides, periods, scopes, settings
from bot.store import caps, database, events, postings, prepared, ratios, statements, tables

NO_LIMIT: Final = scopes.NO_LIMIT
REPLIES: Final = postings.REPLIES
INBOUND: Final = "inbound"
DONATIONS: Final = scopes.DONATIONS
OPINIONS: Final = "opinions"
Amount = exchange.Amount
Request = exchange.Request
Reservation = exchange.Reservation
convert = exchange.convert

_caps = tables.caps
_postings = tables.postings

_insert = statements.upsert(_caps)
_TAKE = prepared.Prepared(
    _insert.on_conflict_do_update(
        index_elements=["scope"],
        set_={"used": _caps.c.used + _insert.excluded.used},
        where=_caps.c.used + _insert.excluded.used <= sa.bindparam("limit", type_=sa.BigInteger),
    )
)
_ADD = prepared.Prepared(statements.bump(_caps, "used"))
_moved = _caps.c.used + sa.bindparam("by", type_=sa.BigInteger)
# A cap that was set after the reply was claimed holds nothing of it: no row, and never below 0.
_ADJUST = prepared.Prepared(
    sa.update(_caps)
    .where(_caps.c.scope == sa.bindparam("of"))
    .values(used=sa.case((_moved < 0, 0), else_=_moved))
)
_POST = prepared.Insert(_postings)
Till = dict[str, tuple[int, int]]
"""Scope -> what this transaction is about to take of it, and its limit."""
# While a cap has room for so many claims like this one, others may take of it meanwhile.
_FAR: Final = 32


def period(budget: settings.Budget, now_ms: int) -> str:
    """The name of the hour in which a send that starts now is counted."""
    return periods.hour(now_ms, budget.timezone)


def reserve(
    tx: sa.Connection,
    requests: Sequence[Request],
    budget: settings.Budget,
    now_ms: int,
    till: Till | None = None,
    *,
    later: Sequence[Request] = (),
) -> list[str | None]:
    """Reserve for each request in order; None where it holds, else why not (`money`, `quota`).

    What is read first is only a hint: the conditional update decides, and raises ConflictError
    (the whole transaction runs again) if another worker was faster. With a `till` it is made by
    `settle`, without which nothing is reserved. `later`: what this transaction may yet ask for.
    """
    most = {} if till is None else till
    answers, taken, limits = _judge(tx, requests, budget, now_ms, most, later=later)
    if till is None:
        _take(tx, taken, limits)
    else:
        for scope, x in taken.items():
            till[scope] = till.get(scope, (0, 0))[0] + x, limits[scope]
    day = period(budget, now_ms)[:10]
    _POST.many(
        tx,
        [
            postings.row(now_ms, "reserve", r, r.amount.micros, day, r.amount)
            for r, refusal in zip(requests, answers, strict=True)
            if refusal is None and r.amount.micros
        ],
    )
    return answers


def fits(
    tx: sa.Connection, requests: Sequence[Request], budget: settings.Budget, now_ms: int
) -> list[str | None]:
    """What `reserve` would answer now, without taking anything."""
    return _judge(tx, requests, budget, now_ms)[0]


def settle(tx: sa.Connection, till: Till) -> None:
    """Take what the till was told, late in a transaction: all workers meet at these rows."""
    _take(tx, {s: x for s, (x, _) in till.items()}, {s: most for s, (_, most) in till.items()})


def _judge(
    tx: sa.Connection,
    requests: Sequence[Request],
    budget: settings.Budget,
    now_ms: int,
    till: Till | None = None,
    *,
    later: Sequence[Request] = (),
) -> tuple[list[str | None], dict[str, int], dict[str, int]]:
    """The answers, and what those that hold take of each scope, with its limit."""
    hour = period(budget, now_ms)
    by_ratio = ratios.room(tx, budget, {r.channel for r in requests}, now_ms)
    wanted, more = (
        [
            scopes.of(
                budget,
                channel=r.channel,
                country=r.country,
                micros=r.amount.micros,
                parts=r.parts,
                hour=hour,
                crossed=r.crossed,
                ratio_room=by_ratio.get(r.channel, NO_LIMIT),
            )
            for r in these
        ]
        for these in (requests, later)
    )
    return scopes.judge(wanted, _used(tx, wanted, till, scopes.asked(more)))


def _used(
    tx: sa.Connection,
    wanted: Sequence[Sequence[scopes.Scope]],
    till: Till | None,
    later: Iterable[str],
) -> dict[str, int]:
    """What is in use of each scope; with a till, where it may become short, nobody else's since."""
    asked = scopes.asked(wanted)
    used: dict[str, int] = dict(caps.USED.rows(tx, sorted(asked)))
    if till is not None:
        if not scopes.room(asked, used, _FAR):
            # With them all that is to be taken yet: the order holds within a statement only.
            used = dict(caps.HELD.rows(tx, sorted({*asked, *till, *later})))
        for name, (x, _) in till.items():
            used[name] = used.get(name, 0) + x
    return used


def _take(tx: sa.Connection, taken: Mapping[str, int], limits: Mapping[str, int]) -> None:
    if not taken:
        return
    rows = [{"scope": s, "used": x, "limit": limits[s]} for s, x in sorted(taken.items())]
    if _TAKE.many(tx, rows) != len(rows):
        raise database.ConflictError("a cap was reached by another worker")


def _add(tx: sa.Connection, deltas: Mapping[str, int]) -> None:
    rows = [{"scope": s, "used": x} for s, x in sorted(deltas.items()) if x]
    if rows:
        _ADD.many(tx, rows)


def _move(tx: sa.Connection, deltas: Mapping[str, int]) -> None:
    """Change what claimed replies hold, by their scopes of today."""
    _add(tx, {s: x for s, x in deltas.items() if x > 0 or not scopes.optional(s)})
    rows = [{"of": s, "by": x} for s, x in sorted(deltas.items()) if x < 0 and scopes.optional(s)]
    if rows:
        _ADJUST.many(tx, rows)


def void(
    tx: sa.Connection, held: Iterable[Reservation], budget: settings.Budget, now_ms: int
) -> None:
    """Give reservations back: only when it is certain that nothing went out."""
    held = list(held)
    hold(tx, held, budget)
    deltas: dict[str, int] = {}
    rows = []
    for one in held:
        for scope, x, *_ in _of(budget, one):
            deltas[scope] = deltas.get(scope, 0) - x
        if one.micros:
            rows.append(postings.row(now_ms, "void", one, -one.micros, one.period[:10], None))
    _move(tx, deltas)
    _POST.many(tx, rows)


def hold(tx: sa.Connection, these: Iterable[Reservation], budget: settings.Budget) -> None:
    """Take the rows of what `void` and `post` are about to change, all at once, in the one order.

    Each does so for itself; who calls several in one transaction does it before the first.
    """
    whole = (dataclasses.replace(one, micros=max(one.micros, 1)) for one in these)
    caps.HELD.rows(tx, sorted({scope for one in whole for scope, *_ in _of(budget, one)}))


def _of(budget: settings.Budget, one: Reservation) -> list[scopes.Scope]:
    return scopes.of(
        budget,
        channel=one.channel,
        country=one.country,
        micros=one.micros,
        parts=one.parts,
        hour=one.period,
        crossed=one.crossed,
    )


def post(
    tx: sa.Connection,
    told: Sequence[tuple[Reservation, money.Money]],
    budget: settings.Budget,
    now_ms: int,
) -> list[int]:
    """Post true prices; returns the micros posted for each.

    Above the reservation and above a cap: the excess is taken off the next period, with an
    event. What is no price, or in a currency without a rate, posts the reservation, with an event.
    """
    rows, posted = [], []
    if told:
        budget = overrides.budget(budget, events.controls(tx))
    amounts = [convert(budget, price) for _, price in told]
    pairs = zip(told, amounts, strict=True)
    hold(tx, [one for (one, _), told_ in pairs if told_ and told_.micros != one.micros], budget)
    for (one, price), amount in zip(told, amounts, strict=True):
        if amount is None:
            _doubt(tx, price, {"reply": one.reply_id, "channel": one.channel}, now_ms)
        late = 0
        if amount is not None and amount.micros != one.micros:
            late = _correct(tx, one, amount.micros - one.micros, budget, now_ms)
        micros = amount.micros if amount else one.micros
        day = one.period[:10]
        rows.append(postings.row(now_ms, "post", one, micros - one.micros - late, day, amount))
        if late:
            rows.append(postings.row(now_ms, "carry", one, late, _next(budget, day, now_ms), None))
        posted.append(micros)
    _POST.many(tx, rows)
    return posted


def _doubt(tx: sa.Connection, told: money.Money, about: Mapping[str, object], now_ms: int) -> None:
    """Tell people of a price that could not be posted."""
    if exchange.odd(told):
        events.append(tx, now_ms, "odd_price", about)
    else:
        events.append(tx, now_ms, "unknown_currency", {**about, "currency": told.currency})


def _next(budget: settings.Budget, day: str, now_ms: int) -> str:
    """The day that bears what `day` could not: one that is over binds nobody any more."""
    return max(periods.next_day(day), periods.day(now_ms, budget.timezone))


def _correct(
    tx: sa.Connection, one: Reservation, diff: int, budget: settings.Budget, now_ms: int
) -> int:
    """Move the caps by the difference to the reservation; returns what the next day bears."""
    day, month = one.period[:10], one.period[:7]
    capped = {f"day:{day}": budget.cap_day_micros, f"month:{month}": budget.cap_month_micros}
    over = _excess(tx, capped, diff)
    late, later = over[f"day:{day}"], over[f"month:{month}"]
    next_month = max(periods.next_month(month), periods.month(now_ms, budget.timezone))
    deltas = {
        DONATIONS: diff,
        f"day:{day}": diff - late,
        f"day:{_next(budget, day, now_ms)}": late,
        f"month:{month}": diff - later,
        f"month:{next_month}": later,
    }
    for scope, *_ in _of(budget, dataclasses.replace(one, micros=max(one.micros, 1))):
        if scope.startswith(("country:", "channel:")):
            deltas[scope] = diff
    _move(tx, deltas)
    if diff > 0:
        events.append(tx, now_ms, "late_price", {"reply": one.reply_id, "over_micros": diff})
    return late


def _excess(tx: sa.Connection, capped: Mapping[str, int | None], diff: int) -> dict[str, int]:
    """How much of `diff` would pass each cap."""
    used: dict[str, int] = dict(caps.HELD.rows(tx, sorted(capped)))
    return {
        scope: 0 if cap is None else min(max(used.get(scope, 0) + diff - cap, 0), max(diff, 0))
        for scope, cap in capped.items()
    }


def take_inbound(
    tx: sa.Connection, costs: Mapping[tuple[str, str], int], budget: settings.Budget, now_ms: int
) -> None:
    """Post what receiving cost: (channel, currency) -> micros. Never refuses; alarms once a day."""
    day = periods.day(now_ms, budget.timezone)
    total, rows = 0, []
    for (channel, currency), micros in sorted(costs.items()):
        if not micros:
            continue
        told = money.Money(max(-money.MAX_MICROS, min(micros, money.MAX_MICROS)), currency)
        amount = convert(budget, told)
        if amount is None:
            # It cannot be refused: kept as it was told, and people are told once a day.
            if not used(tx, odd := f"odd:{channel}:{currency}:{day}"):
                _doubt(tx, told, {"channel": channel}, now_ms)
            _add(tx, {odd: 1})
            amount = Amount(micros=0, original=told, rate_micros=0)
        total += amount.micros
        rows.append(
            postings.apart(now_ms, INBOUND, amount.micros, amount, day) | {"channel": channel}
        )
    if not rows:
        return
    scope = f"inbound:{day}"
    _add(tx, {scope: total})
    # Read after it was added to, so that of several at once one meets the alarm.
    after = used(tx, scope)
    if after - total < budget.inbound_alarm_day_micros <= after:
        events.append(tx, now_ms, "inbound_alarm", {"day": day, "micros": after})
    _POST.many(tx, rows)


def take_opinions(
    tx: sa.Connection, one: Amount, most: int, budget: settings.Budget, now_ms: int
) -> int:
    """Reserve up to `most` second opinions of that price; how many there is money for today."""
    day = periods.day(now_ms, budget.timezone)
    scope, cap = f"{OPINIONS}:{day}", budget.opinions_day_micros
    n = min(most, max(cap - used(tx, scope), 0) // max(one.micros, 1))
    if n > 0:
        _take(tx, {scope: n * one.micros}, {scope: cap})
        _POST.many(
            tx, [postings.apart(now_ms, OPINIONS, n * one.micros, one, day) | {"kind": "reserve"}]
        )
    return n


def void_opinions(
    tx: sa.Connection, one: Amount, n: int, budget: settings.Budget, then_ms: int
) -> None:
    """Give back what `n` opinions taken `then_ms` would have cost: no answer came for them."""
    if n and one.micros:
        day = periods.day(then_ms, budget.timezone)
        _add(tx, {f"{OPINIONS}:{day}": -n * one.micros})
        _POST.many(
            tx, [postings.apart(then_ms, OPINIONS, -n * one.micros, one, day) | {"kind": "void"}]
        )


def donate(tx: sa.Connection, micros: int, budget: settings.Budget, now_ms: int) -> int:
    """Book a cleared donation (negative: reversed); returns the balance in micros. No names."""
    told = money.Money(micros, budget.currency)
    amount = Amount(micros=micros, original=told, rate_micros=money.MICROS)
    day = periods.day(now_ms, budget.timezone)
    _POST.many(tx, [postings.apart(now_ms, DONATIONS, -micros, amount, day)])
    _add(tx, {DONATIONS: -micros})
    events.append(tx, now_ms, "donation", {"micros": micros})
    return -used(tx, DONATIONS)


def used(tx: sa.Connection, scope: str) -> int:
    """What is reserved or posted in a scope."""
    found: dict[str, int] = dict(caps.USED.rows(tx, [scope]))
    return found.get(scope, 0)


def grant(tx: sa.Connection, scope: str, wanted: int, limit: int) -> int:
    """How many of `wanted` a quota that counts no money still has; they are taken."""
    n = min(wanted, max(limit - used(tx, scope), 0))
    if n > 0:
        _take(tx, {scope: n}, {scope: limit})
    return n
