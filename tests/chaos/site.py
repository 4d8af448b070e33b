"""The real rooms around one bridge, with a web server of their own where webhooks come in."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from bot import build
from bot.contract import bridge, money
from bot.policy import settings
from bot.store import database, keyvalue, tables, vault
from bot.web import app, guard, server
from tests.bot.store import rows
from tests.fakes import databases, world

PUBLIC = "https://sms.example.org"
LIMIT_S = 60.0
PATIENT = guard.Limits(head_s=30, body_s=30, idle_s=1)
HURRIED = guard.Limits(head_s=0.4, body_s=0.4, idle_s=1)
Create = Callable[[bridge.Context], Any]


def core(cap_month_micros: int | None = None) -> settings.Core:
    """Numbers of films are answered; at most that much money a month."""
    rate = money.Rate(currency="USD", micros=950_000, dated="2026-11-22")
    return settings.Core(
        who=settings.Who(answer_fiction=True),
        budget=settings.Budget(
            rates={"USD": rate}, cap_day_micros=None, cap_month_micros=cap_month_micros
        ),
    )


class Site:
    """`server` listens on `port` with the bridge's routes; the clock is virtual."""

    def __init__(
        self,
        store: database.Store,
        rooms: build.Rooms,
        made: Any,  # noqa: ANN401 (any bridge, with its extras)
        moment: world.Clock,
    ) -> None:
        self.store, self.rooms, self.bridge, self.clock = store, rooms, made, moment
        routes = made.routes(rooms.intake) if isinstance(made, bridge.BringsRoutes) else ()
        whole = app.create(routes=routes, channels=[], health=_fine)
        self.server = server.Server(whole, limits=PATIENT)
        self.routes = {one.path: one for one in routes}

    @property
    def port(self) -> int:
        return self.server.port

    async def inbound(self) -> int:
        """Messages stored."""
        return len(await rows.rows(self.store, tables.inbound))

    async def replies(self) -> list[Mapping[str, Any]]:
        return list(await rows.rows(self.store, tables.replies))

    async def work(self, rounds: int, *, seconds: float = 300) -> None:
        """Dispatcher and janitor take turns while time goes on."""
        async with asyncio.timeout(LIMIT_S):
            for _ in range(rounds):
                await self.rooms.dispatcher.step()
                await self.rooms.dispatcher.repair()
                for chore in ("early_receipts", "tidy"):
                    await self.rooms.janitor.step(chore)
                while (await self.rooms.janitor.step("ask")).get("asked"):
                    pass
                await self.clock.advance(seconds)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let others run until it holds; TimeoutError if it never does."""
        async with asyncio.timeout(LIMIT_S):
            turns = 0
            while not holds():
                turns += 1
                await asyncio.sleep(0 if turns < 200 else 0.002)

    async def until_nobody_is_left(self) -> None:
        """No connection and no request is left over, by the server's two counts."""
        known = self.server._uvicorn.server_state
        await self.until(lambda: not (self.server.gate.open or known.connections or known.tasks))


async def _fine() -> dict[str, object]:
    return {"ok": True}


@contextlib.asynccontextmanager
async def opened(
    create: Create, *, channel: str = "sms", told: settings.Core | None = None
) -> AsyncIterator[Site]:
    """A site on an empty database, serving; all is closed at the end."""
    moment = world.Clock()
    async with databases.opened() as store:
        context = bridge.Context(
            channel=channel,
            clock=moment,
            storage=keyvalue.KeyValue(store, channel),
            currency="EUR",
            public_url=PUBLIC,
        )
        made = create(context)
        rooms = build.rooms(
            store=store,
            core=told or core(),
            keys=vault.throwaway(7),
            bridges={channel: made},
            moment=moment,
        )
        site = Site(store, rooms, made, moment)
        serving = asyncio.create_task(site.server.serve())
        try:
            await site.server.ready()
            yield site
        finally:
            site.server.stop()
            await asyncio.wait_for(serving, LIMIT_S)
            await made.close()


def states(replies: list[Mapping[str, Any]]) -> dict[str, int]:
    """How many of each."""
    return dict(collections.Counter(str(row["state"]) for row in replies))
