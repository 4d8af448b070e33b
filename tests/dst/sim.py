"""A provider without a wire: a bridge that drops repeats, whose inbound is handed in as it is.

It stands for any network to come, and makes what the four real ones cannot: a bridge that raises.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from bot.contract import address, bridge, intake, messages, money, outcomes
from tests.dst import outside, people, wire

KEEPS = intake.NotStoredError


class _Bridge:
    """What the core sees."""

    network = address.SMS
    idempotent = True

    def __init__(self, of: Sim) -> None:
        self.channel = of.channel
        self.addresses: Sequence[bridge.OwnAddress] = (
            bridge.OwnAddress(address=address.Address(address.SMS, people.OURS[of.channel])),
        )
        self._of = of

    def reaches(self, recipient: address.Address) -> bool:
        return recipient.network == self.network

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        del recipient, text
        return messages.Quote(price=money.Money(0, "EUR"), parts=1)

    async def listen(self, door: intake.Intake) -> None:
        self._of.door = door
        await wire.never()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        return await self._of.send(reply)

    async def fetch_status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        await self._of.world.question("asked about")
        call = self._of.by_id.get(sent.reply_id)
        return None if call is None else self._of.news(call, messages.Delivery.SENT)

    async def close(self) -> None:
        return


class Sim(outside.Network):
    """Drops repeats by the reply's id."""

    repeats = True

    def __init__(self, world: outside.Outside, channel: str = people.SIM) -> None:
        super().__init__(world, channel)
        self.by_id: dict[str, outside.Call] = {}
        self.door: intake.Intake | None = None

    async def make(self, context: bridge.Context) -> bridge.Bridge:
        del context
        return _Bridge(self)

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        before = self.by_id.get(reply.reply_id)
        if before is not None:
            await self.world.points.at("send repeated")
            self.world.faults["repeat_dropped"] += 1
            return outcomes.Accepted(provider_id=str(before.provider_id), parts=1)
        call = self.world.call(self, reply.reply_id, reply.recipient, 0)
        call.text = reply.text
        try:
            told = await self.world.treat(self, call)
        except wire.AbsentError:
            told = wire.Told(status=429)
        if told.status == 429:
            wait = dt.timedelta(seconds=self.world.draw.choice((5, 60, 900, 7_200)))
            retry_at = self.world.clock.now() + wait
            return outcomes.NotNow(reason="429", retry_at=retry_at)
        if told.status in {401, 403}:
            stops = told.status == 401
            return outcomes.Rejected(reason="no", stop_channel=stops)
        if told.raw is not None:
            return outcomes.Unknown(reason="5xx")
        return outcomes.Accepted(provider_id=str(call.provider_id), parts=1)

    def take(self, call: outside.Call, number: int) -> None:
        call.provider_id = f"p{number}"
        self.by_id[call.reply_id] = call
        draw = self.world.draw
        end = messages.Delivery.DELIVERED
        if self.world.fault("not_delivered", 0.1):
            call.failed, end = True, messages.Delivery.FAILED
            call.met.add("not_delivered")
        for n in range(1 + self.world.fault("news_twice", 0.3)):
            self._tell(draw.uniform(0, 9_000), call, end, again=n > 0)

    def _tell(
        self, delay_s: float, call: outside.Call, end: messages.Delivery, *, again: bool
    ) -> None:
        async def act() -> None:
            door = self.door
            if door is None:
                raise KEEPS("not started")
            await door.receipts([self.news(call, end)])
            self.world.effects["news_twice"] += again

        self.world.later(delay_s, act)

    def news(self, call: outside.Call, delivery: messages.Delivery) -> messages.DeliveryReceipt:
        failed = call.failed
        return messages.DeliveryReceipt(
            channel=self.channel,
            at=self.world.clock.now(),
            provider_id=call.provider_id,
            reply_id=call.reply_id,
            delivery=messages.Delivery.FAILED if failed else delivery,
            price=money.Money(0, "EUR"),
        )

    def good(self, call: outside.Call) -> wire.Told:
        return wire.Told(json={"id": call.provider_id})

    def refusal(self, *, of_account: bool) -> wire.Told:
        return wire.Told(status=401 if of_account else 403)

    def write(self, letter: people.Letter, acked: Callable[[people.Letter], None]) -> None:
        letter.name = f"m{letter.number}"
        wrote = self.world.written(letter)
        letter.wrote = wrote
        message = messages.InboundMessage(
            channel=self.channel,
            provider_id=letter.name,
            sender=letter.sender,
            recipient=address.Address(address.SMS, people.OURS[self.channel]),
            received_at=wrote,
            text=letter.text,
        )

        async def deliver(*, again: bool = False) -> None:
            door = self.door
            if door is None:
                raise KEEPS("not started")
            letter.handed = True
            await door.accept([message])
            acked(letter)
            self.world.effects["delivered_twice"] += again
            if self.world.fault("delivered_twice", 0.15):
                self.world.later(self.world.draw.uniform(0, 5_000), lambda: deliver(again=True))

        self.world.later(0, deliver)
