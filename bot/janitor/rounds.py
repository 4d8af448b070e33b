"""The list of chores, how often each is due, and when each ran: health shows it."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

import sqlalchemy as sa
import structlog

from bot.contract import bridge, clock, intake
from bot.janitor import (
    afterwards,
    gone,
    look_ups,
    opinions,
    retention,
    sealed,
    stuck,
    sweep,
    unsure,
)
from bot.policy import settings
from bot.policy.flood import snapshot
from bot.store import database, vault

_log = structlog.get_logger(__name__)

Counts = Mapping[str, int]
# A chore that did not run for so many of its periods is late.
PATIENCE: Final = 3
# How soon another process takes over from a janitor that is gone.
TURN_S: Final = 5.0
OPINIONS_EVERY_S: Final = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """One chore: `step(now_ms)` does it once and says what it did."""

    name: str
    every_s: float
    step: Callable[[int], Awaitable[Counts]]


async def tidy(
    store: database.Store,
    core: settings.Core,
    idempotent: Callable[[str], bool],
    now_ms: int,
) -> dict[str, int]:
    """All that keeps replies moving, once: leases, expiry, release, unknown money."""

    def work(tx: sa.Connection) -> dict[str, int]:
        return {
            **stuck.leases(tx, core, idempotent, now_ms),
            **stuck.expire(tx, core, now_ms),
            **stuck.release(tx, core, now_ms),
            **unsure.post_in_full(tx, core, now_ms),
        }

    return await store.write(work)


class _Forgetting:
    """What is forgotten goes out of the file's log too, where it would stand for long.

    Owed until it was done: a full disk, or a backup that is being read, may be in the way. An
    earlier run that was killed may owe it as well.
    """

    def __init__(
        self, store: database.Store, core: settings.Core, channels: Collection[str]
    ) -> None:
        self._store, self._core, self._channels = store, core, channels
        self._owed = True

    async def room(self, now_ms: int) -> Counts:
        return await self._emptied(retention.room(self._store, self._core, now_ms))

    async def rest(self, now_ms: int) -> Counts:
        return await self._emptied(self._rest(now_ms))

    async def _rest(self, now_ms: int) -> dict[str, int]:
        counts = await retention.forget(self._store, self._core, now_ms)
        return counts | await gone.forget(self._store, self._channels, now_ms)

    async def _emptied(self, forgotten: Awaitable[dict[str, int]]) -> Counts:
        owed, self._owed = self._owed, True
        counts = await forgotten
        self._owed = (owed or any(counts.values())) and not await self._store.truncate()
        return counts


class Janitor:
    """Runs each chore in a loop of its own. `ran`: chore -> when it last came to an end."""

    def __init__(
        self,
        *,
        store: database.Store,
        core: settings.Core,
        keys: vault.Vault,
        bridges: Mapping[str, bridge.Bridge],
        door: intake.Intake,
        settle: Callable[[], Awaitable[int]],
        moment: clock.Clock,
        flood: Callable[[], snapshot.Snapshot] = lambda: snapshot.CALM,
    ) -> None:
        """`door` takes what sweeps and questions bring; `settle` tries early receipts again."""
        self._clock = moment
        self.ran: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self._started_ms = clock.to_ms(moment.now())
        asking = unsure.Asking(keys, bridges, door.receipts)
        sweeps = sweep.Sweeps(bridges, door)
        after = afterwards.Afterwards(bridges, asking.ask, door.receipts)
        looking = look_ups.LookUps(core=core, keys=keys, bridges=bridges, flood=flood)
        doubting = opinions.Opinions(core=core, keys=keys, bridges=bridges, flood=flood)

        def idempotent(channel: str) -> bool:
            way = bridges.get(channel)
            return way is not None and way.idempotent

        async def settled(_now_ms: int) -> Counts:
            return {"settled_early": await settle()}

        async def moved(_now_ms: int) -> Counts:
            await store.checkpoint()
            return {}

        async def resealed(_now_ms: int) -> Counts:
            return await sealed.reseal(store, keys)

        lapsed = _Forgetting(store, core, bridges)
        self.chores: tuple[Chore, ...] = (
            Chore(name="checkpoint", every_s=5, step=moved),
            Chore(name="early_receipts", every_s=5, step=settled),
            Chore(name="tidy", every_s=15, step=functools.partial(tidy, store, core, idempotent)),
            Chore(name="ask", every_s=30, step=functools.partial(asking.step, store)),
            Chore(
                name="opinions",
                every_s=OPINIONS_EVERY_S,
                step=functools.partial(doubting.step, store),
            ),
            Chore(name="look_ups", every_s=60, step=functools.partial(looking.step, store)),
            Chore(name="sweep", every_s=300, step=functools.partial(sweeps.step, store)),
            Chore(name="afterwards", every_s=60, step=functools.partial(after.step, store)),
            Chore(name="reseal", every_s=3_600, step=resealed),
            Chore(name="room", every_s=900, step=lapsed.room),
            Chore(name="forget", every_s=6 * 3_600, step=lapsed.rest),
        )

    async def step(self, name: str) -> Counts:
        """Do one chore now. Raises KeyError, and whatever the chore raises."""
        chore = {one.name: one for one in self.chores}[name]
        counts = await chore.step(clock.to_ms(self._clock.now()))
        self.ran[name] = clock.to_ms(self._clock.now())
        if any(counts.values()):
            _log.info("chore", chore=name, **counts)
        return counts

    async def round(self) -> dict[str, int]:
        """Do every chore once, in order: start-up, tests and simulate."""
        out: dict[str, int] = {}
        for chore in self.chores:
            out |= await self.step(chore.name)
        return out

    def late(self) -> list[str]:
        """Names of chores that have not run for PATIENCE of their periods."""
        ages = self.ages()
        return [chore.name for chore in self.chores if ages[chore.name] > PATIENCE * chore.every_s]

    def ages(self) -> dict[str, float]:
        """Seconds since each chore last came to an end; since the start if it never did."""
        now_ms = clock.to_ms(self._clock.now())
        return {
            chore.name: (now_ms - self.ran.get(chore.name, self._started_ms)) / 1000
            for chore in self.chores
        }

    async def run(
        self,
        stop: asyncio.Event,
        beat: Callable[[], None] = lambda: None,
        turn: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Every chore at once and then in its period, until `stop`; each ends what it began.

        `turn`: whether this process keeps house; while another one does, its chores wait.
        """
        async with asyncio.TaskGroup() as tasks:
            for chore in self.chores:
                tasks.create_task(self._loop(chore, stop, beat, turn), name=f"janitor-{chore.name}")

    async def _loop(
        self,
        chore: Chore,
        stop: asyncio.Event,
        beat: Callable[[], None],
        turn: Callable[[], Awaitable[bool]] | None,
    ) -> None:
        while not stop.is_set():
            beat()
            if turn is not None and not await turn():
                # Done elsewhere: nothing is late here.
                self.ran[chore.name] = clock.to_ms(self._clock.now())
                await self._rest(min(chore.every_s, TURN_S), stop)
                continue
            # One chore's trouble (the database is away, say) must not end the others.
            (result,) = await asyncio.gather(self.step(chore.name), return_exceptions=True)
            if isinstance(result, Exception):
                self.failures[chore.name] = self.failures.get(chore.name, 0) + 1
                _log.warning("chore_failed", chore=chore.name, error=type(result).__name__)
            await self._rest(chore.every_s, stop)

    async def _rest(self, seconds: float, stop: asyncio.Event) -> None:
        waits = [
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(stop.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
