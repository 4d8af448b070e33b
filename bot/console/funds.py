"""Money as moderators see it: what is used, what is left, what 2017 would have paid.

The 2017 way: every message but calls was answered, with two parts. A part is priced at what a
paid part cost on average lately; before the first one at EUR 0.08, which 2017 paid.
The runway: what is left of the donations (`budget.donations_only`) or else of the month's cap,
divided by what the last 24 hours cost, inbound and look-ups included.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import sqlalchemy as sa

from bot import ledger
from bot.console import audit
from bot.console.results import Done, said
from bot.contract import money
from bot.policy import overrides, periods, settings
from bot.store import events, tables

PARTS_2017: Final = 2
PART_2017_MICROS: Final = 80_000
_LATELY: Final = 500
_DAY_MS: Final = 86_400_000
_caps, _postings, _r = tables.caps, tables.postings, tables.replies


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """`replies`: reserved or posted; `naive_2017`: the same messages answered the 2017 way."""

    currency: str
    replies: money.Money
    inbound: money.Money
    naive_2017: money.Money
    used_today: money.Money
    cap_day: money.Money | None
    used_month: money.Money
    cap_month: money.Money | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One calendar day of the budget's time zone; donations count when they cleared."""

    day: str
    replies: money.Money
    inbound: money.Money
    opinions: money.Money
    donations: money.Money


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """`balance`: donations less all that replies cost. Newest day first.

    `opinions`: look-ups of doubtful numbers; like inbound outside the caps of replies.
    """

    currency: str
    days: tuple[Day, ...]
    replies: money.Money
    inbound: money.Money
    opinions: money.Money
    donated: money.Money
    balance: money.Money


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Runway:
    """`left` None: nothing limits it; `days` None: nothing was spent or nothing limits it."""

    spent_24h: money.Money
    left: money.Money | None
    days: float | None


def bill(tx: sa.Connection, budget: settings.Budget, now_ms: int, counted: dict[str, int]) -> Bill:
    """From the few rows of caps, so that the page may ask twice a second."""

    def major(micros: int) -> money.Money:
        return money.Money(micros, budget.currency)

    budget = overrides.budget(budget, events.controls(tx))
    day = periods.day(now_ms, budget.timezone)
    used = dict(tx.execute(sa.select(_caps.c.scope, _caps.c.used)).all())
    messages = counted.get("messages", 0) - counted.get("silence:call", 0)
    cap_day, cap_month = budget.cap_day_micros, budget.cap_month_micros
    return Bill(
        currency=budget.currency,
        replies=major(sum(n for scope, n in used.items() if scope.startswith("month:"))),
        inbound=major(sum(n for scope, n in used.items() if scope.startswith("inbound:"))),
        naive_2017=major(messages * PARTS_2017 * part_micros(tx)),
        used_today=major(used.get(f"day:{day}", 0)),
        cap_day=None if cap_day is None else major(cap_day),
        used_month=major(used.get(f"month:{day[:7]}", 0)),
        cap_month=None if cap_month is None else major(cap_month),
    )


def part_micros(tx: sa.Connection) -> int:
    """What a paid part cost on average lately, rounded to a millionth.

    Of the last reservations only: the page asks twice a second, however many there were.
    """
    price = sa.func.coalesce(_r.c.price_micros, _r.c.reserved_micros)
    reserved = sa.and_(_postings.c.account == ledger.REPLIES, _postings.c.kind == "reserve")
    lately = sa.select(_postings.c.reply_id).where(reserved).order_by(_postings.c.id.desc())
    query = sa.select(sa.func.sum(price), sa.func.sum(_r.c.parts)).where(
        _r.c.id.in_(lately.limit(_LATELY)), price > 0, _r.c.state.in_(("sent", "delivered"))
    )
    total, parts = tx.execute(query).one()
    return round(total / parts) if parts else PART_2017_MICROS


def view(tx: sa.Connection, budget: settings.Budget, days: int) -> Ledger:
    """The last days on which anything was booked, and the sums of all."""
    amount = sa.func.sum(_postings.c.amount_micros)
    query = sa.select(_postings.c.day, _postings.c.account, amount).group_by(
        _postings.c.day, _postings.c.account
    )
    by_day: dict[str, dict[str, int]] = {}
    totals: dict[str, int] = {}
    for day, account, micros in tx.execute(query):
        by_day.setdefault(day, {})[account] = micros
        totals[account] = totals.get(account, 0) + micros

    def of(sums: dict[str, int], account: str) -> money.Money:
        return money.Money(sums.get(account, 0), budget.currency)

    def given(sums: dict[str, int]) -> money.Money:
        return money.Money(-sums.get(ledger.DONATIONS, 0), budget.currency)

    return Ledger(
        currency=budget.currency,
        days=tuple(
            Day(
                day=day,
                replies=of(sums, ledger.REPLIES),
                inbound=of(sums, ledger.INBOUND),
                opinions=of(sums, ledger.OPINIONS),
                donations=given(sums),
            )
            for day, sums in sorted(by_day.items(), reverse=True)[:days]
        ),
        replies=of(totals, ledger.REPLIES),
        inbound=of(totals, ledger.INBOUND),
        opinions=of(totals, ledger.OPINIONS),
        donated=given(totals),
        balance=balance(tx, budget),
    )


def balance(tx: sa.Connection, budget: settings.Budget) -> money.Money:
    """What is left of the donations."""
    return money.Money(-ledger.used(tx, ledger.DONATIONS), budget.currency)


def runway(tx: sa.Connection, budget: settings.Budget, now_ms: int) -> Runway:
    """How long the money lasts if it goes on as in the last 24 hours."""
    query = sa.select(sa.func.sum(_postings.c.amount_micros)).where(
        _postings.c.account.in_((ledger.REPLIES, ledger.INBOUND, ledger.OPINIONS)),
        _postings.c.at_ms > now_ms - _DAY_MS,
    )
    spent: int = tx.execute(query).scalar_one() or 0
    budget = overrides.budget(budget, events.controls(tx))
    left: int | None = None
    if budget.donations_only:
        left = balance(tx, budget).micros
    elif budget.cap_month_micros is not None:
        month = periods.month(now_ms, budget.timezone)
        left = budget.cap_month_micros - ledger.used(tx, f"month:{month}")
    return Runway(
        spent_24h=money.Money(spent, budget.currency),
        left=None if left is None else money.Money(left, budget.currency),
        days=round(left / spent, 1) if left is not None and spent > 0 else None,
    )


def donate(
    tx: sa.Connection, amount: money.Money, budget: settings.Budget, *, now_ms: int, who: str
) -> Done:
    """Book a cleared donation; a negative amount takes one back. No names are kept."""
    left = money.Money(ledger.donate(tx, amount.micros, budget, now_ms), budget.currency)
    details: dict[str, Any] = {"micros": amount.micros}
    audit.note(tx, now_ms, who, "donate", **details)
    return Done(
        ok=True,
        said=said(
            f"{amount} booked; {left} of all donations are left.",
            f"{amount} inscrits ; il reste {left} de tous les dons.",
        ),
    )
