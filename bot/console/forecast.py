"""How long the money lasts: what is left, at what rate it goes, and what a usual day still needs.

Nothing is guessed: without a reply sent there is no price, without a day before there is no usual
day, and both are said.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Final

import sqlalchemy as sa

from bot import ledger
from bot.console.results import Words, said
from bot.contract import money
from bot.flood import look, rows
from bot.policy import overrides, periods, settings
from bot.policy.flood import pacing
from bot.store import events, tables

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
DAY: Final = "day"
MONTH: Final = "month"
DONATIONS: Final = "donations"
_postings, _r = tables.postings, tables.replies


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit on replies. `renews_ms`: when there is new money, None for donations.

    `ends_hour_ms`, `ends_day_ms`: when it is used up at the rate of the last hour, of the last 24
    hours; None where nothing was spent. After `renews_ms` means that it is enough.
    """

    name: str
    left: money.Money
    renews_ms: int | None
    ends_hour_ms: int | None
    ends_day_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """What receiving costs, apart from replies. `alarm_ms`: when the alarm is due at this rate."""

    last_hour: money.Money
    last_24h: money.Money
    today: money.Money
    alarm_day: money.Money
    alarm_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """`reply_cost`: of an average reply so far, free ones too. `expected_*`: by the usual day.

    `usual_ends_ms`: when the day's money is used up if people write as usual; None if it is
    enough, or if `expected_cost` or a cap is missing.
    """

    now_ms: int
    currency: str
    last_hour: money.Money
    last_24h: money.Money
    limits: tuple[Limit, ...]
    reply_cost: money.Money | None
    expected_people: int | None
    expected_cost: money.Money | None
    usual_ends_ms: int | None
    inbound: Inbound
    said: Words


def forecast(tx: sa.Connection, budget: settings.Budget, now_ms: int) -> Forecast:
    """From one snapshot."""

    def major(micros: float) -> money.Money:
        return money.Money(round(micros), budget.currency)

    budget = overrides.budget(budget, events.controls(tx))
    spent = _spent(tx, now_ms)
    limits = _limits(tx, budget, now_ms, spent[ledger.REPLIES])
    price = _reply_micros(tx)
    people = _people(tx, budget, now_ms)
    need = None if people is None or price is None else sum(n for n, _ in people) * price
    day_left = next((limit.left.micros for limit in limits if limit.name == DAY), None)
    usual_ends = None
    if people is not None and price is not None and day_left is not None:
        usual_ends = walk(people, price, day_left, now_ms)
    return Forecast(
        now_ms=now_ms,
        currency=budget.currency,
        last_hour=major(spent[ledger.REPLIES][0]),
        last_24h=major(spent[ledger.REPLIES][1]),
        limits=limits,
        reply_cost=None if price is None else major(price),
        expected_people=None if people is None else round(sum(n for n, _ in people)),
        expected_cost=None if need is None else major(need),
        usual_ends_ms=usual_ends,
        inbound=_inbound(tx, budget, now_ms, spent[ledger.INBOUND]),
        said=_said(budget, limits, spent[ledger.REPLIES], need, usual_ends),
    )


def _spent(tx: sa.Connection, now_ms: int) -> dict[str, tuple[int, int]]:
    """By account: the last hour's, the last 24 hours'."""
    amount, at = _postings.c.amount_micros, _postings.c.at_ms
    lately = sa.func.sum(sa.case((at > now_ms - HOUR_MS, amount), else_=0))
    query = (
        sa.select(_postings.c.account, lately, sa.func.sum(amount))
        .where(at > now_ms - DAY_MS, at <= now_ms)
        .group_by(_postings.c.account)
    )
    found = {account: (int(hour), int(day)) for account, hour, day in tx.execute(query)}
    return {account: found.get(account, (0, 0)) for account in (ledger.REPLIES, ledger.INBOUND)}


def _limits(
    tx: sa.Connection, budget: settings.Budget, now_ms: int, spent: tuple[int, int]
) -> tuple[Limit, ...]:
    zone, today = budget.timezone, periods.day(now_ms, budget.timezone)
    month = today[:7]
    there: list[tuple[str, int, int | None]] = []
    if budget.cap_day_micros is not None:
        left = budget.cap_day_micros - ledger.used(tx, f"day:{today}")
        there.append((DAY, left, periods.day_start_ms(periods.next_day(today), zone)))
    if budget.cap_month_micros is not None:
        left = budget.cap_month_micros - ledger.used(tx, f"month:{month}")
        first = f"{periods.next_month(month)}-01"
        there.append((MONTH, left, periods.day_start_ms(first, zone)))
    if budget.donations_only:
        there.append((DONATIONS, -ledger.used(tx, ledger.DONATIONS), None))
    hour, day = spent
    return tuple(
        Limit(
            name=name,
            left=money.Money(max(left, 0), budget.currency),
            renews_ms=renews_ms,
            ends_hour_ms=_ends(now_ms, left, hour, HOUR_MS),
            ends_day_ms=_ends(now_ms, left, day, DAY_MS),
        )
        for name, left, renews_ms in there
    )


