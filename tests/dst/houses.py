"""One process of ours: the real rooms and bridges, on a disk and networks in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import random
from collections.abc import Iterable, Mapping
from typing import Final

from bot import build
from bot.contract import bridge, intake
from bot.inbox import signals
from bot.policy import settings
from bot.store import database, keyvalue, vault
from tests.dst import felt, people, points, timing, told, twilio

TURNED_AWAY: Final = (database.StoreAwayError, intake.NotStoredError)
EXPECTED: Final = (*TURNED_AWAY, points.RefusedError)
_LISTEN_AGAIN_S: Final = 60.0
# The same for all seeds, so that the words of every day are hashed once a process.
KEYS: Final = 1
_HASHED: Final = functools.cache(signals.hasher(vault.throwaway(KEYS)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One process: its rooms, and its web side by path."""

    rooms: build.Rooms
    apps: Mapping[str, bridge.AsgiApp]

    def app(self, path: str) -> bridge.AsgiApp:
        found = self.apps.get(path)
        if found is not None:
            return found
        return next(app for way, app in self.apps.items() if path.startswith(way))


def core(draw: random.Random, *, crowd: bool) -> settings.Core:
    """The operator's settings; drawn anew at each start, as an operator changes them.

    `crowd`: he has set money aside for second opinions.
    """
    budget = settings.Budget(
        cap_day_micros=draw.choice((300_000, 800_000, 5_000_000)),
        cap_month_micros=draw.choice((2_000_000, 50_000_000)),
        unknown_after_s=21_600,
        opinions_day_micros=60_000 if crowd else draw.choice((0, 60_000)),
        quotas={
            people.SIM: settings.Quota(parts_per_day=draw.choice((2, 4)), recipients_per_month=5),
            people.SIGNAL: settings.Quota(parts_per_second=draw.choice((0.01, 1.0))),
            people.TWILIO: settings.Quota(parts_per_second=1.0),
        },
    )
    reply = settings.Reply(
        route=draw.choice(("same", "cheapest")),
        expires_after_s=43_200,
        release_by_hand=draw.random() < 0.1,
    )
    return settings.Core(who=settings.Who(answer_fiction=True), budget=budget, reply=reply)


async def make(run: told.Run, rules: settings.Core) -> House:
    """A process that starts: every bridge is new, what it kept is on the disk."""
    clock = run.outside.clock
    made = {
        name: await network.make(
            bridge.Context(
                channel=name,
                clock=timing.Slow(clock),
                storage=keyvalue.KeyValue(run.disk, name),
                currency="EUR",
                public_url=twilio.URL,
            )
        )
        for name, network in run.networks.items()
    }
    for one in made.values():
        felt.watch(one, run.outside)
    rooms = build.rooms(
        store=run.disk, core=rules, keys=run.keys, bridges=made, moment=clock, hashed=_HASHED
    )
    routes = [
        route
        for one in made.values()
        if isinstance(one, bridge.BringsRoutes)
        for route in one.routes(rooms.intake)
    ]
    return House(rooms=rooms, apps={route.path: route.app for route in routes})


async def listening(one: bridge.Bridge, door: intake.Intake, clock: timing.Clock) -> None:
    """As the supervisor keeps it."""
    while True:
        try:
            await one.listen(door)
        except* (bridge.BridgeDownError, keyvalue.NotKeptError, *EXPECTED):
            pass
        await clock.sleep(_LISTEN_AGAIN_S)


def deaf(ears: Iterable[asyncio.Task[None]]) -> list[str]:
    """Who stopped listening for good, over what no bridge may raise."""
    ended = [ear for ear in ears if ear.done() and not ear.cancelled()]
    return [
        f"stopped listening: {error!r}"
        for ear in ended
        if (error := ear.exception()) is not None and not _is_end(error)
    ]


def _is_end(error: BaseException) -> bool:
    """A crash, as it comes out of a task group."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(points.Crash)[1] is None
    return isinstance(error, points.Crash)
