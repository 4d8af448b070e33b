"""The simulator as a bridge: phones in the browser, or in another process that a test runs.

It must not reach anybody real: the built-in phones are memory, and the outside world is a URL of
this machine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bot.contract import address, bridge, clock, intake, messages, money, outcomes, segments
from bridges.simulator import api, countries, forum, page, phones, settings

if TYPE_CHECKING:
    from bridges.simulator import outside

CACHED_QUOTES: Final = 512


class Simulator:
    """One simulator channel."""

    def __init__(self, chosen: settings.Settings, context: bridge.Context) -> None:
        """Opens nothing; `routes` and `send` do."""
        self.channel: Final = context.channel
        self.network: Final = chosen.network
        self.addresses: Final = chosen.addresses
        # The built-in phones know every reply id; the outside world as it is configured.
        self.idempotent: Final = chosen.idempotent
        self._settings = chosen
        self._context = context
        self._free = money.Money(0, context.currency)
        self._quotes: dict[tuple[str, str], messages.Quote | None] = {}
        self._phones = phones.Phones()
        self._forum = forum.Forum(context, chosen.addresses[0].address, self._part())
        self._outside: outside.Outside | None = None
        if chosen.deliver_to is not None:
            # Brings an HTTP client, which built-in phones have no use for.
            from bridges.simulator import outside  # noqa: PLC0415 (see above)

            self._outside = outside.Outside(chosen.deliver_to, context.clock)
        self._last_event_at: dt.datetime | None = None

    def reaches(self, recipient: address.Address) -> bool:
        """A full international number on SMS; any account on the other network."""
        if recipient.network != self._settings.network:
            return False
        return recipient.is_e164 if recipient.network == address.SMS else bool(recipient.value)

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        """Parts times the price of a part in that country; None where no price is set.

        A flood has one text and few countries, so the answers are remembered. Called from
        several threads: single dictionary operations only, and a lost entry is computed again.
        """
        if not self.reaches(recipient):
            return None
        if self._settings.network != address.SMS:
            return messages.Quote(price=self._free, parts=1)
        country = countries.country_of(recipient.value) or settings.DEFAULT
        try:
            return self._quotes[country, text]
        except KeyError:
            pass
        prices = self._settings.prices
        price = prices.get(country) or prices.get(settings.DEFAULT)
        quote = None
        if price is not None:
            parts = segments.count(text).parts
            quote = messages.Quote(price=price.times(parts), parts=parts)
        if len(self._quotes) >= CACHED_QUOTES:
            self._quotes.clear()
        self._quotes[country, text] = quote
        return quote

    def _part(self) -> money.Money:
        """What one part to somebody of the crowd costs; they all live in one country."""
        prices = self._settings.prices
        return prices.get(forum.COUNTRY) or prices.get(settings.DEFAULT) or self._free

    def routes(self, door: intake.Intake) -> Sequence[bridge.Route]:
        """The API of this channel, and the page that all simulator channels share."""
        endpoints = api.Api(
            context=self._context,
            own=tuple(own.address for own in self._settings.addresses),
            door=door,
            phones=self._phones,
            forum=self._forum,
            prices=self._settings.prices,
        )
        return (
            bridge.Route(path=endpoints.path, app=endpoints),
            bridge.Route(path=page.PATH, app=page.Page()),
        )

    async def listen(self, door: intake.Intake) -> None:
        """Until cancelled: all comes in by the routes, but for the made-up evenings of the demo."""
        await self._forum.run(door)

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        """Put the reply on its phone; a reply id seen before is not put there again."""
        quote = self.quote(reply.recipient, reply.text)
        if quote is None:
            return outcomes.Rejected(reason="no price for that country, or no number at all")
        known = self._phones.find(reply.reply_id)
        if known is not None and self._outside is None:
            return outcomes.Accepted(provider_id=known.id, parts=known.parts, price=known.cost)
        outcome: outcomes.Outcome
        if self._outside is None:
            outcome = outcomes.Accepted(
                provider_id=reply.reply_id, parts=quote.parts, price=quote.price
            )
        else:
            outcome = await self._outside.deliver(reply, quote)
        if isinstance(outcome, outcomes.Accepted):
            self._last_event_at = self._context.clock.now()
            self._forum.answered(reply.recipient, outcome.price or quote.price)
            self._phones.received(
                phone=reply.recipient.value,
                ours=reply.sender.value,
                text=reply.text,
                reply_id=reply.reply_id,
                at_ms=clock.to_ms(self._last_event_at),
                parts=quote.parts,
                cost=quote.price,
            )
        return outcome

    async def health(self) -> bridge.Health:
        """Always up with the built-in phones; else whether the outside world answers."""
        if self._outside is None or await self._outside.answers():
            condition, detail = bridge.Condition.UP, "simulated phones"
        else:
            condition, detail = bridge.Condition.DOWN, "nobody listens at deliver_to"
        return bridge.Health(condition=condition, detail=detail, last_event_at=self._last_event_at)

    async def close(self) -> None:
        """Give back the outside world's connections."""
        if self._outside is not None:
            await self._outside.close()
