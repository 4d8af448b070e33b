"""The world outside: accounts that keep their own ledger of what they were given, and faults."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import random
from collections.abc import Callable, Sequence

from bot.contract import address, bridge, intake, messages, money, outcomes
from tests.dst import points
from tests.fakes import world as fake

FATES = {
    "accepted": 0.56,
    "price_later": 0.12,
    "answer_lost": 0.07,
    "raised_after": 0.02,
    "lost_before": 0.05,
    "raised_before": 0.02,
    "not_now": 0.09,
    "refused": 0.05,
    "account_refused": 0.02,
}
OUT = frozenset({"accepted", "price_later", "answer_lost", "raised_after"})
UNSURE = frozenset({"answer_lost", "raised_after", "lost_before", "raised_before"})


class Clock(fake.Clock):
    """The wall clock may be set; the steady one goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = dt.timedelta()

    def now(self) -> dt.datetime:
        return super().now() + self.shift


@dataclasses.dataclass(slots=True, kw_only=True)
class Call:
    """One call of `send`, as the account saw it. `fate` is set before it answers."""

    channel: str
    reply_id: str
    to: address.Address
    begun: dt.datetime
    steady_s: float
    quote: int
    fate: str = "cut"
    provider_id: str | None = None
    price: int | None = None
    told: bool = False
    failed: bool = False

    @property
    def maybe_out(self) -> bool:
        """It reached him, or we were not told for certain that it did not."""
        return not self.failed and (self.fate in OUT or self.fate in UNSURE or self.fate == "cut")


class Account:
    """One account. It is given sends and says what became of them, or does not."""

    def __init__(
        self,
        world: Outside,
        channel: str,
        network: str,
        own: str,
        price: int,
        *,
        idempotent: bool,
    ) -> None:
        self.channel, self.network, self.idempotent = channel, network, idempotent
        self.addresses: Sequence[bridge.OwnAddress] = (
            bridge.OwnAddress(address=address.Address(network, own)),
        )
        self._world = world
        self._price = price

    def reaches(self, recipient: address.Address) -> bool:
        return recipient.network == self.network

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        del text
        cents = int(recipient.value[-1], 16) % 3 if self._price else 0
        return messages.Quote(price=money.Money(self._price + cents * 10_000, "EUR"), parts=1)

    async def listen(self, door: intake.Intake) -> None:
        raise AssertionError("the world hands messages in by itself")

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        quote = self.quote(reply.recipient, reply.text)
        assert quote is not None
        return await self._world.sent(self, reply, quote.price.micros)

    async def fetch_status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        return await self._world.asked(self, sent)

    async def close(self) -> None:
        return


class Outside:
    """All accounts. `later(delay_s, receipt)` hands news in, until it was stored."""

    def __init__(
        self,
        draw: random.Random,
        clock: Clock,
        at: points.Points,
        later: Callable[[float, messages.DeliveryReceipt], None],
    ) -> None:
        self._draw, self._clock, self._points, self._later = draw, clock, at, later
        self.calls: list[Call] = []
        self.faults: collections.Counter[str] = collections.Counter()
        self.calm = False
        self._accepted = 0
        self._by_id: dict[tuple[str, str], Call] = {}

    async def sent(
        self, account: Account, reply: messages.OutboundReply, quote: int
    ) -> outcomes.Outcome:
        call = Call(
            channel=account.channel,
            reply_id=reply.reply_id,
            to=reply.recipient,
            begun=self._clock.now(),
            steady_s=self._clock.monotonic(),
            quote=quote,
        )
        before = self._by_id.get((account.channel, reply.reply_id))
        if before is not None and account.idempotent:
            # It is known there already: nothing goes out again.
            await self._points.at("send repeated")
            return _accepted(before)
        self.calls.append(call)
        await self._points.at("send begins")
        fate = "accepted" if self.calm else points.chance(self._draw, FATES)
        if fate not in {"accepted", "price_later"}:
            self.faults[fate] += 1
        if fate in OUT:
            self._take(call, account.channel, fate)
            await self._points.at("send accepted")
        else:
            call.fate = fate
        return self._answer(call, fate)

    def _take(self, call: Call, channel: str, fate: str) -> None:
        call.fate = fate
        self._accepted += 1
        call.provider_id = f"p{self._accepted}"
        call.price = call.quote if self._draw.random() < 0.8 else call.quote // 2
        self._by_id[channel, call.reply_id] = call
        self._news(call)

    def _answer(self, call: Call, fate: str) -> outcomes.Outcome:
        match fate:
            case "accepted":
                call.told = True
                return _accepted(call)
            case "price_later":
                return outcomes.Accepted(provider_id=str(call.provider_id))
            case "answer_lost" | "lost_before":
                return outcomes.Unknown(reason="timeout")
            case "not_now":
                wait = dt.timedelta(seconds=self._draw.choice((5, 60, 900, 7_200)))
                return outcomes.NotNow(reason="429", retry_at=self._clock.now() + wait)
            case "refused":
                return outcomes.Rejected(reason="30005")
            case "account_refused":
                return outcomes.Rejected(reason="20003", stop_channel=True)
        raise ConnectionResetError(fate)

    def _news(self, call: Call) -> None:
        """What the network will say of it, some of it twice, in any order, or never."""
        draw = self._draw
        told = messages.DeliveryReceipt(
            channel=call.channel,
            at=self._clock.now(),
            provider_id=call.provider_id,
            reply_id=call.reply_id if draw.random() < 0.7 else None,
            price=money.Money(call.price or 0, "EUR"),
        )
        end = messages.Delivery.DELIVERED
        if draw.random() < 0.12 and not self.calm:
            self.faults["not_delivered"] += 1
            call.failed = True
            end = messages.Delivery.FAILED
            told = dataclasses.replace(
                told,
                price=money.Money(1_000, "EUR"),
                recipient=call.to,
                retry_at=self._clock.now() + dt.timedelta(hours=2),
                reason="30003",
            )
            call.price = 1_000
        if call.fate == "accepted" and not call.failed:
            # Its price was told with the acceptance.
            told = dataclasses.replace(told, price=None)
        else:
            call.told = True
        self._later(draw.uniform(0, 3_000), dataclasses.replace(told, delivery=end))
        if draw.random() < 0.4:
            self._later(
                draw.uniform(0, 4_000),
                dataclasses.replace(
                    told, price=None, retry_at=None, delivery=messages.Delivery.SENT
                ),
            )
        if draw.random() < 0.3:
            self.faults["news_twice"] += 1
            self._later(draw.uniform(0, 9_000), dataclasses.replace(told, delivery=end))

    async def asked(
        self, account: Account, sent: bridge.SentReply
    ) -> messages.DeliveryReceipt | None:
        await self._points.at("asked about")
        call = self._by_id.get((account.channel, sent.reply_id))
        if call is None or (self._draw.random() < 0.3 and not self.calm):
            return None
        call.told = True
        return messages.DeliveryReceipt(
            channel=account.channel,
            at=self._clock.now(),
            provider_id=call.provider_id,
            reply_id=call.reply_id,
            delivery=messages.Delivery.FAILED if call.failed else messages.Delivery.SENT,
            price=money.Money(call.price or 0, "EUR"),
        )


def _accepted(call: Call) -> outcomes.Accepted:
    if call.told and not call.failed:
        price = money.Money(call.price or 0, "EUR")
        return outcomes.Accepted(provider_id=str(call.provider_id), parts=1, price=price)
    return outcomes.Accepted(provider_id=str(call.provider_id), parts=1)
