"""Money as an integer of millionths with its currency. Never floats.

Source of the scale: providers price a part of an SMS with up to five decimals (0.00790 USD), so
a cent is too coarse and a millionth of the major unit holds every price exactly.
"""

from __future__ import annotations

import dataclasses
import decimal
import re
from typing import Final

MICROS: Final = 1_000_000
MAX_DIGITS: Final = 12  # before the point; in millionths that still fits a 64-bit column
MAX_MICROS: Final = (1 << 63) - 1
"""What a 64-bit column holds, either way."""
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Money:
    """`micros` millionths of a major unit of `currency` (ISO 4217, three capitals)."""

    micros: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse floats, amounts that no column can hold, and currencies that are none."""
        if type(self.micros) is not int:
            raise TypeError("money is an integer of millionths")
        if not -MAX_MICROS <= self.micros <= MAX_MICROS:
            raise ValueError("money must fit into 63 bits of millionths")
        if not _CURRENCY.match(self.currency):
            raise ValueError("currency must be three capital letters (ISO 4217)")

    def __add__(self, other: Money) -> Money:
        """Sum of two amounts of one currency; raises ValueError for two currencies."""
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.micros + other.micros, self.currency)

    def times(self, count: int) -> Money:
        """The amount `count` times over (parts of a message, say)."""
        return Money(self.micros * count, self.currency)

    def decimal(self) -> str:
        """Major units as a plain decimal string, at least two places: `0.08`, `12.345678`."""
        return plain(self.micros)

    def __str__(self) -> str:
        """Amount and currency for people: `0.08 EUR`."""
        return f"{self.decimal()} {self.currency}"


def plain(micros: int) -> str:
    """Millionths as a decimal string of major units with at least two places."""
    sign = "-" if micros < 0 else ""
    whole, rest = divmod(abs(micros), MICROS)
    places = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{places}"


def exact(text: str) -> decimal.Decimal:
    """A number as it is written, for readers of JSON and TOML (`parse_float`).

    Raises ValueError for one that no decimal can hold (an exponent of twenty digits).
    """
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise ValueError(f"{text[:40]!r} is not a decimal number") from None


def parse(text: str | int | decimal.Decimal, currency: str) -> Money:
    """Read a decimal amount of major units.

    Raises ValueError for anything that is not a finite decimal number, or that has more than six
    places (rounding somebody's price in silence would break the ledger) or twelve digits before
    the point. Floats are refused by the type: 0.1 is not 0.1.
    """
    # A list would be taken for a sign, digits and an exponent.
    if isinstance(text, bool) or not isinstance(text, str | int | decimal.Decimal):
        raise TypeError("money is read from text or integers, never from a float")
    try:
        value = decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise ValueError(f"{str(text)[:40]!r} is not a decimal amount") from None
    if not value.is_finite():
        raise ValueError(f"{str(text)[:40]!r} is not a finite amount")
    if value and value.adjusted() >= MAX_DIGITS:
        raise ValueError(f"{str(text)[:40]!r} is too large an amount")
    with decimal.localcontext(prec=60) as context:
        # Without the trap, a 61st digit or a huge negative exponent would round in silence.
        context.traps[decimal.Inexact] = True
        try:
            scaled = value * MICROS if value else decimal.Decimal(0)
            return Money(int(scaled.to_integral_exact()), currency)
        except decimal.Inexact:
            raise ValueError(f"{str(text)[:40]!r} has more than six decimal places") from None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many units of the budget's currency one unit of `currency` costs.

    `micros` is the rate in millionths, safety margin included; `dated` is the ISO date the
    operator read it on.
    """

    currency: str
    micros: int
    dated: str

    def convert(self, amount: Money, into: str) -> Money:
        """Turn `amount` into `into`, rounded up (away from zero): never under-reserve."""
        if amount.currency != self.currency:
            raise ValueError(f"rate is for {self.currency}, amount is {amount.currency}")
        product = abs(amount.micros) * self.micros
        rounded = -(-product // MICROS)
        return Money(rounded if amount.micros >= 0 else -rounded, into)
