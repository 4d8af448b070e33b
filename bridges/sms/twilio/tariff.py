"""What a part costs: the operator's own figures, Twilio's Pricing API, a dated table.

A quote must be an upper bound, so of several carriers the dearest counts, and the built-in table
is rounded up generously: it only serves while Twilio cannot be asked. A country without a price
is not sent to at all (fail closed). This module must not do I/O.
"""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import json
from collections.abc import Iterable, Mapping
from typing import Final

import phonenumbers

from bot.contract import address, messages, money, segments

CURRENCY: Final = "USD"
DATED: Final = "2026-11-22"
"""When the built-in table was made: upper bounds by hand, above the public price list
(twilio.com/sms/pricing) as known then. The Pricing API replaces it at the first start."""

# Cents of a US dollar a part, by ISO 3166 country; expensive countries are left out on purpose.
_CENTS: Final[Mapping[int, str]] = {
    2: "CA US",
    7: "GB DK SE PT PL LT LV EE",
    9: "ES IE NO CZ SK FI GR CY MT IS SI RO",
    10: "FR CH IT HR BG",
    12: "AT BE DE NL LU HU LI MC AD",
    25: "RE GP MQ GF YT PM NC PF WF BL MF",
}
OUTBOUND: Final[Mapping[str, int]] = {
    country: cents * 10_000 for cents, listed in _CENTS.items() for country in listed.split()
}
INBOUND_MICROS: Final = 7_500
INBOUND_NORTH_AMERICA_MICROS: Final = 8_300
FAILED_FEE_MICROS: Final = 1_000
"""USD 0.001 for a message that ends as `failed` (PROVIDERS.md)."""
# Carriers' own fees come on top in North America and are not in the Pricing API.
CARRIER_FEE_MICROS: Final[Mapping[str, int]] = {"US": 10_000, "CA": 10_000}
DEAREST_MICROS: Final = 1_000_000
"""Above a whole unit a part it is an expensive range, or nonsense."""


@functools.lru_cache(maxsize=4_096)
def country_of(number: str) -> str | None:
    """The ISO 3166 country of an E.164 number; None for satellite, global and impossible ones."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    country = phonenumbers.region_code_for_number(parsed)
    if country is None:
        # A range that is not handed out yet: the calling code still says whose price it is.
        country = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return country if country.isalpha() and country != "ZZ" else None


class Tariff:
    """Prices of one part by country. `fetched`: what Twilio told, in micros, and when."""

    def __init__(
        self,
        *,
        currency: str,
        own: Mapping[str, money.Money],
        own_inbound: money.Money | None,
    ) -> None:
        """`own` prices are the operator's and win over everything."""
        self.currency = currency
        self._own = own
        self._own_inbound = own_inbound
        self._fetched: Mapping[str, int] = {}
        self._fetched_inbound: Mapping[str, int] = {}
        self.fetched_at: dt.datetime | None = None

    def part(self, number: str) -> money.Money | None:
        """At the most for one part to this number; None where it must not be sent."""
        country = country_of(number)
        if country is None:
            return None
        if country in self._own:
            return self._own[country]
        micros = self._fetched.get(country)
        if micros is None and self.currency == CURRENCY:
            micros = OUTBOUND.get(country)
        if micros is None or micros > DEAREST_MICROS:
            return None
        return money.Money(micros, self.currency)

    def quote(self, number: str, text: str) -> messages.Quote | None:
        """For all parts of a text together."""
        price = self.part(number)
        if price is None:
            return None
        parts = segments.count(text).parts
        return messages.Quote(price=price.times(parts), parts=parts)

    def inbound(self, own: address.Address, parts: int) -> money.Money:
        """What receiving that many parts at our number costs."""
        country = country_of(own.value) or ""
        if self._own_inbound is not None:
            return self._own_inbound.times(parts)
        micros = self._fetched_inbound.get(country)
        if micros is None:
            north = own.value.startswith("+1")
            micros = INBOUND_NORTH_AMERICA_MICROS if north else INBOUND_MICROS
        return money.Money(micros, self.currency).times(parts)

    def learn(self, told: Mapping[str, object], at: dt.datetime) -> int:
        """Take over answers of the Pricing API by country; how many could be read."""
        fetched, inbound = dict(self._fetched), dict(self._fetched_inbound)
        taken = 0
        for country, answer in told.items():
            if not isinstance(answer, Mapping) or answer.get("price_unit") != self.currency:
                continue
            out = _dearest(_outbound(answer))
            if out is None:
                continue
            taken += 1
            fetched[country] = out + CARRIER_FEE_MICROS.get(country, 0)
            taking = _dearest(_listed(answer.get("inbound_sms_prices")))
            if taking is not None:
                inbound[country] = taking
        self._fetched, self._fetched_inbound = fetched, inbound
        if taken:
            self.fetched_at = at
        return taken

    def dump(self) -> str:
        """As kept in the bridge's storage, so that a restart need not ask again."""
        at = self.fetched_at.isoformat() if self.fetched_at else None
        kept = {"at": at, "out": dict(self._fetched), "in": dict(self._fetched_inbound)}
        return json.dumps({**kept, "currency": self.currency}, separators=(",", ":"))

    def load(self, kept: str | None) -> None:
        """What `dump` gave; what cannot be read is left alone."""
        try:
            told = json.loads(kept or "{}")
            at = dt.datetime.fromisoformat(told["at"])
            out = {str(k): int(v) for k, v in told["out"].items()}
            taking = {str(k): int(v) for k, v in told["in"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if told.get("currency") == self.currency and at.tzinfo is not None:
            self._fetched, self._fetched_inbound, self.fetched_at = out, taking, at


def micros_of(told: object) -> int | None:
    """A provider's decimal as millionths, sign dropped, rounded up; None for what is no price."""
    if isinstance(told, bool) or not isinstance(told, str | int | float):
        return None
    try:
        value = abs(decimal.Decimal(str(told)))
        if not value.is_finite() or value > DEAREST_MICROS:
            return None
        return int((value * money.MICROS).to_integral_value(decimal.ROUND_CEILING))
    except decimal.InvalidOperation:
        return None


def _outbound(answer: Mapping[str, object]) -> Iterable[object]:
    carriers = answer.get("outbound_sms_prices")
    for carrier in carriers if isinstance(carriers, list) else ():
        yield from _listed(carrier.get("prices") if isinstance(carrier, Mapping) else None)


def _listed(prices: object) -> Iterable[object]:
    for one in prices if isinstance(prices, list) else ():
        if isinstance(one, Mapping) and one.get("number_type") != "shortcode":
            # The list price: a discount that ends in mid-month must not break the bound.
            yield from (one.get("base_price"), one.get("current_price"))


def _dearest(told: Iterable[object]) -> int | None:
    found = [micros for one in told if (micros := micros_of(one)) is not None]
    return max(found, default=None)
