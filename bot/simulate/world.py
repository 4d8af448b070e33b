"""The outside world of a recording: an SMS account that sends everything and bills by country.

It is a bridge like any other and keeps its own ledger of what reached whom, so that "nobody twice"
and "never over the cap" are seen from outside and not told by the program under test. It must not
reach anybody real: there is no I/O in it.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import phonenumbers

from bot.contract import address, bridge, intake, messages, money, outcomes, segments
from bot.policy import numbers
from bot.simulate import clock, trace

CHANNEL: Final = "sms"
_LONGEST_CODE: Final = 3
_CACHED_QUOTES: Final = 4_096


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One reply that reached a phone. `micros`: what it was billed.

    `saved_micros`: what it would have cost more from the number written to.
    """

    reply_id: str
    to: str = dataclasses.field(repr=False)
    at_ms: int
    network: str
    parts: int
    micros: int
    channel: str = CHANNEL
    saved_micros: int = 0


class Prices:
    """Micros a part by the country behind a number's calling code."""

    def __init__(self, world: trace.World) -> None:
        """Reads the world's table once."""
        self._default = world.default_micros
        self._by_code: dict[str, dict[str, int]] = {}
        for country, micros in world.prices.items():
            code = str(phonenumbers.country_code_for_region(country))
            self._by_code.setdefault(code, {})[country] = micros

    def of(self, number: str) -> int | None:
        """None where the world names no price."""
        for length in range(1, _LONGEST_CODE + 1):
            countries = self._by_code.get(number[1 : 1 + length])
            if countries is not None and number.startswith("+"):
                return self._among(countries, number)
        return self._default

    def _among(self, countries: Mapping[str, int], number: str) -> int | None:
        if len(countries) == 1:
            return next(iter(countries.values()))
        # Two countries share a calling code (US and CA, GP and MF): the metadata tells them apart.
        return countries.get(numbers.read(number).region or "", self._default)


class Outside:
    """The bridge. Everything is accepted at once and its price is told with the acceptance."""

    idempotent = True

    def __init__(self, world: trace.World, moment: clock.VirtualClock) -> None:
        """`seen` is the ledger, in the order of sending."""
        self._clock = moment
        self._currency = world.currency
        self._prices = Prices(world)
        self._quotes: dict[tuple[int, str], messages.Quote] = {}
        self._own = (bridge.OwnAddress(address=world.to),)
        self.seen: list[Seen] = []

    @property
    def channel(self) -> str:
        return CHANNEL

    @property
    def network(self) -> str:
        return address.SMS

    @property
    def addresses(self) -> Sequence[bridge.OwnAddress]:
        return self._own

    def price(self, number: str) -> int | None:
        """Micros a part, None where the world names none."""
        return self._prices.of(number)

    def reaches(self, recipient: address.Address) -> bool:
        return recipient.network == address.SMS and recipient.is_e164

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        micros = self._prices.of(recipient.value)
        if micros is None or not self.reaches(recipient):
            return None
        known = self._quotes.get((micros, text))
        if known is None:
            parts = segments.count(text).parts
            known = messages.Quote(price=money.Money(micros * parts, self._currency), parts=parts)
            if len(self._quotes) >= _CACHED_QUOTES:
                self._quotes.clear()
            self._quotes[micros, text] = known
        return known

    async def listen(self, door: intake.Intake) -> None:
        """The simulation hands messages in by itself, at their own times."""
        await asyncio.Event().wait()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        quote = self.quote(reply.recipient, reply.text)
        if quote is None:
            return outcomes.Rejected(reason="no_price")
        self.note(reply, quote.parts, quote.price.micros)
        return outcomes.Accepted(
            provider_id=f"w{len(self.seen):08}", parts=quote.parts, price=quote.price
        )

    def note(self, reply: messages.OutboundReply, parts: int, micros: int) -> None:
        """Keep what reached a phone, by whichever channel."""
        own = self.quote(reply.recipient, reply.text)
        self.seen.append(
            Seen(
                reply_id=reply.reply_id,
                to=reply.recipient.value,
                at_ms=self._clock.now_ms,
                network=address.SMS,
                parts=parts,
                micros=micros,
                channel=reply.channel,
                saved_micros=own.price.micros - micros if own is not None else 0,
            )
        )

    async def close(self) -> None:
        """Nothing is open."""


class Telling(Outside):
    """An account that can tell, for a price, whether a number is somebody's."""

    def __init__(
        self,
        world: trace.World,
        moment: clock.VirtualClock,
        real: Callable[[str], bool],
        micros: int,
    ) -> None:
        """`real`: the truth about a number; `micros`: what one answer costs."""
        super().__init__(world, moment)
        self._real = real
        self._told = money.Money(micros, world.currency)

    def opinion_price(self) -> money.Money:
        return self._told

    async def opinions(
        self, addresses: Sequence[address.Address]
    ) -> Mapping[address.Address, bool]:
        return {one: self._real(one.value) for one in addresses}


Convert = Callable[[money.Money], int | None]


class Other:
    """Another of the operator's channels (route `cheapest`): its own prices, nothing sent.

    `way` is the real bridge, asked only what it reaches and what that costs; what it would have
    sent lands in the ledger of `beside`, the recording's own account.
    """

    idempotent = True

    def __init__(self, way: bridge.Bridge, beside: Outside, convert: Convert) -> None:
        """`convert` gives a price in micros of the budget's currency, None without a rate."""
        self._way, self._beside, self._convert = way, beside, convert

    @property
    def channel(self) -> str:
        return self._way.channel

    @property
    def network(self) -> str:
        return self._way.network

    @property
    def addresses(self) -> Sequence[bridge.OwnAddress]:
        return self._way.addresses

    def reaches(self, recipient: address.Address) -> bool:
        return self._way.reaches(recipient)

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return self._way.quote(recipient, text)

    async def listen(self, door: intake.Intake) -> None:
        """The simulation hands messages in by itself, at their own times."""
        await asyncio.Event().wait()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        quote = self.quote(reply.recipient, reply.text)
        micros = None if quote is None else self._convert(quote.price)
        if quote is None or micros is None:
            return outcomes.Rejected(reason="no_price")
        self._beside.note(reply, quote.parts, micros)
        return outcomes.Accepted(
            provider_id=f"{self.channel}-{reply.reply_id}", parts=quote.parts, price=quote.price
        )

    async def close(self) -> None:
        """The real bridge is its maker's to close."""
