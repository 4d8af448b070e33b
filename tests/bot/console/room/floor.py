"""The whole house around a room in memory: real rooms, a virtual clock, a world of phones."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from bot import build
from bot.console.room import desk
from bot.contract import bridge, room
from bot.policy import settings
from bot.store import database, vault
from tests.bot.console.room import hosting
from tests.fakes import databases, world

EUR = 1_000_000
CORE = settings.Core(who=settings.Who(answer_fiction=True), room=settings.Room(language="en"))


@dataclasses.dataclass(slots=True)
class Floor:
    """`step` lets everybody work once; `now` is the virtual time."""

    store: database.Store
    core: settings.Core
    keys: vault.Vault
    clock: world.Clock
    phones: world.World
    room: hosting.Room
    health: dict[str, Any]
    rooms: build.Rooms
    host: hosting.Hosted
    desk: desk.Desk

    @property
    def now(self) -> dt.datetime:
        return self.clock.now()

    async def step(self, rounds: int = 3) -> None:
        """The room's own work, with what came and what is to be said."""
        for _ in range(rounds):
            await self.host.deliver()
            await settle(self.desk)
            await self.host.pump()

    async def says(self, account: str, text: str, **told: Any) -> list[hosting.Seen]:  # noqa: ANN401 (as hosting.command)
        """Write into the room; what was answered to it."""
        made = hosting.command(self.room, account, text, self.now, **told)
        before = len(self.room.said)
        await self.step()
        fresh = list(self.room.said.values())[before:]
        return [one for one in fresh if one.answers == made.event_id]

    async def reacts(self, account: str, on: hosting.Seen, key: str) -> list[hosting.Seen]:
        """React; what was said after it."""
        hosting.reaction(self.room, account, on.event_id, key, self.now)
        before = len(self.room.said)
        await self.step()
        return list(self.room.said.values())[before:]

    async def ask(self, account: str, text: str, **told: Any) -> hosting.Seen:  # noqa: ANN401 (the same)
        """Write, and give the one answer."""
        (answer,) = await self.says(account, text, **told)
        return answer

    async def passes(self, **span: float) -> None:
        """Time goes by; nobody works meanwhile."""
        await self.clock.advance(dt.timedelta(**span).total_seconds())

    async def writes(self, number: int, text: str = "salut", **told: object) -> None:
        """An SMS comes in now."""
        await self.rooms.intake.accept([world.message(number, text=text, at=self.now, **told)])

    async def sends(self) -> None:
        """Everything that is due goes out."""
        while await self.rooms.dispatcher.step():
            pass

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """All rows of a table."""

        def work(tx: sa.Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in tx.execute(sa.select(table)).mappings()]

        return await self.store.read(work)

    def restart(self) -> None:
        """All memory is gone; the database, the homeserver and the phones are not."""
        self.rooms, self.host, self.desk = _made(self)


async def settle(of: desk.Desk) -> None:
    """Work until nothing is left to do, also what is prepared beside."""
    for _ in range(20):
        done = await of.step()
        beside = list(of.preparing)
        if beside:
            await asyncio.wait(beside)
        elif not done:
            return


def _made(of: Floor) -> tuple[build.Rooms, hosting.Hosted, desk.Desk]:
    host = hosting.Hosted(of.room)
    bridges: dict[str, bridge.Bridge] = {of.phones.channel: of.phones, host.channel: host}
    rooms = build.rooms(
        store=of.store, core=of.core, keys=of.keys, bridges=bridges, moment=of.clock
    )

    async def health() -> Mapping[str, object]:
        return of.health

    return rooms, host, build.moderators(rooms, health)


async def opened(
    core: settings.Core = CORE,
    phones: world.World | None = None,
    store: database.Store | None = None,
) -> Floor:
    """A new house, on a database in memory unless given one with its tables made."""
    store = store or await databases.fresh()
    made = object.__new__(Floor)
    made.store, made.core, made.keys = store, core, vault.throwaway(7)
    made.clock, made.phones, made.room = world.Clock(), phones or world.World(), hosting.Room()
    up = {"condition": "up", "detail": ""}
    made.health = {"ok": True, "bridges": {"sms": dict(up), "matrix": dict(up)}}
    made.restart()
    await made.step()
    return made


def held(core: settings.Core = CORE) -> settings.Core:
    """The same, every reply held for a moderator."""
    reply = dataclasses.replace(core.reply, release_by_hand=True)
    return dataclasses.replace(core, reply=reply)


TRUSTED = room.Trust.OWN_DEVICE
