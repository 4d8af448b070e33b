"""One Twilio channel as a bridge: puts the parts together and decides nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from bot.contract import address, bridge, intake, messages, money, outcomes
from bridges.sms.twilio import (
    asking,
    checking,
    client,
    cover,
    line,
    opinions,
    sending,
    settings,
    webhooks,
)

HEALTH_LIMIT_S: Final = 4.0
HEALTH_KEPT: Final = dt.timedelta(seconds=60)
_LOCKED_OUT: Final = frozenset({401, 403, 404})
PRICES_EVERY_S: Final = 86_400.0
PRICES_LIMIT_S: Final = 120.0


class _Questions:
    """What Twilio can be asked."""

    _line: line.Line
    _asking: asking.Asking

    async def fetch_status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        """As contract.bridge.FetchesStatus; the client's errors mean "ask again later"."""
        return await self._asking.status(sent)

    async def sweep(self, door: intake.Intake, since: dt.datetime) -> int:
        """As contract.bridge.SweepsInbound."""
        return await self._asking.sweep(door, since)

    async def check(self) -> Sequence[bridge.Finding]:
        """As contract.bridge.ChecksItself."""
        return await checking.check(self._line)

    async def set_up(self, *, apply: bool) -> Sequence[bridge.Finding]:
        """As contract.bridge.SetsUp."""
        return await checking.set_up(self._line, apply=apply)

    def release_reason(self) -> str | None:
        """As contract.bridge.WantsRelease."""
        return checking.release_reason(self._line)


