"""The real rooms around a bridge under test, on a database in memory and a virtual clock."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from bot import build
from bot.contract import bridge
from bot.policy import settings
from bot.store import database, keyvalue, schema, tables, vault
from tests.bot.store import rows
from tests.fakes import world

PUBLIC = "https://sms.example.org"
CORE = settings.Core(
    who=settings.Who(answer_fiction=True),
    budget=settings.Budget(cap_day_micros=None, cap_month_micros=None),
)


@dataclasses.dataclass(frozen=True)
class House:
    """One channel `sms` in the rooms; `app` is where its events go."""

    rooms: build.Rooms
    clock: world.Clock
    app: bridge.AsgiApp
    bridge: Any

    async def replies(self) -> list[Mapping[str, Any]]:
        return list(await rows.rows(self.rooms.store, tables.replies))

    async def states(self) -> dict[str, int]:
        return dict(collections.Counter(row["state"] for row in await self.replies()))

    async def one(self) -> Mapping[str, Any]:
        (row,) = await self.replies()
        return row

    async def deliver(self, seconds: float = 7_200) -> None:
        """Let the delay pass and send what is due."""
        await self.clock.advance(seconds)
        async with asyncio.timeout(60):
            while await self.rooms.dispatcher.step():
                pass

    async def work(self, rounds: int, *, seconds: float = 300) -> None:
        """Dispatcher and janitor take turns while time goes on."""
        for _ in range(rounds):
            async with asyncio.timeout(60):
                await self.rooms.dispatcher.step()
                await self.rooms.dispatcher.repair()
                for chore in ("early_receipts", "tidy"):
                    await self.rooms.janitor.step(chore)
                while (await self.rooms.janitor.step("ask")).get("asked"):
                    pass
            await self.clock.advance(seconds)

    async def close(self) -> None:
        await self.bridge.close()
        await self.rooms.store.close()


async def around(create: Callable[[bridge.Context], Any], core: settings.Core = CORE) -> House:
    """The rooms with this bridge in them."""
    moment = world.Clock()
    store = database.Store(None)
    await store.open()
    await store.write(schema.create)
    context = bridge.Context(
        channel="sms",
        clock=moment,
        storage=keyvalue.KeyValue(store, "sms"),
        currency="EUR",
        public_url=PUBLIC,
    )
    made = create(context)
    rooms = build.rooms(
        store=store, core=core, keys=vault.throwaway(7), bridges={"sms": made}, moment=moment
    )
    (route,) = made.routes(rooms.intake)
    return House(rooms=rooms, clock=moment, app=route.app, bridge=made)
