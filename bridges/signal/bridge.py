"""The Signal bridge: one account, whatever stands between it and Signal.

It holds no queue. It hands in true messages, turns answers into outcomes, and keeps an eye on
what it is not certain of. It must never send one reply twice, show that anybody is here before
the delay is over (no read receipts, no typing sign), or fetch what strangers attach.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from bot.contract import address, bridge, clock, intake, messages, money, outcomes
from bridges.signal import (
    checks,
    daemon,
    doubts,
    health,
    look_up,
    pace,
    receiving,
    rest,
    settings,
    transport,
)
from bridges.signal.transport import Verdict

ROUND_S: Final = 300.0
AWAY_RETRY_S: Final = 60
MOVED_RETRY_S: Final = 60
MENDED_RETRY_S: Final = 3_600
FORGET_S: Final = 86_400.0
QUIET_KEY: Final = "quiet-until"


class _Shown:
    """What people may be shown of us."""

    _settings: settings.Settings

    def link(self, own: address.Address) -> str | None:
        """signal.me, for our one account."""
        return self._settings.link if own == self._settings.own.address else None


class Signal(_Shown):
    """One Signal channel."""

    def __init__(
        self, chosen: settings.Settings, context: bridge.Context, asked: transport.Transport
    ) -> None:
        """Opens nothing; `listen` and `send` do."""
        self.channel: Final = context.channel
        self.network: Final = address.SIGNAL
        self.addresses: Final = (chosen.own,)
        # Signal has no key for repeats: what is sent twice comes twice.
        self.idempotent: Final = False
        self._settings = chosen
        self._context = context
        self._transport = asked
        self._free = messages.Quote(price=money.Money(0, context.currency), parts=1)
        self._doubts = doubts.Doubts(context.storage, chosen.secret)
        self._vitals = health.Vitals(chosen, context, asked)
        self._look_ups = look_up.LookUps(chosen, context, asked)
        self._pace = pace.Pace(chosen.gap_s)
        self._ear = receiving.Ear(chosen, context, self._doubts, self._vitals)
        self._trouble = asyncio.Event()
        self._trusted: set[str] = set()
        # Sends that met a captcha and still wait for a receipt: the core does not know yet.
        self._met = 0
        self._forgets_s = 0.0

    def reaches(self, recipient: address.Address) -> bool:
        """An ACI or a number on Signal; a number of SMS only if a look-up said so."""
        if recipient.network == address.SMS:
            return recipient.is_e164 and self._look_ups.known(recipient.value) is not None
        return recipient.network == address.SIGNAL and bool(recipient.value)

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        """Free, and one part whatever its length."""
        return self._free if self.reaches(recipient) else None

    def routes(self, door: intake.Intake) -> Sequence[bridge.Route]:
        """The webhook, where that is the way."""
        self._ear.door = door
        return self._transport.routes(self._ear.hand)

    async def listen(self, door: intake.Intake) -> None:
        """Look at the neighbour, then take in; ends by cancellation or BridgeDownError."""
        self._ear.door = door
        self._trouble.clear()
        await self._vitals.start()
        await self._look_ups.load()
        await self._ear.load()
        works = [
            asyncio.create_task(self._transport.receive(self._ear.hand)),
            asyncio.create_task(self._rounds()),
            asyncio.create_task(self._mend()),
        ]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
            raise bridge.BridgeDownError("signal: receiving ended by itself")
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)

    async def _rounds(self) -> None:
        """Cover first, then every few minutes: the daily note, and what needs somebody."""
        await checks.take_cover(self._transport, self._settings, self._context, self._vitals)
        while True:
            await self._vitals.note()
            steps = self._vitals.trouble()
            if steps is not None:
                raise bridge.BridgeDownError("signal: needs somebody", needs_human=steps)
            self._trouble.clear()
            await self._forget()
            nap = asyncio.ensure_future(self._context.clock.sleep(ROUND_S))
            call = asyncio.ensure_future(self._trouble.wait())
            try:
                await asyncio.wait({nap, call}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                nap.cancel()
                call.cancel()

    async def _forget(self) -> None:
        """Once a day, what was kept of people and is too old to be of use."""
        now_s = self._context.clock.monotonic()
        if now_s < self._forgets_s:
            return
        try:
            await self._look_ups.forget_old()
            await self._doubts.forget_old(self._now_ms())
        except intake.NotStoredError:
            # The next round tries again.
            return
        self._forgets_s = now_s + FORGET_S

    async def _mend(self) -> None:
        """Trust those whose messages could not be opened, away from the way in."""
        while True:
            name = await self._ear.untrusted.get()
            try:
                await self._transport.trust(name)
            except transport.AwayError:
                continue

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        """Send once; what an earlier attempt has shown to have come is not sent again."""
        waits = await self._waits(reply)
        if waits is not None:
            return waits
        started_ms = self._now_ms()
        earlier = await self._doubts.begin(reply.reply_id, reply.recipient.value, started_ms)
        if earlier is not None:
            again = await self._again(earlier, started_ms)
            if again is not None:
                return again
            await self._doubts.reopen(reply.reply_id)
        met = self._vitals.challenges
        answer = await self._transport.send(self._name(reply.recipient), reply.text)
        if answer.verdict is Verdict.TAKEN and met == self._vitals.challenges:
            # Begun after the last challenge: whatever Signal wanted, it takes our messages again.
            await self._vitals.challenged(None)
        return await self._outcome(reply, answer)

    async def _waits(self, reply: messages.OutboundReply) -> outcomes.NotNow | None:
        """Nothing is asked of Signal while it wants quiet, and never in haste."""
        now = self._context.clock.now()
        quiet = await self._context.storage.get(QUIET_KEY)
        if quiet is not None and int(quiet) > clock.to_ms(now):
            return outcomes.NotNow(reason="limited", retry_at=clock.from_ms(int(quiet)))
        if self._met:
            return self._later("challenge", AWAY_RETRY_S)
        wait_s = self._pace.wait_s(reply.reply_id, self._context.clock.monotonic())
        if wait_s > pace.PATIENCE_S:
            return outcomes.NotNow(reason="pace", retry_at=now + dt.timedelta(seconds=wait_s))
        if wait_s > 0:
            await self._context.clock.sleep(wait_s)
        return None

    async def _again(self, earlier: doubts.Doubt, now_ms: int) -> outcomes.Outcome | None:
        """What an earlier attempt of this reply says; None where it may be sent now."""
        if earlier.proof_ms is not None:
            await self._doubts.certain(earlier.reply_id, earlier.proof_ms)
            return outcomes.Accepted(provider_id=str(earlier.proof_ms))
        if not earlier.limited:
            # Begun and never told how it ended, or unknown: it may have gone out.
            return outcomes.Unknown(reason="an earlier attempt may have gone out")
        until_ms = (earlier.ended_ms or now_ms) + int(self._settings.retry_s * 1000)
        if now_ms < until_ms:
            # Once a 429 was delivered all the same: its receipt gets some time.
            return outcomes.NotNow(reason="limited", retry_at=clock.from_ms(until_ms))
        return None

    async def _outcome(
        self, reply: messages.OutboundReply, answer: transport.Answer
    ) -> outcomes.Outcome:
        match answer.verdict:
            case Verdict.TAKEN if answer.timestamp_ms is not None:
                await self._doubts.certain(reply.reply_id, answer.timestamp_ms)
                return outcomes.Accepted(provider_id=str(answer.timestamp_ms), parts=1)
            case Verdict.LIMITED:
                return await self._limited(reply, answer)
            case Verdict.UNREGISTERED | Verdict.REFUSED | Verdict.UNTRUSTED:
                await self._doubts.certain(reply.reply_id)
                return await self._refused(reply, answer.verdict)
            case Verdict.GONE | Verdict.OUTDATED:
                await self._doubts.certain(reply.reply_id)
                await self._vitals.troubled(answer.verdict)
                self._trouble.set()
                return self._later(str(answer.verdict), MENDED_RETRY_S)
            case Verdict.AWAY:
                await self._doubts.certain(reply.reply_id)
                return self._later("away", AWAY_RETRY_S)
            case _:
                return await self._unsure(reply, answer)

    async def _unsure(
        self, reply: messages.OutboundReply, answer: transport.Answer
    ) -> outcomes.Outcome:
        """Unknown, unless its receipt was there before the answer."""
        await self._doubts.uncertain(reply.reply_id, self._now_ms(), limited=False)
        proof_ms = await self._doubts.proof(reply.reply_id)
        if proof_ms is not None:
            return outcomes.Accepted(provider_id=str(proof_ms), parts=1)
        return outcomes.Unknown(reason=answer.reason or "unsure")

    async def _limited(
        self, reply: messages.OutboundReply, answer: transport.Answer
    ) -> outcomes.Outcome:
        """Wait a little for a receipt, since a 429 does not always mean that it did not go."""
        pause_s = answer.retry_after_s or AWAY_RETRY_S
        retry_at = self._context.clock.now() + dt.timedelta(seconds=pause_s)
        if answer.challenge is None:
            await self._context.storage.put(QUIET_KEY, str(clock.to_ms(retry_at)))
        else:
            await self._vitals.challenged(answer.challenge)
            await self._look_ups.pause(self._now_ms())
        await self._doubts.uncertain(reply.reply_id, self._now_ms(), limited=True)
        met = int(answer.challenge is not None)
        self._met += met
        try:
            proof_ms = await self._ear.proof(reply.reply_id, self._settings.receipt_wait_s)
        finally:
            self._met -= met
        if proof_ms is not None:
            await self._doubts.certain(reply.reply_id, proof_ms)
            return outcomes.Accepted(provider_id=str(proof_ms), parts=1)
        reason = "challenge" if answer.challenge else "limited"
        return outcomes.NotNow(reason=reason, retry_at=retry_at, challenge=answer.challenge)

    async def _refused(
        self, reply: messages.OutboundReply, verdict: Verdict
    ) -> outcomes.Rejected | outcomes.NotNow:
        recipient = reply.recipient
        if recipient.network == address.SMS and verdict is Verdict.UNREGISTERED:
            # The look-up was wrong or is old: he is asked again by the way he wrote.
            await self._look_ups.forget(recipient.value)
            return self._later("not on Signal", MOVED_RETRY_S)
        if verdict is Verdict.UNTRUSTED and reply.reply_id not in self._trusted:
            self._trusted.add(reply.reply_id)
            try:
                if await self._transport.trust(self._name(recipient)):
                    return self._later("untrusted", AWAY_RETRY_S)
            except transport.AwayError:
                return self._later("away", AWAY_RETRY_S)
        self._trusted.discard(reply.reply_id)
        return outcomes.Rejected(reason=str(verdict))

    async def look_up(
        self, addresses: Sequence[address.Address]
    ) -> Mapping[address.Address, address.Address | None]:
        """Who of these numbers is on Signal; see look_up.LookUps. Raises ChallengedError."""
        try:
            return await self._look_ups.look_up(addresses)
        except bridge.ChallengedError as met:
            await self._vitals.challenged(met.token)
            raise

    async def solve(self, challenge: str, answer: str) -> bool:
        """Hand in a captcha; taken, Signal is asked again, also by the running program."""
        try:
            taken = await self._transport.solve(challenge, answer)
        except transport.AwayError:
            return False
        if taken:
            await self._vitals.challenged(None)
            await self._look_ups.resume()
            await self._context.storage.put(QUIET_KEY, None)
        return taken

    async def health(self) -> bridge.Health:
        """See health.Vitals."""
        return await self._vitals.health()

    async def check(self) -> Sequence[bridge.Finding]:
        """See checks.findings."""
        return await checks.findings(self._transport, self._settings, self._context)

    async def close(self) -> None:
        """End the transport."""
        await self._transport.close()

    def _name(self, recipient: address.Address) -> str:
        if recipient.network == address.SMS:
            return self._look_ups.known(recipient.value) or recipient.value
        return recipient.value

    def _later(self, reason: str, seconds: float) -> outcomes.NotNow:
        at = self._context.clock.now() + dt.timedelta(seconds=seconds)
        return outcomes.NotNow(reason=reason, retry_at=at)

    def _now_ms(self) -> int:
        return clock.to_ms(self._context.clock.now())


def create(chosen: settings.Settings, context: bridge.Context) -> Signal:
    """The bridge above the configured transport."""
    make = daemon.create if chosen.way in settings.BY_DAEMON else rest.create
    return Signal(chosen, context, make(chosen, context.clock))
