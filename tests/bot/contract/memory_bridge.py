"""A bridge with every optional ability, to a network in memory that has every trouble."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from bot.contract import address, bridge, conformance, intake, messages, money, outcomes, segments

OWN = address.Address(address.SMS, "+33639980000")
PRICE_MICROS = 80_000
LIMIT_S = 1.0


class Network:
    """The provider: its listing, and what it was told to do with the next send."""

    def __init__(self) -> None:
        self.listed: dict[str, conformance.Inbound] = {}
        self.acknowledged: set[str] = set()
        self.sent: list[conformance.Sent] = []
        self.trouble = ""


class MemoryBridge:
    """Takes webhooks, sends by a call, and can everything the contract knows of."""

    network = address.SMS
    idempotent = False

    def __init__(self, provider: Network, context: bridge.Context) -> None:
        self.channel = context.channel
        self.addresses: Sequence[bridge.OwnAddress] = (bridge.OwnAddress(address=OWN),)
        self.provider = provider
        self.context = context

    def reaches(self, recipient: address.Address) -> bool:
        return recipient.network == address.SMS and recipient.is_e164

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        if not self.reaches(recipient):
            return None
        parts = segments.count(text).parts
        return messages.Quote(price=money.Money(PRICE_MICROS * parts, "EUR"), parts=parts)

    async def listen(self, door: intake.Intake) -> None:
        await asyncio.Event().wait()

    def routes(self, door: intake.Intake) -> Sequence[bridge.Route]:
        async def webhook(
            scope: MutableMapping[str, Any],
            receive: Any,  # noqa: ANN401 (spelled out in bridge.AsgiApp)
            send: Any,  # noqa: ANN401
        ) -> None:
            body = (await receive())["body"]
            status = await self.take(body, door)
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})

        return (bridge.Route(path="/memory", app=webhook),)

    async def take(self, body: bytes, door: intake.Intake) -> int:
        try:
            fields = json.loads(body)
            message = self.message(fields["id"], fields["from"], fields["text"], fields["at"])
        except (ValueError, KeyError, TypeError):
            return 400
        try:
            await door.accept([message])
        except intake.NotStoredError:
            return 503
        return 200

    def message(self, event_id: str, sender: str, text: str, at: str) -> messages.InboundMessage:
        return messages.InboundMessage(
            channel=self.channel,
            provider_id=event_id,
            sender=address.Address(address.SMS, sender),
            recipient=OWN,
            received_at=dt.datetime.fromisoformat(at),
            text=text,
        )

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        trouble, self.provider.trouble = self.provider.trouble, ""
        match trouble:
            case "refuse":
                return outcomes.Rejected(reason="landline")
            case "wait":
                later = self.context.clock.now() + dt.timedelta(seconds=9)
                return outcomes.NotNow(reason="rate", retry_at=later)
            case "break":
                return outcomes.Unknown(reason="reset")
            case "hang":
                await self.context.clock.sleep(LIMIT_S)
                return outcomes.Unknown(reason="time limit")
        await asyncio.sleep(0)
        self.provider.sent.append(
            conformance.Sent(recipient=reply.recipient.value, text=reply.text)
        )
        price = money.Money(PRICE_MICROS, "EUR")
        return outcomes.Accepted(provider_id=f"m{len(self.provider.sent)}", price=price)

    async def close(self) -> None:
        return None

    async def sweep(self, door: intake.Intake, since: dt.datetime) -> int:
        listed = [
            self.message(e.event_id, e.sender.value, e.text, e.at.isoformat())
            for e in self.provider.listed.values()
            if e.at >= since
        ]
        await door.accept(listed)
        return len(listed)

    async def health(self) -> bridge.Health:
        return bridge.Health(condition=bridge.Condition.UP)

    async def fetch_status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        return None

    async def look_up(
        self, addresses: Sequence[address.Address]
    ) -> Mapping[address.Address, address.Address | None]:
        return dict.fromkeys(addresses)


class MemoryWorld:
    """Somebody with a phone, and a provider that posts webhooks."""

    person = address.Address(address.SMS, "+33639981234")
    patience_s = 0.6
    quiet_s = 0.05
    time_limit_s = LIMIT_S
    kind: type[MemoryBridge] = MemoryBridge

    async def open(self) -> None:
        self.provider = Network()

    async def close(self) -> None:
        return None

    def settings(self) -> Mapping[str, object]:
        return {"kind": "memory"}

    def create(self, settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
        if unknown := set(settings) - {"kind"}:
            raise bridge.SettingsError([(key, "is no setting") for key in unknown])
        return self.kind(self.provider, context)

    def mount(self, routes: Sequence[bridge.Route]) -> None:
        self.app = routes[0].app

    async def deliver(self, inbound: conformance.Inbound) -> None:
        self.provider.listed[inbound.event_id] = inbound
        fields = {"id": inbound.event_id, "from": inbound.sender.value, "text": inbound.text}
        body = json.dumps({**fields, "at": inbound.at.isoformat()}).encode()
        answer = await conformance.call(self.app, "/memory", body=body)
        if answer.status == 200:
            self.provider.acknowledged.add(inbound.event_id)

    async def deliver_malformed(self) -> None:
        for body in (b"", b"{", b"[]", b"null", b'{"id": 1}'):
            await conformance.call(self.app, "/memory", body=body)

    def acknowledged(self, event_id: str) -> bool:
        return event_id in self.provider.acknowledged

    async def retry(self) -> None:
        for event_id in set(self.provider.listed) - self.provider.acknowledged:
            await self.deliver(self.provider.listed[event_id])

    def sent(self) -> Sequence[conformance.Sent]:
        return self.provider.sent

    def refuse_next(self) -> None:
        self.provider.trouble = "refuse"

    def wait_next(self) -> None:
        self.provider.trouble = "wait"

    def break_next(self) -> None:
        self.provider.trouble = "break"

    def hang_next(self) -> None:
        self.provider.trouble = "hang"
