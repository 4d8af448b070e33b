"""The ways a due reply could go: each channel's offer, with its text and its price.

Under the default route there is one, the channel he wrote to. Under `cheapest` there may be
several; the next is taken only where nothing at all was sent by the one before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import sqlalchemy as sa

from bot import ledger, outbox
from bot.contract import address, bridge, messages
from bot.dispatcher.savings import Savings, counter
from bot.policy import routing, settings, texts
from bot.store import pool, vault

Ask = Callable[[bridge.Bridge, address.Address, str], messages.Quote | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One channel that would take it. `crossed`: he is of another network than the channel."""

    offer: routing.Offer
    amount: ledger.Amount
    text: str
    crossed: bool


@dataclasses.dataclass(slots=True, kw_only=True)
class Ready:
    """A reply that is to be sent, and its ways, the one to take first in front."""

    reply: outbox.DueReply
    recipient: address.Address
    ways: Sequence[Way]

    @property
    def offer(self) -> routing.Offer:
        """The way to take now."""
        return self.ways[0].offer

    @property
    def text(self) -> str:
        """Its words."""
        return self.ways[0].text

    @property
    def crossed(self) -> bool:
        """Whether it leaves the network he wrote on."""
        return self.ways[0].crossed

    @property
    def saving(self) -> int:
        """What the first way saves against the dearest."""
        return routing.saving([way.offer for way in self.ways])

    @property
    def moved_from(self) -> tuple[str, str] | None:
        """The channel and address written to, where the reply goes out from another."""
        channel, own = self.reply.written_to
        same = (channel, own) == (self.offer.channel, self.offer.own_address)
        return None if same else (channel, own)

    @property
    def request(self) -> ledger.Request:
        """What it wants to reserve."""
        return self._by(self.ways[0])

    @property
    def others(self) -> list[ledger.Request]:
        """What it may want yet, by its other ways."""
        return [self._by(way) for way in self.ways[1:]]

    def _by(self, way: Way) -> ledger.Request:
        return ledger.Request(
            reply_id=self.reply.id,
            channel=way.offer.channel,
            country=self.reply.country,
            amount=way.amount,
            parts=way.offer.parts,
            crossed=way.crossed,
        )

    def for_nothing(self) -> bool:
        """Turn to a way that costs nothing, were it kept for others; False if there is none."""
        free = [way for way in self.ways if not way.offer.micros]
        self.ways = free or self.ways
        return bool(free)

    def otherwise(self) -> bool:
        """Turn to the next way; False if there is none."""
        if len(self.ways) == 1:
            return False
        self.ways = self.ways[1:]
        return True


