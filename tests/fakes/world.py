"""A network in memory: what the outside world saw, and faults on demand."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence

from bot import build
from bot.contract import address, bridge, intake, messages, money, outcomes
from bot.contract.conformance import fakes
from bot.policy import settings
from bot.store import database, vault
from tests.fakes import databases

START = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
OURS = "+33639989999"
PRICE = 80_000


class World:
    """A bridge whose sends end as told; `sent` is its own ledger of what reached a phone."""

    def __init__(self, channel: str = "sms", *, idempotent: bool = False) -> None:
        """`outcome` decides each send; None means accepted at PRICE a part."""
        self.channel = channel
        self.network = address.SMS
        self.idempotent = idempotent
        self.addresses: Sequence[bridge.OwnAddress] = (
            bridge.OwnAddress(address=address.Address(address.SMS, OURS)),
        )
        self.sent: list[messages.OutboundReply] = []
        self.outcome: Callable[[messages.OutboundReply], outcomes.Outcome | None] = lambda _: None
        # What happens elsewhere while the send is under way.
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.gate: asyncio.Event | None = None
        self.dear = False
        self.before: Callable[[], None] = lambda: None

    def reaches(self, recipient: address.Address) -> bool:
        """Any full number."""
        return recipient.network == self.network and recipient.is_e164

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        """One part at PRICE, or three at that."""
        del recipient, text
        parts = 3 if self.dear else 1
        return messages.Quote(price=money.Money(parts * PRICE, "EUR"), parts=parts)

    async def listen(self, door: intake.Intake) -> None:
        """Nothing comes by itself."""
        del door
        await asyncio.Event().wait()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        """As `outcome` says; what may have gone out is in `sent`."""
        self.before()
        if self.gate is not None:
            await self.gate.wait()
        if self.meanwhile is not None:
            await self.meanwhile()
        told = self.outcome(reply)
        if told is None or isinstance(told, outcomes.Accepted | outcomes.Unknown):
            self.sent.append(reply)
        if told is not None:
            return told
        return outcomes.Accepted(
            provider_id=f"p{len(self.sent)}", parts=1, price=money.Money(PRICE, "EUR")
        )

    async def close(self) -> None:
        """Nothing to give back."""


class Clock(fakes.FakeClock):
    """A virtual clock that starts at START and can be set in one step."""

    def __init__(self) -> None:
        """At START."""
        super().__init__(START)


async def rooms(
    *worlds: World,
    core: settings.Core | None = None,
    store: database.Store | None = None,
    moment: Clock | None = None,
    keys: vault.Vault | None = None,
) -> build.Rooms:
    """The real rooms around these worlds, on a fresh database unless given one."""
    if store is None:
        store = await databases.fresh()
    return build.rooms(
        store=store,
        core=core or settings.Core(who=settings.Who(answer_fiction=True)),
        keys=keys or vault.throwaway(7),
        bridges={world.channel: world for world in worlds},
        moment=moment or Clock(),
    )


def phone(number: int) -> str:
    """The fictional phone `number` (0 to 9999)."""
    return f"+3363998{number:04d}"


def message(
    number: int, *, text: str = "salut", at: dt.datetime = START, **more: object
) -> messages.InboundMessage:
    """An SMS of the fictional phone `number` (0 to 9999)."""
    values: dict[str, object] = {
        "channel": "sms",
        "provider_id": f"m{number}-{text}-{at.timestamp()}",
        "sender": address.Address(address.SMS, phone(number)),
        "recipient": address.Address(address.SMS, OURS),
        "received_at": at,
        "text": text,
    }
    return messages.InboundMessage(**(values | more))  # type: ignore[arg-type]


async def lapse(rooms: build.Rooms, hours: float, *, every_s: int = 900) -> None:
    """Let virtual time pass; at every `every_s` seconds the flood is looked at and all is sent."""
    moment = rooms.clock
    assert isinstance(moment, Clock)
    for _ in range(round(hours * 3600 / every_s)):
        await moment.advance(every_s)
        await rooms.flood.look()
        while await rooms.dispatcher.step():
            pass
