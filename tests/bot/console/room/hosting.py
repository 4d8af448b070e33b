"""A moderators' room in memory: its own ledger of what was seen there, and people who write."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import itertools
from collections.abc import Mapping, Sequence

from bot.contract import address, bridge, intake, messages, money, outcomes, room
from bot.contract.room import Role
from tests.fakes import world

ROOM = "!moderators:example.org"
OTHER = "!kitchen:example.org"
ANNA = "@anna:example.org"
BEA = "@bea:example.org"
CLEO = "@cleo:example.org"
DORA = "@dora:example.org"
EVE = "@eve:example.org"
ROSTER = {
    ANNA: Role.ADMIN,
    BEA: Role.TREASURER,
    CLEO: Role.MODERATOR,
    DORA: Role.READER,
}


@dataclasses.dataclass(slots=True)
class Seen:
    """One message of ours in the room, as clients show it now."""

    event_id: str
    room_id: str
    out_id: str
    plain: str
    html: str
    answers: str | None
    reactions: tuple[str, ...]
    mentions: tuple[str, ...]
    image: room.Image | None
    edits: int = 0
    withdrawn: bool = False


class Room:
    """The homeserver: it outlives our process. `said` is everything, in order, by event id."""

    def __init__(self) -> None:
        self.members = {
            one: room.Member(account=one, joined=True, power=100 if one == ANNA else 50)
            for one in (*ROSTER, EVE)
        }
        self.said: dict[str, Seen] = {}
        self.transactions: dict[str, str] = {}
        self.away = False
        self.pending: list[room.RoomEvent] = []
        self._ids = itertools.count(1)

    def fresh(self) -> str:
        return f"$event{next(self._ids)}"

    @property
    def shown(self) -> list[Seen]:
        """What is still to be seen."""
        return [one for one in self.said.values() if not one.withdrawn]

    @property
    def texts(self) -> str:
        """All words that ever stood there, for canaries."""
        return "\n".join(one.plain + one.html for one in self.said.values())


class Hosted:
    """A bridge whose network is `Room`; it reaches nobody."""

    channel = "matrix"
    network = address.MATRIX
    idempotent = False
    addresses: Sequence[bridge.OwnAddress] = ()

    def __init__(self, network: Room) -> None:
        self.room = network
        self.door: room.Door | None = None
        self.roster: Mapping[str, Role] = ROSTER
        self.rooms: Sequence[str] = (ROOM,)
        self.asked = 0

    def host(self, door: room.Door) -> None:
        self.door = door

    async def members(self, room_id: str) -> Mapping[str, room.Member]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.room.away:
            raise room.RoomAwayError("away")
        del room_id
        return dict(self.room.members)

    def reaches(self, recipient: address.Address) -> bool:
        return False

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return messages.Quote(price=money.Money(0, "EUR"), parts=1)

    async def listen(self, door: intake.Intake) -> None:
        await asyncio.Event().wait()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        return outcomes.Rejected(reason="nobody")

    async def close(self) -> None:
        """Nothing to give back."""

    async def deliver(self) -> None:
        """Hand in what happened in the room, with our place in it."""
        assert self.door is not None
        batch = list(self.room.pending)
        if batch:
            await self.door.events(batch, channel=self.channel, cursor=batch[-1].event_id)
            # Killed here, we are given them again.
            await asyncio.sleep(0)
            del self.room.pending[: len(batch)]

    async def pump(self, most: int = 1_000) -> int:
        """Say what waits, one by one, as a bridge does; how much was said."""
        assert self.door is not None
        for n in range(most):
            waiting = await self.door.outgoing(self.channel, 1)
            if not waiting:
                return n
            event_id = self.transmit(waiting[0])
            # Killed here, it is in the room and we do not know.
            await asyncio.sleep(0)
            await self.door.sent(waiting[0].id, event_id)
        return most

    def transmit(self, out: room.Outgoing) -> str:
        """What the homeserver does: the same transaction again is the same event."""
        if out.id in self.room.transactions:
            return self.room.transactions[out.id]
        event_id = self.room.transactions[out.id] = self.room.fresh()
        if out.withdraws is not None:
            self.room.said[out.withdraws].withdrawn = True
        elif out.replaces is not None:
            seen = self.room.said[out.replaces]
            seen.plain, seen.html, seen.edits = out.plain, out.html, seen.edits + 1
        else:
            self.room.said[event_id] = Seen(
                event_id=event_id,
                room_id=out.room_id,
                out_id=out.id,
                plain=out.plain,
                html=out.html,
                answers=out.answers,
                reactions=out.reactions,
                mentions=out.mentions,
                image=out.image,
            )
        return event_id


def by(account: str, trust: room.Trust = room.Trust.PLAIN, power: int = 50) -> room.By:
    """Somebody, as the bridge knew them."""
    return room.By(member=room.Member(account=account, joined=True, power=power), trust=trust)


def command(
    network: Room,
    account: str,
    text: str,
    at: dt.datetime,
    *,
    trust: room.Trust = room.Trust.PLAIN,
    room_id: str = ROOM,
) -> room.Command:
    """A text message in the room."""
    made = room.Command(
        event_id=network.fresh(), room_id=room_id, at=at, by=by(account, trust), text=text
    )
    network.pending.append(made)
    return made


def reaction(
    network: Room, account: str, on: str, key: str, at: dt.datetime, *, room_id: str = ROOM
) -> room.Reaction:
    """A reaction in the room."""
    made = room.Reaction(
        event_id=network.fresh(), room_id=room_id, at=at, by=by(account), on=on, key=key
    )
    network.pending.append(made)
    return made


START = world.START