@dataclasses.dataclass(slots=True, kw_only=True)
class Routes:
    """What finding ways is told once a claim."""

    core: settings.Core
    keys: vault.Vault
    bridges: Mapping[str, bridge.Bridge]
    ask: Ask
    usable: AbstractSet[str]
    least: Mapping[str, int]
    offered: Mapping[str, Sequence[str]]

    @classmethod
    def of(  # noqa: PLR0917 (a claim's parts, passed on)
        cls,
        tx: sa.Connection,
        core: settings.Core,
        keys: vault.Vault,
        bridges: Mapping[str, bridge.Bridge],
        ask: Ask,
        usable: AbstractSet[str],
        savings: Savings,
        now_ms: int,
    ) -> Routes:
        """For one claim. What only `cheapest` needs is read only for it."""
        same = core.reply.route == settings.ROUTE_SAME
        return cls(
            core=core,
            keys=keys,
            bridges=bridges,
            ask=ask,
            usable=usable,
            least={} if same else savings.least(tx, now_ms),
            offered={} if same else pool.offered(tx),
        )

    def find(self, reply: outbox.DueReply, recipient: address.Address) -> tuple[list[Way], bool]:
        """The ways in their order, and whether there were others that cost too much.

        Raises vault.SealedError.
        """
        rules, written_to = self.core.reply, reply.written_to[0]
        # A moderator's own words go from where he wrote to: they name no other number.
        one = rules.route == settings.ROUTE_SAME or not reply.automatic
        names = (written_to,) if one else tuple(self.bridges)
        refused = reply.refused
        if tried := self._tried(reply) - refused:
            names = tuple(tried)
        found = [self._way(name, reply, recipient) for name in names if name not in refused]
        ways = {way.offer.channel: way for way in found if way is not None}
        ranked = routing.ranked(
            [way.offer for way in ways.values()],
            written_to=written_to,
            rules=rules,
            ceiling_micros=self.core.budget.price_ceiling_micros,
            least=self.least,
        )
        return [ways[offer.channel] for offer in ranked], bool(ways)

    def waits(self, reply: outbox.DueReply) -> bool:
        """Whether the channel it must go by, or was tried by, is only shut for now."""
        names = {reply.written_to[0]} | self._tried(reply)
        return any(n in self.bridges and n not in self.usable for n in names - reply.refused)

    def _tried(self, reply: outbox.DueReply) -> frozenset[str]:
        """Another network's channel that a try may have gone out by: its 429 is no certain no."""
        way = self.bridges.get(reply.channel)
        crossed = way is not None and way.network != reply.network
        return frozenset({reply.channel}) if reply.attempts and crossed else frozenset()

    def _way(self, name: str, reply: outbox.DueReply, recipient: address.Address) -> Way | None:
        way = self.bridges.get(name)
        if way is None or name not in self.usable:
            return None
        written_to, own_address = reply.written_to
        # Nobody released it for this channel.
        if name != written_to and name in self.core.reply.release_channels:
            return None
        own = own_address if name == written_to else self._own(name, reply.id)
        if own is None:
            return None
        text = self._wording(reply, moved=name != written_to)
        quote = self.ask(way, recipient, text)
        # An unknown currency fails closed: no rate, no offer.
        amount = ledger.convert(self.core.budget, quote.price) if quote is not None else None
        if quote is None or amount is None:
            return None
        offer = routing.Offer(
            channel=name, own_address=own, micros=amount.micros, parts=quote.parts
        )
        crossed = recipient.network != way.network
        return Way(offer=offer, amount=amount, text=text, crossed=crossed)

    def _own(self, name: str, reply_id: int) -> str | None:
        """One of the offered addresses in turn, so that none of them sends all."""
        # The pool remembers numbers that the channel has no more.
        has = {one.address.value for one in self.bridges[name].addresses}
        offered = [value for value in self.offered.get(name, ()) if value in has]
        return offered[reply_id % len(offered)] if offered else None

    def _wording(self, reply: outbox.DueReply, *, moved: bool) -> str:
        return wording(
            reply.id,
            reply.text_enc,
            reply.language,
            reply.written_to[1] if moved else None,
            self.core.reply,
            self.keys,
        )


def wording(  # noqa: PLR0917 (what a reply's row says of its words)
    reply_id: int,
    text_enc: bytes | None,
    language: str,
    written_to: str | None,
    rules: settings.Reply,
    keys: vault.Vault,
) -> str:
    """A hand-written text, else the operator's, else the default of its language.

    `written_to`: the address he wrote to, if this comes from another: then it is named. Raises
    vault.SealedError.
    """
    if text_enc is not None:
        return keys.open(text_enc, outbox.place(reply_id))
    if written_to is not None:
        return texts.with_address(language, written_to, rules.tone)
    own = rules.texts.get(language)
    return own if own is not None else texts.text(language, rules.tone)


def scarce_use(ready: Ready, ways: Sequence[Way], savings: Savings) -> dict[str, int]:
    """What to count of a reply that goes out: what each channel with a quota would have saved."""
    if ready.reply.attempts or len(ways) == 1:
        return {}
    dearest = max(way.offer.micros for way in ways)
    return {
        counter(way.offer.channel, dearest - way.offer.micros): 1
        for way in ways
        if way.offer.channel in savings.scarce and way.offer.micros < dearest
    }
