"""The public Matrix handle: an account that anybody may write to.

A stranger's invitation is a contact. Nothing of ours is seen before the delay is over: no join,
no receipt, no typing sign, no presence (C16). Then we go in, read what stands there, and the
reply goes into that very room. Rooms of more than two are left.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import random
from collections.abc import Callable, Sequence
from typing import Final

from bot.contract import address, bridge, clock, intake, messages, money, outcomes
from bridges.matrix import (
    account,
    calls,
    check,
    crypto,
    direct,
    invites,
    setting_up,
    settings,
    sync,
    wire,
)

SEND_LIMIT_S: Final = 12.0
PATIENCE_S: Final = 1.0
"""Whoever took longer than this to get ready to send comes back first: a pause or a STOP may have
come meanwhile. What was got ready (keys) is kept for the next time."""
CONNECT_LIMIT_S: Final = 0.9
"""Together they stay below the two seconds that a pause may take (C21)."""
COME_BACK_S: Final = 5.0
LOOK_S: Final = 60.0
AGAIN_S: Final = 60.0
LOGIN_AGAIN_S: Final = 900.0
JITTER_S: Final = 900.0
TEXT_BYTES: Final = 30_000


class Handle:
    """One public account."""

    def __init__(
        self,
        chosen: settings.Settings,
        context: bridge.Context,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Opens nothing; `listen` does. `draw` gives a number in [0, 1) for jitter."""
        own = address.Address(address.MATRIX, chosen.user)
        self.channel: Final = context.channel
        self.network: Final = address.MATRIX
        self.addresses: Final = (bridge.OwnAddress(address=own, state=chosen.state),)
        # The homeserver drops a repeated transaction of the same device.
        self.idempotent: Final = True
        self._settings = chosen
        self._context = context
        self._draw = draw
        self._free = messages.Quote(price=money.Money(0, context.currency), parts=1)
        self._live: account.Live | None = None
        self._rooms: direct.Rooms | None = None
        self._joins: invites.Joins | None = None
        self._last_event_at: dt.datetime | None = None

    def link(self, own: address.Address) -> str | None:
        """matrix.to, which asks for the reader's own client."""
        return f"https://matrix.to/#/{own.value}" if own == self.addresses[0].address else None

    def reaches(self, recipient: address.Address) -> bool:
        """Any account but our own."""
        return (
            recipient.network == self.network
            and recipient.value != self._settings.user
            and wire.is_mxid(recipient.value)
        )

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        """Free; None for what no event can hold."""
        fits = 0 < len(text.encode("utf-8", "replace")) <= TEXT_BYTES
        return self._free if fits and self.reaches(recipient) else None

    # ------------------------------------------------------------ in

    async def listen(self, door: intake.Intake) -> None:
        """As contract.bridge.Bridge."""
        live = account.open_live(self._settings, self._context, ())
        try:
            await self._run(live, door)
        finally:
            self._live = self._rooms = self._joins = None
            await live.close()

    async def _run(self, live: account.Live, door: intake.Intake) -> None:
        moment = self._context.clock
        joins = invites.Joins(self._context.storage, moment, self._settings.joins_per_hour)
        await joins.load()
        rooms = direct.Rooms(
            context=self._context,
            door=door,
            own=self.addresses[0].address,
            keys=live.keys,
            joins=joins,
        )
        listening = sync.Listening(
            channel=self.channel,
            own=live.login.user,
            server=live.server,
            keys=live.keys,
            trusted=live.trusted,
            patience=live.patience,
            take=functools.partial(self._take, rooms),
            reads_back=True,
        )
        prove = functools.partial(account.prove, live, self._settings, self._context)
        await account.patiently(prove, live.patience, self.channel)
        since = await sync.cursor(door, self._context)
        self._live, self._rooms, self._joins = live, rooms, joins
        async with asyncio.TaskGroup() as group:
            group.create_task(listening.run(since), name=f"{self.channel} sync")
            group.create_task(self._go_in(live, rooms, joins, door), name=f"{self.channel} joins")

    async def _take(self, rooms: direct.Rooms, news: sync.News) -> None:
        await rooms.take(news)
        self._last_event_at = self._context.clock.now()

    async def _go_in(
        self, live: account.Live, rooms: direct.Rooms, joins: invites.Joins, door: intake.Intake
    ) -> None:
        """Follow invitations whose sender's delay is over; leave rooms that are not direct."""
        patience = sync.Patience(self._context.clock, self._draw)
        await rooms.synced.wait()
        while True:
            try:
                await rooms.leave_crowded(live.server)
                await self._settle(live, rooms, joins, door)
                for room_id in joins.due():
                    await self._try(live, joins, room_id)
            except intake.NotStoredError as away:
                await self._context.clock.sleep(away.retry_after_s)
            except calls.TokenError:
                raise bridge.BridgeDownError(
                    "the homeserver refuses our login",
                    needs_human=sync.LOGIN_AGAIN.format(self.channel),
                ) from None
            except calls.CallError as error:
                await patience.wait(error)
            else:
                patience.well()
                await self._context.clock.sleep(LOOK_S)

    async def _settle(
        self, live: account.Live, rooms: direct.Rooms, joins: invites.Joins, door: intake.Intake
    ) -> None:
        """Say when the waiting rooms are to be joined: some time after their sender's delay."""
        undecided = [one for one, due in joins.waiting.items() if due is None]
        if any(one not in rooms.invited for one in undecided):
            # After a restart: who asked us is known to the homeserver alone.
            rooms.remember(await invites.pending(live.server, live.login.user))
        for room_id in undecided:
            sender = rooms.invited.get(room_id)
            if sender is None:
                await joins.drop(room_id)
            elif await door.delay_over(address.Address(address.MATRIX, sender)):
                later_ms = int(self._draw() * JITTER_S * 1000)
                await joins.settle(room_id, clock.to_ms(self._context.clock.now()) + later_ms)

    async def _try(self, live: account.Live, joins: invites.Joins, room_id: str) -> None:
        """Go in, or put it off: one room whose server is away must not keep the others waiting."""
        try:
            await self._join(live, joins, room_id)
        except calls.AwayError:
            later_ms = int((1 + self._draw()) * JITTER_S * 1000)
            await joins.settle(room_id, clock.to_ms(self._context.clock.now()) + later_ms)

    async def _join(self, live: account.Live, joins: invites.Joins, room_id: str) -> bool:
        went = await invites.join(live.server, room_id)
        await (joins.joined(room_id) if went else joins.drop(room_id))
        return went

    # ------------------------------------------------------------ out

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        """Into the room that he wrote in; where he still waits outside, go in first and read."""
        live, rooms, joins = self._live, self._rooms, self._joins
        if live is None or rooms is None or joins is None or not rooms.synced.is_set():
            return self._later("not connected", AGAIN_S)
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                return await self._send(reply, live, rooms, joins)
        except (TimeoutError, calls.CallError, crypto.NotSafeError) as error:
            return self._fate(error)

    def _fate(self, error: Exception) -> outcomes.Outcome:
        """What became of a send that ended so."""
        again_s: float | None = None
        if isinstance(error, calls.LimitedError):
            again_s = error.retry_after_s
        elif isinstance(error, calls.TokenError):
            again_s = LOGIN_AGAIN_S
        elif isinstance(error, crypto.NotSafeError) or getattr(error, "unsent", False):
            again_s = AGAIN_S
        if again_s is not None:
            return self._later("certainly not sent", again_s)
        if isinstance(error, calls.RefusedError):
            return outcomes.Rejected(reason=error.code.lower())
        return outcomes.Unknown(reason="no clear answer of the homeserver")

    async def _send(
        self,
        reply: messages.OutboundReply,
        live: account.Live,
        rooms: direct.Rooms,
        joins: invites.Joins,
    ) -> outcomes.Outcome:
        room_id = rooms.of(reply.recipient.value)
        if room_id is None:
            return outcomes.Rejected(reason="no room with him")
        if room_id not in rooms.places:
            if not joins.free():
                return self._later("many invitations this hour", AGAIN_S * 10)
            if not await self._join(live, joins, room_id):
                return outcomes.Rejected(reason="the invitation was taken back")
            # What he wrote in there comes in first, and is decided with: it may say STOP.
            return self._later("reading first", AGAIN_S * (1 + self._draw()))
        content = {"msgtype": "m.text", "body": reply.text, "m.mentions": {}}
        moment = self._context.clock
        asked_s = moment.monotonic()
        kind, sealed = await live.voice.ready(room_id, wire.MESSAGE, content)
        if moment.monotonic() - asked_s > PATIENCE_S:
            return self._later("took long to get ready", COME_BACK_S)
        event_id = await live.voice.put(
            room_id, reply.reply_id, kind, sealed, connect_s=CONNECT_LIMIT_S
        )
        return outcomes.Accepted(provider_id=event_id)

    def _later(self, reason: str, seconds: float) -> outcomes.NotNow:
        at = self._context.clock.now() + dt.timedelta(seconds=max(1.0, seconds))
        return outcomes.NotNow(reason=reason, retry_at=at)

    # ------------------------------------------------------------ the rest

    async def health(self) -> bridge.Health:
        """Down while the homeserver does not answer."""
        live = self._live
        at = self._last_event_at
        if live is None or live.patience.failures:
            detail = "not listening" if live is None else live.patience.reason
            return bridge.Health(condition=bridge.Condition.DOWN, detail=detail, last_event_at=at)
        stumbled = live.keys.stumbled
        detail = f"skipped what a client made up ({stumbled})" if stumbled else ""
        return bridge.Health(condition=bridge.Condition.UP, detail=detail, last_event_at=at)

    async def check(self) -> Sequence[bridge.Finding]:
        """As contract.bridge.ChecksItself."""
        return await check.findings(self._settings, self.channel)

    async def set_up(self, *, apply: bool) -> Sequence[bridge.Finding]:
        """As contract.bridge.SetsUp."""
        return await setting_up.run(
            self._settings, self._context.storage, self.channel, apply=apply
        )

    async def close(self) -> None:
        """Nothing is kept open outside `listen`."""