class Twilio(_Questions):
    """One `[channels.NAME]` with `kind = "sms.twilio"`."""

    network: Final = address.SMS
    # Twilio has no idempotency key: a second create is a second SMS.
    idempotent: Final = False

    def __init__(self, chosen: settings.Settings, context: bridge.Context) -> None:
        """Opens nothing; the first use does."""
        self.channel: Final = context.channel
        self.addresses: Final = chosen.addresses
        self._line = line.Line(chosen, context)
        self._sending = sending.Sending(self._line)
        self._asking = asking.Asking(self._line, self._sending)
        self._uncovered = asyncio.Event()
        self._health: tuple[dt.datetime, bridge.Health] | None = None

    def pace(self) -> float:
        """A number sends about one part a second; more only waits at Twilio."""
        return float(len(self.addresses))

    def reaches(self, recipient: address.Address) -> bool:
        """A full international number with a price."""
        known = recipient.network == address.SMS and recipient.is_e164
        return known and self._line.tariff.part(recipient.value) is not None

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        """Parts times the dearest price of a part there."""
        if not self.reaches(recipient):
            return None
        return self._line.tariff.quote(recipient.value, text)

    def routes(self, door: intake.Intake) -> Sequence[bridge.Route]:
        """in, fallback, status, voice below /twilio/CHANNEL/."""
        return webhooks.Webhooks(self._line, door, self._answers_itself).routes()

    async def listen(self, door: intake.Intake) -> None:
        """Learn the prices, daily; end if Twilio gives us away. Messages come by the routes."""
        storage = self._line.context.storage
        self._line.tariff.load(await storage.get(line.PRICES_KEY))
        while True:
            await self._refuse_without_cover()
            await self._learn_prices()
            pause = asyncio.create_task(self._line.context.clock.sleep(PRICES_EVERY_S))
            told = asyncio.create_task(self._uncovered.wait())
            try:
                await asyncio.wait({pause, told}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()
                told.cancel()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        """As contract.bridge.Bridge.send."""
        return await self._sending.send(reply)

    async def health(self) -> bridge.Health:
        """Asks for the account, at most once a minute."""
        now = self._line.now()
        if self._health is None or now - self._health[0] >= HEALTH_KEPT:
            self._health = (now, await self._felt())
        felt, refused = self._health[1], self._line.seen.refused
        told = f"{refused} requests refused at the webhooks since the start" if refused else ""
        return bridge.Health(
            condition=felt.condition,
            detail=felt.detail or told,
            last_event_at=self._line.seen.last_event_at,
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._line.account.close()

    async def _felt(self) -> bridge.Health:
        keyword = await cover.known(self._line)
        if keyword is not None and not self._line.settings.allow_provider_answers:
            detail = f"Twilio itself answers {keyword}; {cover.MEND}"
            return bridge.Health(condition=bridge.Condition.NEEDS_HUMAN, detail=detail)
        try:
            async with asyncio.timeout(HEALTH_LIMIT_S):
                sid = self._line.settings.account_sid
                told = await self._line.account.sdk.api.accounts(sid).fetch_async()
        except client.RefusedError as error:
            # 429 and the like: it answers, it only has no time for this question.
            human = error.refusal.status in _LOCKED_OUT
            condition = bridge.Condition.NEEDS_HUMAN if human else bridge.Condition.UP
            return bridge.Health(condition=condition, detail=str(error))
        except (client.AbsentError, client.LostError, TimeoutError) as error:
            return bridge.Health(condition=bridge.Condition.DOWN, detail=str(error) or "too slow")
        if told.status != "active":
            detail = "the Twilio account is not active"
            return bridge.Health(condition=bridge.Condition.NEEDS_HUMAN, detail=detail)
        return bridge.Health(condition=bridge.Condition.UP)

    async def _answers_itself(self, keyword: str) -> None:
        """Twilio answered somebody in our name: nothing more goes out by this channel."""
        await cover.remember(self._line, keyword)
        self._health = None
        self._uncovered.set()

    async def _refuse_without_cover(self) -> None:
        self._uncovered.clear()
        keyword = await cover.known(self._line)
        if keyword is not None and not self._line.settings.allow_provider_answers:
            reason = f"Twilio itself answers {keyword}: refused for cover"
            raise bridge.BridgeDownError(reason, needs_human=cover.MEND)

    async def _learn_prices(self) -> None:
        """Ask the Pricing API unless its last answers are fresh; without it the table serves."""
        now = self._line.now()
        at = self._line.tariff.fetched_at
        if at is not None and now - at < dt.timedelta(seconds=PRICES_EVERY_S):
            return
        told: dict[str, object] = {}
        try:
            async with asyncio.timeout(PRICES_LIMIT_S):
                for country in self._line.settings.countries:
                    told[country] = await self._price_list(country)
        except (client.AbsentError, client.LostError, TimeoutError):
            pass  # what came so far is taken
        if self._line.tariff.learn(told, now):
            await self._line.context.storage.put(line.PRICES_KEY, self._line.tariff.dump())

    async def _price_list(self, country: str) -> object:
        """The Pricing API's answer for one country; None where it has none."""
        pricing = self._line.account.sdk.pricing.v1.messaging
        try:
            found = await pricing.countries(country).fetch_async()
        except client.RefusedError:
            return None
        return {
            "price_unit": found.price_unit,
            "outbound_sms_prices": found.outbound_sms_prices,
            "inbound_sms_prices": found.inbound_sms_prices,
        }


class LooksUp(Twilio):
    """With `lookup = true`."""

    def opinion_price(self) -> money.Money:
        """As contract.bridge.GivesSecondOpinions."""
        return self._line.settings.lookup_price

    async def opinions(
        self, addresses: Sequence[address.Address]
    ) -> Mapping[address.Address, bool]:
        """As contract.bridge.GivesSecondOpinions."""
        return await opinions.ask(self._line, addresses)


class Forgets(Twilio):
    """With `at_provider = "redact"` or `"delete"`."""

    async def delete(self, provider_id: str) -> bool:
        """As contract.bridge.DeletesAtProvider."""
        return await self._asking.delete(provider_id)


class ForgetsAndLooksUp(Forgets, LooksUp):
    """With both."""


KINDS: Final[Mapping[tuple[bool, bool], type[Twilio]]] = {
    (False, False): Twilio,
    (False, True): LooksUp,
    (True, False): Forgets,
    (True, True): ForgetsAndLooksUp,
}
"""By (forgets, looks up): the core finds abilities by the class."""


def make(chosen: settings.Settings, context: bridge.Context) -> Twilio:
    """The bridge with just the abilities that its settings ask for."""
    return KINDS[chosen.at_provider != settings.KEEP, chosen.lookup](chosen, context)
