"""The phone as a bridge: its events in, replies out, its heartbeat watched."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import Final

from bot.contract import address, bridge, intake, messages, outcomes, segments
from bridges.sms.smsgate import checklist, client, hook, notes, sending, settings, sweeping, wire

HEALTH_LIMIT_S: Final = 4.0
WATCH_S: Final = 60.0


class SmsGate(checklist.Overseen):
    """One phone with one to three SIMs."""

    network: Final = address.SMS
    # Our reply id is the message's id there: a repeat is answered 409 and not sent (PROVIDERS.md).
    idempotent: Final = True

    def __init__(self, chosen: settings.Settings, context: bridge.Context) -> None:
        """Opens nothing; the first request does."""
        api = client.Client(chosen)
        kept = notes.Notes(context.storage)
        self._check = checklist.Checklist(chosen, context, api, kept)
        super().__init__(chosen, self._check)
        self.channel: Final = context.channel
        self.addresses: Final = chosen.addresses
        self._settings = chosen
        self._context = context
        self._client = api
        self._notes = kept
        self._sweep = sweeping.Sweep(chosen, context, api)
        self._hook: hook.Hook | None = None
        self._door: intake.Intake | None = None
        self._started_at = context.clock.now()
        self._heard_at: dt.datetime | None = None
        self._noted_at: dt.datetime | None = None

    def reaches(self, recipient: address.Address) -> bool:
        """A full international number."""
        return recipient.network == address.SMS and recipient.is_e164

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        """Parts times the plan's price of a part, which is zero where the plan covers them."""
        if not self.reaches(recipient):
            return None
        parts = segments.count(text).parts
        return messages.Quote(price=self._settings.price.times(parts), parts=parts)

    def routes(self, door: intake.Intake) -> Sequence[bridge.Route]:
        """Where the phone posts its events."""
        self._door = door
        self._hook = hook.Hook(self._context, self._settings, self._take)
        return (bridge.Route(path=checklist.path(self.channel), app=self._hook),)

    async def listen(self, door: intake.Intake) -> None:
        """Watch the heartbeat; everything comes in by the route.

        Raises BridgeDownError when the phone was silent for `ping_human_s`.
        """
        limit_s = self._settings.ping_human_s
        while True:
            silent_s = await self._silent_s()
            if limit_s and silent_s > limit_s:
                raise bridge.BridgeDownError(
                    f"the phone has been silent for {silent_s / 60:.0f} minutes",
                    needs_human="look at the phone: power, network, the app, Settings, Ping",
                )
            await self._context.clock.sleep(WATCH_S)

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        """Hand one reply to the phone, under its own id and by the SIM he wrote to."""
        now = self._context.clock.now()
        quote = self.quote(reply.recipient, reply.text)
        if quote is None or not any(own.address == reply.sender for own in self.addresses):
            return outcomes.Rejected(reason="no such recipient, or no SIM with that number")
        if reply.valid_until <= now:
            return outcomes.Rejected(reason="too late")
        try:
            await self._notes.expect(reply.reply_id, quote.parts)
            answer = await self._client.ask(
                "POST",
                "/messages",
                body=sending.body(reply, self._settings, now),
                limit_s=self._settings.send_limit_s,
            )
        except (client.NobodyThereError, intake.NotStoredError):
            return sending.later("the phone or our database is away; nothing was asked", now)
        except client.CutError:
            return outcomes.Unknown(reason="no answer from the phone")
        return sending.outcome(answer, reply, quote, now)

    async def fetch_status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        """Ask for the message of our own id; the API knows nothing is None."""
        try:
            answer = await self._client.ask(
                "GET", f"/messages/{sent.reply_id}", limit_s=self._settings.send_limit_s
            )
            parts = await self._notes.parts(sent.reply_id)
        except (client.NobodyThereError, client.CutError, intake.NotStoredError):
            return None
        return sending.status(
            answer,
            sent.reply_id,
            channel=self.channel,
            now=self._context.clock.now(),
            parts=parts,
            price=self._settings.price,
        )

    async def sweep(self, door: intake.Intake, since: dt.datetime) -> int:
        """Hand in what the phone took since then; how many messages it listed."""
        return await self._sweep.run(door, since)

    async def health(self) -> bridge.Health:
        """Whether the API answers and how long the phone has been silent."""
        silent_s = await self._silent_s()
        alarm_s, human_s = self._settings.ping_alarm_s, self._settings.ping_human_s
        refused = self._hook.refused if self._hook is not None else 0
        detail = f"{refused} foreign requests refused" if refused else ""
        condition = bridge.Condition.UP
        if not await self._check.answers(HEALTH_LIMIT_S):
            condition, detail = bridge.Condition.DOWN, "the app's API does not answer"
        if alarm_s and silent_s > alarm_s:
            condition = bridge.Condition.DOWN
            detail = f"no sign of the phone for {silent_s / 60:.0f} minutes"
        if human_s and silent_s > human_s:
            condition = bridge.Condition.NEEDS_HUMAN
            detail += ": look at its power, network and the app"
        return bridge.Health(condition=condition, detail=detail, last_event_at=self._heard_at)

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()

    async def _silent_s(self) -> float:
        """Seconds since the phone's last sign, or since we began where there was none."""
        if self._heard_at is None:
            (told,) = await asyncio.gather(self._notes.seen("event"), return_exceptions=True)
            if isinstance(told, tuple):
                self._heard_at = told[0]
        last = self._heard_at or self._started_at
        return (self._context.clock.now() - last).total_seconds()

    async def _take(self, event: wire.Event) -> None:
        """Store what an event says. Raises ValueError, NotStoredError."""
        now = self._context.clock.now()
        if self._door is None:
            raise intake.NotStoredError("not started yet")
        if event.kind in {wire.RECEIVED, wire.MMS}:
            message = wire.inbound(event, self.channel, self._settings, now)
            point = wire.test_point(message, self._settings.signing_keys)
            if point is not None:
                delay_s = (now - message.received_at).total_seconds()
                await self._notes.saw(f"test:{point}", now, f"{delay_s:.0f}")
            else:
                await self._door.accept([message])
        elif event.kind in {wire.SENT, wire.DELIVERED, wire.FAILED}:
            report = wire.report(event)
            if report is not None:
                await self._report(report, now, self._door)
        self._heard_at = now
        if self._noted_at is None or (now - self._noted_at).total_seconds() > WATCH_S:
            # Not for each event: a write a minute is enough for an alarm after half an hour.
            await self._notes.saw("event", now)
            self._noted_at = now

    async def _report(self, report: wire.Report, now: dt.datetime, door: intake.Intake) -> None:
        delivery, stops = report.delivery, False
        if delivery is messages.Delivery.SENT and report.parts is not None:
            await self._notes.expect(report.reply_id, report.parts)
        if delivery is messages.Delivery.DELIVERED and not await self._notes.delivered(
            report.reply_id, report.event_id
        ):
            return
        failed = delivery is messages.Delivery.FAILED and report.reason != wire.EXPIRED
        if failed or delivery is not messages.Delivery.FAILED:
            stops = await self._notes.fails(report.event_id if failed else None)
        receipt = sending.receipt(
            report, channel=self.channel, now=now, stops=stops, price=self._settings.price
        )
        await door.receipts([receipt])
