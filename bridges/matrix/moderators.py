"""What happens in the moderators' room, from the news of a sync to the core's door.

Folds the news in the order of the room, so that each command carries who its author was at that
moment. Whoever writes before we are in the room, or in another room, is not obeyed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from bot.contract import bridge, clock, intake, room
from bridges.matrix import crypto, invites, late, places, sending, sync, trust, verifying, wire

SEALED: Final = "encrypted"


async def durably(store: Callable[[], Awaitable[None]], moment: clock.Clock) -> None:
    """Store, and try again for as long as it is refused: the news exist only here."""
    while True:
        try:
            await store()
        except intake.NotStoredError as away:
            await moment.sleep(away.retry_after_s)
        else:
            return


class Taker:
    """Takes the news of one account that hosts the moderators' room."""

    def __init__(
        self,
        *,
        context: bridge.Context,
        door: room.Door,
        own: str,
        room_id: str,
        roster: Mapping[str, room.Role],
        keys: crypto.Crypto,
        voice: sending.Voice,
        joins: invites.Joins,
    ) -> None:
        self._context = context
        self._door = door
        self._own = own
        self._room_id = room_id
        self._roster = roster
        self._keys = keys
        self._voice = voice
        self._joins = joins
        self._late = late.Late(context.storage, context.clock)
        self._places: dict[str, places.Place] = {}
        self._wishes: list[verifying.Wish] = []
        self.here = asyncio.Event()
        self.invited = asyncio.Event()
        self.looked = asyncio.Event()

    @property
    def successor(self) -> str:
        """The room that replaced ours, empty if none did."""
        place = self._places.get(self._room_id)
        return "" if place is None else place.successor

    async def load(self) -> None:
        """Read what an earlier run left. Once, before the first news."""
        await self._late.load()
        await self._joins.load()
        if self._joins.waiting:
            self.invited.set()
        if await self._context.storage.get(SEALED) == self._room_id:
            self._voice.sealed.add(self._room_id)

    async def tell(self, doubts: list[trust.Doubt]) -> None:
        """Hand in doubts that came up outside a sync."""
        if doubts:
            batch = [self._doubt(one) for one in doubts]
            channel = self._context.channel
            await durably(lambda: self._door.events(batch, channel=channel), self._context.clock)

    async def take(self, news: sync.News) -> list[verifying.Wish]:
        """Everything of one sync answer, stored with its token when this returns.

        Gives the wishes of moderators to verify us, which are to be refused.
        """
        self._wishes = list(news.wishes)
        batch: list[room.RoomEvent] = [self._doubt(one) for one in news.doubts]
        for room_id in news.left:
            self._places.pop(room_id, None)
        for told in news.rooms:
            batch.extend(await self._room(told, news))
        batch.extend(self._late_ones())
        for one in news.invitations:
            batch.extend(await self._invitation(one))
        wishes = [one for one in self._wishes if one.account in self._roster]
        batch.extend(
            self._trouble(room.Snag.VERIFICATION, one.account, one.name, account=one.account)
            for one in wishes
        )
        await self._late.save()
        await durably(
            lambda: self._door.events(batch, channel=self._context.channel, cursor=news.cursor),
            self._context.clock,
        )
        place = self._places.get(self._room_id)
        if place is not None and self._own in place.joined:
            self.here.set()
        else:
            self.here.clear()
        self.looked.set()
        return wishes

    async def asked_before(self, invitations: Sequence[sync.Invitation]) -> None:
        """Invitations that stood when we came: the room's id may have been written since."""
        for one in invitations:
            if self._follows(one):
                await self._follow(one)

    # ------------------------------------------------------------ rooms

    async def _room(self, told: sync.RoomNews, news: sync.News) -> list[room.RoomEvent]:
        place = self._places.setdefault(told.room_id, places.Place(room_id=told.room_id))
        now = self._context.clock.now()
        found: list[room.RoomEvent] = []
        for event in told.state:
            changed = wire.changes(event, place, now)
            # After a start the whole state comes again; only what is new is news.
            found.extend(() if news.full or told.room_id != self._room_id else changed)
        counts = news.since is not None and not told.fresh
        for heard in told.heard:
            changed = wire.changes(heard.event, place, now)
            if told.fresh and news.since is not None and _is_own(heard.event, self._own):
                # Only from our own joining on; a kick or an invitation before it starts nothing.
                counts = heard.event["content"].get("membership") == "join"
            if told.room_id == self._room_id:
                found.extend(changed if counts else ())
                found.extend(await self._heard(heard, place) if counts else ())
            elif counts:
                found.extend(self._elsewhere(heard, place))
        if told.room_id == self._room_id:
            found.extend(await self._seal(place))
            if place.successor:
                found.append(self._upgraded(place))
            if not told.whole:
                found.append(self._trouble(room.Snag.GAP, told.room_id, news.cursor))
        return found

    async def _heard(self, heard: wire.Heard, place: places.Place) -> list[room.RoomEvent]:
        if not heard.readable and heard.event.get("sender") != self._own:
            if _is_redacted(heard.event):
                return []
            if heard.replayed or wire.torn(heard.event):
                return self._torn(heard, place)
            await self._late.add(place.room_id, heard.event)
            return []
        wish = verifying.in_room(heard.event, place.room_id, self._own)
        self._wishes.extend(() if wish is None else [wish])
        event = wire.read(heard, place, self._own)
        return [] if event is None else [event]

    def _upgraded(self, place: places.Place) -> room.Trouble:
        return room.Trouble(
            event_id=wire.stable_id(room.Snag.UPGRADED, place.room_id, place.successor),
            room_id=place.room_id,
            at=self._context.clock.now(),
            snag=room.Snag.UPGRADED,
            detail=place.successor,
        )

    def _torn(self, heard: wire.Heard, place: places.Place) -> list[room.RoomEvent]:
        """Encrypted and without what could ever decrypt it, or an old event under a new name."""
        event, at = heard.event, wire.moment(heard.event)
        event_id, sender = event.get("event_id"), event.get("sender")
        if not isinstance(event_id, str) or not isinstance(sender, str) or at is None:
            return []
        by = room.By(member=place.member(sender), trust=room.Trust.PLAIN)
        why = room.Why.REPLAYED if heard.replayed else room.Why.TORN
        return [room.Refused(event_id=event_id, room_id=place.room_id, at=at, by=by, why=why)]

    def _elsewhere(self, heard: wire.Heard, place: places.Place) -> list[room.RoomEvent]:
        event = wire.read(heard, place, self._own)
        if not isinstance(event, room.Command):
            return []
        return [
            room.Refused(
                event_id=event.event_id,
                room_id=event.room_id,
                at=event.at,
                by=event.by,
                why=room.Why.OTHER_ROOM,
            )
        ]

    async def _seal(self, place: places.Place) -> list[room.RoomEvent]:
        """Once encrypted, always encrypted: remembered by us, not only by the homeserver."""
        if place.encrypted and place.room_id not in self._voice.sealed:
            await self._context.storage.put(SEALED, place.room_id)
            self._voice.sealed.add(place.room_id)
        if not place.encrypted and place.room_id in self._voice.sealed:
            return [self._trouble(room.Snag.ENCRYPTION_OFF, place.room_id)]
        return []

    def _late_ones(self) -> list[room.RoomEvent]:
        found: list[room.RoomEvent] = []
        for room_id, heard in self._late.now_readable(self._keys.hear):
            place = self._places.setdefault(room_id, places.Place(room_id=room_id))
            if heard.replayed:
                found.extend(self._torn(heard, place))
                continue
            event = wire.read(heard, place, self._own)
            if event is not None:
                found.append(event)
        for room_id, sealed in self._late.given_up():
            account, name = str(sealed.get("sender", "")), str(sealed.get("event_id", ""))
            if room_id == self._room_id:
                found.append(self._trouble(room.Snag.UNREADABLE, name, account=account))
        return found

    # ------------------------------------------------------------ the rest

    def _follows(self, one: sync.Invitation) -> bool:
        return one.room_id == self._room_id and one.by in self._roster

    async def _follow(self, one: sync.Invitation) -> None:
        await self._joins.add(one.room_id, clock.to_ms(self._context.clock.now()))
        self.invited.set()

    async def _invitation(self, one: sync.Invitation) -> list[room.RoomEvent]:
        accepted = self._follows(one)
        if accepted:
            await self._follow(one)
        found: list[room.RoomEvent] = [
            room.Invited(
                event_id=wire.stable_id("invite", one.room_id, one.by),
                room_id=one.room_id,
                at=self._context.clock.now(),
                account=one.by,
                accepted=accepted,
            )
        ]
        if not accepted and one.by in self._roster:
            # A client that wants to verify us opens a room of two; silence would look like a fault.
            about = room.Snag.ELSEWHERE
            found.append(self._trouble(about, one.room_id, one.by, account=one.by))
        return found

    def _doubt(self, one: trust.Doubt) -> room.Trouble:
        return self._trouble(
            one.snag, one.account, one.device, one.key, account=one.account, device=one.device
        )

    def _trouble(
        self, snag: room.Snag, *about: str, account: str = "", device: str = ""
    ) -> room.Trouble:
        """The same trouble about the same thing has the same id, so it is told once."""
        return room.Trouble(
            event_id=wire.stable_id(snag, *about),
            room_id=self._room_id,
            at=self._context.clock.now(),
            snag=snag,
            account=account,
            device=device,
        )


def _is_own(event: Mapping[str, Any], own: str) -> bool:
    return event.get("type") == "m.room.member" and event.get("state_key") == own


def _is_redacted(event: Mapping[str, Any]) -> bool:
    unsigned = event.get("unsigned")
    return isinstance(unsigned, Mapping) and "redacted_because" in unsigned
