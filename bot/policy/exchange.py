"""Prices in the budget's currency, and what a reply asks of the ledger; fails closed."""

from __future__ import annotations

import dataclasses
from typing import Final

from bot.contract import money
from bot.policy import settings

# No price is a billion of anything; one that is would overflow the sums.
_ABSURD_MICROS: Final = 1_000_000_000 * money.MICROS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """An amount in the budget's currency (`micros`) and as it was told."""

    micros: int
    original: money.Money
    rate_micros: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one reply wants to reserve now; `crossed`: he is of another network than the channel."""

    reply_id: int
    channel: str
    country: str | None
    amount: Amount
    parts: int
    crossed: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What a reply holds, as its row remembers it. `period`: the hour its send started in."""

    reply_id: int
    channel: str
    country: str | None
    micros: int
    parts: int
    period: str
    crossed: bool = False


def convert(budget: settings.Budget, told: money.Money) -> Amount | None:
    """`told` in the budget's currency; None without a rate, or for no price at all (fail closed).

    A price below zero would make money.
    """
    if odd(told):
        return None
    if told.currency == budget.currency:
        return Amount(micros=told.micros, original=told, rate_micros=money.MICROS)
    rate = budget.rates.get(told.currency)
    if rate is None or told.micros * rate.micros > _ABSURD_MICROS * money.MICROS:
        return None
    into = rate.convert(told, budget.currency)
    return Amount(micros=into.micros, original=told, rate_micros=rate.micros)


def odd(told: money.Money) -> bool:
    """Whether that is no price at all."""
    return not 0 <= told.micros <= _ABSURD_MICROS
