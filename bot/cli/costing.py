"""What `check` says of money and the law: what a reply costs where, and what had better not be."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bot import config
from bot.cli import pricing
from bot.contract import address, bridge, segments
from bot.policy import numbers, texts

Priced = Sequence[pricing.ChannelPrices]
_SIMULATOR: Final = "simulator"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one reply costs on a channel to a country, in the collective's language."""

    channel: str
    country: str
    parts: int
    price: str | None
    sent: bool


def unwise(settings: config.Settings, made: Mapping[str, bridge.Bridge]) -> Iterator[str]:
    """A missing cap, and numbers that the law may keep from sending by program."""
    budget = settings.core.budget
    if budget.cap_day_micros is None or budget.cap_month_micros is None:
        yield "budget: a cap is missing; a flood could cost any amount"
    for name, one in made.items():
        channel = settings.channels[name]
        if channel.kind == _SIMULATOR:
            continue
        if isinstance(one, bridge.WantsRelease):
            # It knows its numbers better than their digits tell: a SIM in a phone may be a 06.
            if (reason := one.release_reason()) is not None:
                yield _release(name, reason, by_hand=channel.release_by_hand)
            continue
        for own in one.addresses:
            if own.address.network != address.SMS:
                continue
            facts = numbers.read(own.address.value)
            if facts.region == "FR" and facts.number_type is numbers.NumberType.MOBILE:
                yield (
                    f"channels.{name}.addresses: a French mobile number (06, 07) must not send "
                    "automatic messages through a provider; use one of the ranges for platforms"
                )


def _release(name: str, reason: str, *, by_hand: bool | None) -> str:
    if by_hand is False:
        return (
            f"channels.{name}.release_by_hand: is false, although {reason}; leave it out, or "
            "take another number (docs/sms.md)"
        )
    return (
        f"channels.{name}: each reply waits until a moderator releases it, because {reason}; "
        "what else can be done: docs/sms.md"
    )


def _text(settings: config.Settings) -> str:
    rules = settings.core.reply
    return rules.texts.get(rules.language) or texts.text(rules.language, rules.tone)


def priced(settings: config.Settings, made: Mapping[str, bridge.Bridge]) -> Priced:
    """The default reply on every channel, so that nobody learns its price from the bill."""
    return pricing.by_country(settings, made, _text(settings))


def costs(settings: config.Settings, found: Priced) -> Iterator[Cost]:
    """The same, one line a country."""
    for channel in found:
        for country in channel.countries:
            yield Cost(
                channel=channel.channel,
                country=country.country,
                parts=country.parts,
                price=None if country.price is None else str(country.price),
                sent=country.price is not None and not country.dear,
            )
        if channel.free and not channel.countries:
            parts = segments.count(_text(settings)).parts
            yield Cost(channel=channel.channel, country="all", parts=parts, price="free", sent=True)


def rates(settings: config.Settings, found: Priced) -> Iterator[str]:
    """Currencies that cannot be booked: nothing would ever be sent there."""
    budget, today = settings.core.budget, dt.datetime.now(dt.UTC).date()
    for channel in found:
        told = {c.price.currency for c in channel.countries if c.price is not None}
        for currency in sorted(told - {budget.currency} - set(budget.rates)):
            yield (
                f"fx.{currency}: channel {channel.channel} bills {currency} and there is no rate "
                f"for it, so nothing would be sent there; write the {budget.currency} that one "
                f'{currency} costs: [fx] {currency} = {{ rate = "1.00", dated = {today} }}'
            )