def _ends(now_ms: int, left: int, spent: int, span_ms: int) -> int | None:
    """When `left` is used up at `spent` in `span_ms`; now if nothing is left."""
    if left <= 0:
        return now_ms
    return now_ms + left * span_ms // spent if spent > 0 else None


def _reply_micros(tx: sa.Connection) -> float | None:
    """What a reply cost on average; None before the first one."""
    price = sa.func.avg(sa.func.coalesce(_r.c.price_micros, _r.c.reserved_micros, 0))
    query = sa.select(price).where(_r.c.state.in_(("sent", "delivered")))
    found = tx.execute(query).scalar_one()
    return None if found is None else float(found)


def _people(
    tx: sa.Connection, budget: settings.Budget, now_ms: int
) -> list[tuple[float, int]] | None:
    """New people in each hour until midnight as usual, with the hour's end; None if unknown."""
    usual = look.usual(rows.load(tx), periods.day(now_ms, budget.timezone))
    if usual is None:
        return None
    local = dt.datetime.fromtimestamp(now_ms / 1000, budget.timezone)
    first = local.hour
    ends_ms = now_ms + (60 - local.minute) * 60_000
    shares = [1 - local.minute / 60] + [1.0] * (pacing.HOURS - first - 1)
    return [(usual[first + n] * share, ends_ms + n * HOUR_MS) for n, share in enumerate(shares)]


def walk(people: list[tuple[float, int]], price: float, left: float, now_ms: int) -> int | None:
    """When the money is used up on the way through the usual hours, None if it is enough."""
    before_ms = now_ms
    for n, ends_ms in people:
        need = n * price
        if need > left:
            return before_ms + round((ends_ms - before_ms) * max(left, 0) / need)
        left -= need
        before_ms = ends_ms
    return None


def _inbound(
    tx: sa.Connection, budget: settings.Budget, now_ms: int, spent: tuple[int, int]
) -> Inbound:
    today = ledger.used(tx, f"inbound:{periods.day(now_ms, budget.timezone)}")
    alarm = budget.inbound_alarm_day_micros
    return Inbound(
        last_hour=money.Money(spent[0], budget.currency),
        last_24h=money.Money(spent[1], budget.currency),
        today=money.Money(today, budget.currency),
        alarm_day=money.Money(alarm, budget.currency),
        alarm_ms=_ends(now_ms, alarm - today, spent[0], HOUR_MS),
    )


_NAMES: Final = {
    DAY: ("the day's money", "l'argent du jour"),
    MONTH: ("the month's money", "l'argent du mois"),
    DONATIONS: ("the donations", "les dons"),
}


def _said(
    budget: settings.Budget,
    limits: tuple[Limit, ...],
    spent: tuple[int, int],
    need: float | None,
    usual_ends: int | None,
) -> Words:
    """The one sentence that matters most: what ends first, or why nothing can be said."""
    if not limits:
        return said("No cap is set; nothing ends.", "Aucun plafond ; rien ne s'arrête.")
    for limit in limits:
        if not limit.left.micros:
            en, fr = _NAMES[limit.name]
            return said(f"Used up: {en}.", f"Épuisé : {fr}.")
    ends = [
        (limit.ends_hour_ms, limit.name)
        for limit in limits
        if limit.ends_hour_ms is not None
        and (limit.renews_ms is None or limit.ends_hour_ms < limit.renews_ms)
    ]
    if ends:
        moment, name = min(ends)
        (en, fr), when = _NAMES[name], _when(moment, budget)
        return said(
            f"At the rate of the last hour {en} lasts until {when}.",
            f"Au rythme de la dernière heure, {fr} tient jusqu'à {when}.",
        )
    if usual_ends is not None:
        when = _when(usual_ends, budget)
        return said(
            f"If people write as usual, the day's money lasts until {when}.",
            f"Si l'on écrit comme d'habitude, l'argent du jour tient jusqu'à {when}.",
        )
    if need is None and not any(spent):
        return said(
            "Nothing was spent in 24 hours and no usual day is known yet.",
            "Rien n'a été dépensé en 24 heures et aucun jour habituel n'est encore connu.",
        )
    return said("The money is enough.", "L'argent suffit.")


def _when(moment_ms: int, budget: settings.Budget) -> str:
    return dt.datetime.fromtimestamp(moment_ms / 1000, budget.timezone).strftime("%Y-%m-%d %H:%M")
