"""The moderators' room as a bridge: it hosts, it never writes to strangers."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import random
from collections.abc import Mapping, Sequence
from typing import Final

from bot.contract import address, bridge, intake, messages, outcomes, room
from bridges.matrix import (
    account,
    calls,
    check,
    crypto,
    invites,
    moderators,
    places,
    sending,
    setting_up,
    settings,
    sync,
    verifying,
    wire,
)

LIVE_LIMIT_S: Final = 4.0
_UPGRADED: Final = (
    "the moderators' room was replaced by another: write its id into channels.{}.room and restart"
)


class Moderators:
    """One account with one room. `rooms` and `roster` are as configured."""

    def __init__(self, chosen: settings.Settings, context: bridge.Context) -> None:
        """Opens nothing; `listen` and `members` do."""
        self.channel: Final = context.channel
        self.network: Final = address.MATRIX
        self.addresses: Final[tuple[bridge.OwnAddress, ...]] = ()
        self.idempotent: Final = True
        self.rooms: Final = (chosen.room_id,)
        self.roster: Final[Mapping[str, room.Role]] = dict(chosen.roster)
        self._settings = chosen
        self._context = context
        self._door: room.Door | None = None
        self._server: calls.Homeserver | None = None
        self._live: account.Live | None = None
        self._taker: moderators.Taker | None = None
        self._speaker: sending.Speaker | None = None
        self._last_event_at: dt.datetime | None = None

    def reaches(self, recipient: address.Address) -> bool:
        """Nobody: the room is not for strangers."""
        return False

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        """Nothing can be sent from here."""
        return None

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        """Refused: the room is not for strangers."""
        return outcomes.Rejected(reason="the moderators' room sends no replies")

    def host(self, door: room.Door) -> None:
        """As contract.room.HostsModerators."""
        self._door = door

    async def members(self, room_id: str) -> Mapping[str, room.Member]:
        """As contract.room.HostsModerators: asked of the homeserver at this moment."""
        if room_id not in self.rooms:
            return {}
        if self._server is None:
            try:
                login = account.login_of(self._settings, self.channel)
            except bridge.BridgeDownError as error:
                raise room.RoomAwayError(str(error)) from None
            self._server = calls.Homeserver(self._settings.homeserver, login.token)
        try:
            async with asyncio.timeout(LIVE_LIMIT_S):
                return await _members(self._server, room_id)
        except (calls.CallError, TimeoutError) as error:
            raise room.RoomAwayError(type(error).__name__) from None

    async def listen(self, door: intake.Intake) -> None:
        """As contract.bridge.Bridge; the room's own door was given by `host`."""
        if self._door is None:
            raise bridge.BridgeDownError("nobody has taken the moderators' room in hand")
        live = account.open_live(self._settings, self._context, {*self.roster, self._settings.user})
        try:
            await self._run(live, self._door)
        finally:
            self._live = None
            await live.close()

    async def _run(self, live: account.Live, door: room.Door) -> None:
        moment = self._context.clock
        joins = invites.Joins(self._context.storage, moment, self._settings.joins_per_hour)
        taker = moderators.Taker(
            context=self._context,
            door=door,
            own=live.login.user,
            room_id=self._settings.room_id,
            roster=self.roster,
            keys=live.keys,
            voice=live.voice,
            joins=joins,
        )
        speaker = sending.Speaker(
            channel=self.channel,
            voice=live.voice,
            door=door,
            moment=moment,
            patience=sync.Patience(moment, random.random),
            here=taker.here,
        )
        listening = sync.Listening(
            channel=self.channel,
            own=live.login.user,
            server=live.server,
            keys=live.keys,
            trusted=live.trusted,
            patience=live.patience,
            take=functools.partial(self._take, live, taker),
            reads_back=False,
        )
        self._live, self._taker, self._speaker = live, taker, speaker
        await taker.load()
        ask = functools.partial(account.prove, live, self._settings, self._context)
        await taker.tell(await account.patiently(ask, live.patience, self.channel))
        since = await sync.cursor(door, self._context)
        async with asyncio.TaskGroup() as group:
            group.create_task(listening.run(since), name=f"{self.channel} sync")
            group.create_task(speaker.run(), name=f"{self.channel} speaker")
            group.create_task(self._join(live, taker, joins), name=f"{self.channel} joins")

    async def _take(self, live: account.Live, taker: moderators.Taker, news: sync.News) -> None:
        wishes = await taker.take(news)
        self._last_event_at = self._context.clock.now()
        for wish in wishes:
            await self._refuse(live, wish)

    async def _refuse(self, live: account.Live, wish: verifying.Wish) -> None:
        """Say no to a verification; where that fails, their client gives up after a while."""
        content, name = verifying.refusal(wish), wire.stable_id("verify", wish.name)
        with contextlib.suppress(calls.CallError, crypto.NotSafeError):
            if wish.room_id:
                await live.voice.say(wish.room_id, name, verifying.CANCEL, content)
                return
            body = {"messages": {wish.account: {wish.device: content}}}
            await live.server.call("PUT", calls.path("sendToDevice", verifying.CANCEL, name), body)

    async def _join(
        self, live: account.Live, taker: moderators.Taker, joins: invites.Joins
    ) -> None:
        """Follow the invitations of moderators, as soon as one comes."""
        patience = sync.Patience(self._context.clock, random.random)
        await taker.looked.wait()
        if not taker.here.is_set():
            with contextlib.suppress(calls.CallError):
                await taker.asked_before(await invites.pending(live.server, live.login.user))
        while True:
            await taker.invited.wait()
            taker.invited.clear()
            while due := joins.due():
                try:
                    went = await invites.join(live.server, due[0])
                except calls.TokenError:
                    break
                except calls.CallError as error:
                    await patience.wait(error)
                    continue
                patience.well()
                await (joins.joined(due[0]) if went else joins.drop(due[0]))

    async def health(self) -> bridge.Health:
        """Down while the homeserver does not answer, or while we are not in the room."""
        condition = bridge.Condition.DOWN
        live, taker, speaker = self._live, self._taker, self._speaker
        if live is None or taker is None or speaker is None:
            return bridge.Health(condition=condition, detail="not listening")
        if live.patience.failures:
            detail = live.patience.reason
        elif taker.successor:
            condition = bridge.Condition.NEEDS_HUMAN
            detail = _UPGRADED.format(self.channel)
        elif not taker.here.is_set():
            detail = "not in the moderators' room: one of the roster must invite our account"
        elif speaker.unsafe or speaker.patience.failures:
            detail = speaker.unsafe or speaker.patience.reason
        else:
            stumbled = live.keys.stumbled
            detail = f"skipped what a client made up ({stumbled})" if stumbled else ""
            condition = bridge.Condition.UP
        at = self._last_event_at
        return bridge.Health(condition=condition, detail=detail, last_event_at=at)

    async def check(self) -> Sequence[bridge.Finding]:
        """As contract.bridge.ChecksItself."""
        return await check.findings(self._settings, self.channel)

    async def set_up(self, *, apply: bool) -> Sequence[bridge.Finding]:
        """As contract.bridge.SetsUp."""
        return await setting_up.run(
            self._settings, self._context.storage, self.channel, apply=apply
        )

    async def close(self) -> None:
        """Give back the connection of `members`."""
        server, self._server = self._server, None
        if server is not None:
            await server.close()


async def _members(server: calls.Homeserver, room_id: str) -> dict[str, room.Member]:
    """Who is joined, with power; three requests at once. Raises CallError."""
    joined, levels, created = await asyncio.gather(
        server.call("GET", calls.path("rooms", room_id, "joined_members")),
        _state(server, room_id, "m.room.power_levels"),
        _state(server, room_id, "m.room.create", {"format": "event"}),
    )
    created, found = created or {}, joined.get("joined")
    # Homeservers that do not know `format` give the content alone, with the creator in it.
    content = created.get("content", created)
    place = places.Place(
        room_id=room_id,
        joined=set(found) if isinstance(found, dict) else set(),
        levels=levels,
        creation=content,
        creator=str(created.get("sender", content.get("creator", ""))),
    )
    return {one: place.member(one) for one in place.joined}


async def _state(
    server: calls.Homeserver, room_id: str, kind: str, query: Mapping[str, str] | None = None
) -> calls.Body | None:
    target = calls.path("rooms", room_id, "state", kind, "")
    try:
        return await server.call("GET", target, query=query)
    except calls.TokenError:
        raise
    except calls.RefusedError as error:
        if error.code == "M_NOT_FOUND":
            return None
        raise
