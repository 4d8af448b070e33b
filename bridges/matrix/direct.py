"""The public handle's rooms: who is in which, who waits outside, and what they wrote.

Kept in memory only and asked of the homeserver at each start, so that no stranger's name lies in
our storage.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable
from typing import Final

from bot.contract import address, bridge, intake, messages
from bridges.matrix import calls, crypto, invites, late, moderators, places, sync, wire

MAX_INVITED: Final = 10_000
HISTORY: Final = dt.timedelta(hours=1)


class Rooms:
    """Takes the news of a public account. `places`: the rooms that we are in."""

    def __init__(
        self,
        *,
        context: bridge.Context,
        door: intake.Intake,
        own: address.Address,
        keys: crypto.Crypto,
        joins: invites.Joins,
    ) -> None:
        self._context = context
        self._door = door
        self._own = own
        self._keys = keys
        self._joins = joins
        self._late = late.Late(None, context.clock)
        self._latest: dict[str, str] = {}
        self.places: dict[str, places.Place] = {}
        self.invited: dict[str, str] = {}
        self.synced = asyncio.Event()

    def of(self, account: str) -> str | None:
        """The room to answer him in: where he wrote last, one with him, or his invitation."""
        latest = self._latest.get(account, "")
        place = self.places.get(latest)
        if place is not None and account in place.joined and not place.crowded:
            return latest
        for room_id, place in reversed(self.places.items()):
            if account in place.joined and not place.crowded:
                return room_id
        waiting = [room_id for room_id, by in self.invited.items() if by == account]
        return waiting[-1] if waiting else None

    def remember(self, found: Iterable[sync.Invitation]) -> None:
        """Who waits outside, as the homeserver says."""
        for one in found:
            if self._is_contact(one) and len(self.invited) < MAX_INVITED:
                self.invited[one.room_id] = one.by

    async def take(self, news: sync.News) -> None:
        """Everything of one sync answer, stored with its token when this returns."""
        batch: list[messages.InboundMessage] = []
        for room_id in news.left:
            self.places.pop(room_id, None)
            self.invited.pop(room_id, None)
            await self._joins.drop(room_id)
        for told in news.rooms:
            batch.extend(await self._room(told, news))
        for room_id, heard in self._late.now_readable(self._keys.hear):
            batch.extend(self._contact(heard, self.places.get(room_id)))
        self._late.given_up()
        batch.extend(await self._invitations(news))
        await moderators.durably(
            lambda: self._door.accept(batch, channel=self._context.channel, cursor=news.cursor),
            self._context.clock,
        )
        self.synced.set()

    async def leave_crowded(self, server: calls.Homeserver) -> None:
        """Leave every room that is not a direct one. Raises CallError."""
        for room_id in [one for one, place in self.places.items() if place.crowded]:
            try:
                await server.call("POST", calls.path("rooms", room_id, "leave"), {})
            except calls.TokenError:
                raise
            except calls.RefusedError:
                pass  # We are out already; the next sync says so.
            self.places.pop(room_id, None)

    # ------------------------------------------------------------ inside

    async def _room(self, told: sync.RoomNews, news: sync.News) -> list[messages.InboundMessage]:
        place = self.places.setdefault(told.room_id, places.Place(room_id=told.room_id))
        self.invited.pop(told.room_id, None)
        await self._joins.drop(told.room_id)
        for event in told.state:
            place.take(event)
        found: list[messages.InboundMessage] = []
        for heard in told.heard:
            place.take(heard.event)
            # The first answer ever may hold history of another life of this account.
            if news.since is None and self._is_old(heard):
                continue
            if not heard.readable and not heard.replayed:
                await self._late.add(told.room_id, heard.event)
            found.extend(self._contact(heard, place))
        return found

    def _is_old(self, heard: wire.Heard) -> bool:
        at = wire.moment(heard.event)
        return at is None or at < self._context.clock.now() - HISTORY

    def _contact(
        self, heard: wire.Heard, place: places.Place | None
    ) -> list[messages.InboundMessage]:
        if place is None or place.crowded:
            return []
        message = wire.contact(
            heard, channel=self._context.channel, own=self._own, now=self._context.clock.now()
        )
        if message is None:
            return []
        self._latest.pop(message.sender.value, None)
        self._latest[message.sender.value] = place.room_id
        return [message]

    async def _invitations(self, news: sync.News) -> list[messages.InboundMessage]:
        self.remember(news.invitations)
        found: list[messages.InboundMessage] = []
        for one in news.invitations:
            if not self._is_contact(one):
                continue
            # Before the token, so that a kill in between forgets nobody.
            await self._joins.add(one.room_id, None)
            message = wire.invitation(
                one.room_id,
                one.by,
                channel=self._context.channel,
                own=self._own,
                now=self._context.clock.now(),
            )
            found.extend(() if message is None else (message,))
        return found

    def _is_contact(self, one: sync.Invitation) -> bool:
        """Not into public rooms, where a join would be seen by many."""
        return not one.public and wire.is_mxid(one.by) and one.by != self._own.value
