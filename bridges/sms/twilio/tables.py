"""One table of the configuration, taken key by key; what is wrong is collected, never repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.contract import money

MAX_PRICE_MICROS: Final = 10 * money.MICROS

Faults = list[tuple[str, str]]


class Table:
    """Takes the keys of a table one by one and collects what is wrong with each."""

    def __init__(self, table: Mapping[str, object]) -> None:
        self.table = table
        self.faults: Faults = []
        self.known = {"kind"}

    def take(self, key: str, default: object = None) -> object:
        """The value; a key that was taken is known."""
        self.known.add(key)
        return self.table.get(key, default)

    def fault(self, key: str, sentence: str) -> None:
        """Note what is wrong; the value itself is never repeated."""
        self.faults.append((key, sentence))

    def text(self, key: str, default: str = "") -> str:
        value = self.take(key, default)
        if isinstance(value, str):
            return value
        self.fault(key, "must be a text in quotes")
        return default

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = self.take(key, list(default))
        if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            return tuple(value)
        self.fault(key, 'must be a list of texts: ["...", "..."]')
        return default

    def flag(self, key: str) -> bool:
        value = self.take(key, False)
        if not isinstance(value, bool):
            self.fault(key, "must be true or false, without quotes")
        return value is True

    def count(self, key: str, default: int, least: int, most: int) -> int:
        value = self.take(key, default)
        if type(value) is int and least <= value <= most:
            return value
        self.fault(key, f"must be a whole number from {least} to {most}")
        return default

    def price(self, key: str, value: object, currency: str) -> money.Money | None:
        try:
            price = money.parse(value, currency) if isinstance(value, str) else None
        except ValueError:
            price = None
        if price is not None and 0 <= price.micros <= MAX_PRICE_MICROS:
            return price
        self.fault(key, 'must be a decimal amount in quotes from 0 to 10: "0.0798"')
        return None
