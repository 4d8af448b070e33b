"""What a text costs by country, asked of the configured channels; nothing is sent or stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType

from bot import config, registry
from bot.cli import kept, options
from bot.contract import address, bridge, clock, money
from bot.policy import numbers

# Where there is no example of a mobile number, a sample of another kind would be refused.
_SHOWN_FIRST: Final = ("FR", "BE", "CH", "GB", "DE", "ES", "IT", "NL", "PT")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CountryPrice:
    """`price` None: the channel does not send there. `dear`: above the ceiling, never sent."""

    country: str
    parts: int
    price: money.Money | None
    dear: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPrices:
    """Of one channel; `free` if it costs nothing anywhere."""

    channel: str
    currency: str
    free: bool
    countries: tuple[CountryPrice, ...]


def make(settings: config.Settings, *, writes: bool = False) -> dict[str, bridge.Bridge]:
    """The configured bridges, not listening. Raises registry.RegistryError with all faults."""
    contexts = {
        name: bridge.Context(
            channel=name,
            clock=clock.SystemClock(),
            storage=kept.storage(settings, name, writes=writes),
            currency=settings.core.budget.currency,
            public_url=settings.web.public_url,
        )
        for name in settings.channels
    }
    made = registry.create_all(settings.channels.values(), contexts)
    return {one.channel: one for one in made}


def bridges(settings: config.Settings, *, writes: bool = False) -> dict[str, bridge.Bridge]:
    """The same; ends with every fault and exit code 2."""
    try:
        return make(settings, writes=writes)
    except registry.RegistryError as error:
        options.fail([f"{key}: {text}" for key, text in error.faults], options.FAULTY)


def by_country(
    settings: config.Settings, made: Mapping[str, bridge.Bridge], text: str
) -> tuple[ChannelPrices, ...]:
    """Each channel's quote for an example number of each country that is answered."""
    budget = settings.core.budget
    wanted = settings.core.who.countries or numbers.EEA_UK_CH_OVERSEAS
    first = [country for country in _SHOWN_FIRST if country in wanted]
    countries = [*first, *sorted(wanted.difference(first))]
    out = []
    for name, one in made.items():
        if one.network != address.SMS:
            out.append(
                ChannelPrices(channel=name, currency=budget.currency, free=True, countries=())
            )
            continue
        asked = (_quoted(one, country, text, budget.price_ceiling_micros) for country in countries)
        priced = tuple(price for price in asked if price is not None)
        free = bool(priced) and all(p.price is not None and p.price.micros == 0 for p in priced)
        out.append(
            ChannelPrices(channel=name, currency=budget.currency, free=free, countries=priced)
        )
    return tuple(out)


def _quoted(
    one: bridge.Bridge, country: str, text: str, ceiling_micros: int
) -> CountryPrice | None:
    """None for a country of which no example number is known."""
    example = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    if example is None:
        return None
    e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    quote = one.quote(address.Address(address.SMS, e164), text)
    if quote is None:
        return CountryPrice(country=country, parts=0, price=None, dear=False)
    return CountryPrice(
        country=country,
        parts=quote.parts,
        price=quote.price,
        dear=quote.price.micros > ceiling_micros * quote.parts,
    )
