"""One run: people write, accounts misbehave, moderators act, the process dies and starts again."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime as dt
import functools
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import sqlalchemy as sa

from bot import build, outbox
from bot.console import holding
from bot.contract import clock as clocks
from bot.contract import intake, messages
from bot.policy import settings
from bot.policy.lifecycle import State
from bot.store import database, schema, vault
from tests.dst import people, points
from tests.dst.outside import Account, Clock, Outside

MESSAGES = 50
FAULTS = 10
CRASHES = 3
# A chore that is due comes in so many of the ticks: ticks are long, chores many.
_OFTEN = 0.4
_EXPECTED = (database.StoreAwayError, intake.NotStoredError)


@dataclasses.dataclass(slots=True, kw_only=True)
class Pause:
    """When a moderator's pause was stored, and when it was lifted; seconds of the steady clock."""

    from_s: float
    to_s: float | None = None


@dataclasses.dataclass(slots=True, kw_only=True)
class Run:
    """What happened, for the checker and for people. `odd`: what no run may show."""

    seed: int
    letters: list[people.Letter]
    outside: Outside
    disk: points.Disk
    points: points.Points
    linked: people.Linked
    caps: dict[str, int] = dataclasses.field(default_factory=dict)
    pauses: list[Pause] = dataclasses.field(default_factory=list)
    history: list[str] = dataclasses.field(default_factory=list)
    odd: list[str] = dataclasses.field(default_factory=list)
    faults: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


def core(draw: random.Random) -> settings.Core:
    """The operator's settings; drawn anew at each start, as an operator changes them."""
    budget = settings.Budget(
        cap_day_micros=draw.choice((300_000, 800_000, 5_000_000)),
        cap_month_micros=draw.choice((2_000_000, 50_000_000)),
        unknown_after_s=21_600,
        quotas={
            "sim": settings.Quota(parts_per_day=draw.choice((2, 4)), recipients_per_month=5),
            "signal": settings.Quota(parts_per_second=draw.choice((0.01, 1.0))),
        },
    )
    reply = settings.Reply(
        route=draw.choice(("same", "cheapest")),
        expires_after_s=43_200,
        release_by_hand=draw.random() < 0.1,
    )
    return settings.Core(who=settings.Who(answer_fiction=True), budget=budget, reply=reply)


class Player:
    """Plays one seed. `place`: the process dies there, once, and nowhere else."""

    def __init__(self, seed: int, count: int = MESSAGES, place: str | None = None) -> None:
        self.draw = random.Random(seed)
        self.clock = Clock()
        self.points = points.Points()
        self._away = 0
        disk = points.Disk(self.points, self._is_away)
        outside = Outside(self.draw, self.clock, self.points, self._later)
        self.run = Run(
            seed=seed,
            letters=people.letters(self.draw, self.clock.now(), count),
            outside=outside,
            disk=disk,
            points=self.points,
            linked=people.Linked(),
        )
        self._agenda: list[tuple[float, int, Callable[[], Awaitable[None]]]] = []
        self._jumps: list[tuple[float, int]] = []
        self._order = itertools.count()
        self._houses: list[build.Rooms] = []
        self._keys = vault.throwaway(seed)
        self._place = place
        self.calm = False

    def _is_away(self) -> bool:
        if self._away > 0:
            self._away -= 1
            return True
        return False

    def _say(self, line: str) -> None:
        self.run.history.append(f"{self.clock.monotonic():9.0f} s  {line}")

    def _at(self, delay_s: float, act: Callable[[], Awaitable[None]]) -> None:
        at_s = self.clock.monotonic() + delay_s
        heapq.heappush(self._agenda, (at_s, next(self._order), act))

    def _later(self, delay_s: float, receipt: messages.DeliveryReceipt) -> None:
        async def act() -> None:
            await self._house().intake.receipts([receipt])

        self._at(delay_s, act)

    def _house(self) -> build.Rooms:
        return self.draw.choice(self._houses)

    async def play(self) -> Run:
        """Everything, until nothing waits any more."""
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await self.run.disk.open()
        self.run.disk._write(schema.create)
        self._start()
        for letter in self.run.letters:
            self._at(letter.at_s, self._delivery(letter))
        self._plan_troubles()
        while self._agenda or self.clock.monotonic() < 40_000:
            await self._tick()
        self.calm = self.run.outside.calm = True
        for _ in range(200):
            await self._tick()
            if not self._agenda and not self._waiting():
                break
        return self.run

    def _waiting(self) -> bool:
        counts = self.run.disk._read(outbox.counts)
        return any(counts[s] for s in (State.HELD, State.SCHEDULED, State.SENDING))

    def _start(self) -> None:
        """The process, once or as two workers beside each other, with the settings of now."""
        self.points.revive()
        told = core(self.draw)
        cap = told.budget.cap_day_micros or 0
        self.run.caps["all"] = max(self.run.caps.get("all", 0), cap)
        world = self.run.outside
        self._houses = [
            build.rooms(
                store=self.run.disk,
                core=told,
                keys=self._keys,
                moment=self.clock,
                bridges={
                    "sms": Account(
                        world, "sms", "sms", people.OURS["sms"], 70_000, idempotent=False
                    ),
                    "sim": Account(world, "sim", "sms", people.OURS["sim"], 0, idempotent=True),
                    "signal": Account(
                        world, "signal", "signal", people.OURS["signal"], 0, idempotent=False
                    ),
                },
            )
            for _ in range(self.draw.choice((1, 1, 2)))
        ]
        self._say(f"started, {len(self._houses)} worker(s), route {told.reply.route}, cap {cap}")

    def _plan_troubles(self) -> None:
        draw = self.draw
        if self._place is not None:
            self._at(draw.uniform(0, 9_000), self._dying_at(self._place))
        for _ in range(draw.randint(CRASHES, CRASHES + 3) if self._place is None else 0):
            self._at(draw.uniform(0, 39_000), self._arming(draw.randint(1, 60)))
        for _ in range(draw.randint(FAULTS // 2, FAULTS)):
            self._at(draw.uniform(0, 39_000), self._disk_full(draw.randint(1, 6)))
        for _ in range(draw.randint(1, 4)):
            self._at(draw.uniform(0, 39_000), self._pausing(draw.uniform(60, 5_000)))
        for _ in range(draw.randint(0, 2)):
            jump = (draw.uniform(0, 39_000), draw.choice((-3_600, 3_600, -400, 400)))
            heapq.heappush(self._jumps, jump)
        for _ in range(8):
            self._at(draw.uniform(5_000, 45_000), self._deciding)

    def _arming(self, left: int) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            self.points.arm(left)

        return act

    def _dying_at(self, place: str) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            self.points.arm_at(place)

        return act

    def _disk_full(self, times: int) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            self.run.faults["disk_full"] += 1
            self._away = times

        return act

    def _set_clocks(self) -> None:
        """Between ticks: within one, nobody could say what the clock was at a send."""
        while self._jumps and self._jumps[0][0] <= self.clock.monotonic():
            _, by_s = heapq.heappop(self._jumps)
            self.run.faults["clock_jump"] += 1
            self.clock.shift += dt.timedelta(seconds=by_s)
            self._say(f"the clock jumps by {by_s} s")

    def _delivery(self, letter: people.Letter) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            await self._house().intake.accept([letter.message])
            self._acked(letter)
            if self.draw.random() < 0.15:
                self.run.faults["delivered_twice"] += 1
                self._at(self.draw.uniform(0, 5_000), self._delivery(letter))

        return act

    def _acked(self, letter: people.Letter) -> None:
        if letter.acked_s is not None:
            return
        letter.acked_s = self.clock.monotonic()
        for alias in letter.message.aliases:
            self.run.linked.join(letter.message.sender, alias, letter.acked_s)

    def _pausing(self, for_s: float) -> Callable[[], Awaitable[None]]:
        async def begin() -> None:
            # Ended whatever becomes of it: a kill after the commit hides that it was stored.
            self._at(for_s, end)
            now_ms = clocks.to_ms(self.clock.now())
            await self._store_act(
                lambda tx: holding.pause(tx, now_ms=now_ms, who="dst", until_ms=None)
            )
            self.run.pauses.append(Pause(from_s=self.clock.monotonic()))

        async def end() -> None:
            now_ms = clocks.to_ms(self.clock.now())
            try:
                await self._store_act(lambda tx: holding.resume(tx, now_ms=now_ms, who="dst"))
            finally:
                # It lifts what was paused meanwhile too, and a kill hides whether it was stored.
                for pause in self.run.pauses:
                    pause.to_s = self.clock.monotonic() if pause.to_s is None else pause.to_s

        return begin

    async def _store_act(self, work: Callable[[sa.Connection], Any]) -> None:
        await self.run.disk.write(work)

    async def _deciding(self) -> None:
        """A moderator lets go or drops what is held, and resumes what was stopped; twice."""
        now_ms = clocks.to_ms(self.clock.now())
        held = self.run.disk._read(lambda tx: outbox.in_state(tx, State.HELD, 20))
        ids = [row["id"] for row in held if self.draw.random() < 0.5]
        rules, approves = self._house().core.reply, self.draw.random() < 0.5

        def decide(tx: sa.Connection) -> None:
            if approves:
                holding.approve(tx, ids, keys=self._keys, rules=rules, now_ms=now_ms, who="dst")
            else:
                holding.drop(tx, ids, keys=self._keys, now_ms=now_ms, who="dst")

        for _ in range(2):
            await self._store_act(decide)
        for channel in people.OURS:
            await self._store_act(
                functools.partial(holding.resume, now_ms=now_ms, who="dst", channel=channel)
            )

    async def _tick(self) -> None:
        """Let some time pass and everything due in it happen at once, in any order."""
        step_s = self.draw.uniform(900, 1_800) if self.calm else self.draw.uniform(20, 600)
        await self.clock.advance(step_s)
        self._set_clocks()
        due: list[Callable[[], Awaitable[Any]]] = []
        while self._agenda and self._agenda[0][0] <= self.clock.monotonic():
            due.append(heapq.heappop(self._agenda)[2])
        acts = list(due)
        for house in self._houses:
            acts += [house.dispatcher.step, house.dispatcher.repair]
            acts += [house.flood.look] if self.draw.random() < _OFTEN else []
            acts += [
                _chore(house, chore.name)
                for chore in house.janitor.chores
                if self.draw.random() < min(step_s / chore.every_s, _OFTEN)
            ]
        self.draw.shuffle(acts)
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(_awaited(act)) for act in acts]
        for act, result in zip(acts, await self._ended(tasks), strict=True):
            if not isinstance(result, BaseException):
                continue
            if not isinstance(result, (*_EXPECTED, points.Crash, asyncio.CancelledError)):
                self.run.odd.append(f"raised {type(result).__name__}: {result}")
            elif act in due:
                # Whoever is outside tries again until we said that it is stored.
                self.run.faults["tried_again"] += 1
                self._at(self.draw.uniform(10, 900), act)
        if self.points.dead:
            where = next(reversed(self.points.crashed))
            self._say(f"killed, last at {where}")
            self._start()

    async def _ended(self, tasks: list[asyncio.Future[Any]]) -> list[Any]:
        """Their results; after a crash whoever waits for the dead is not waited for."""
        pending: set[asyncio.Future[Any]] = set(tasks)
        while pending and not self.points.dead:
            _, pending = await asyncio.wait(pending, timeout=0, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
        for task in pending:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)


def _chore(house: build.Rooms, name: str) -> Callable[[], Awaitable[Any]]:
    return lambda: house.janitor.step(name)


async def _awaited(act: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 (any act's result)
    return await act()


def play(seed: int, count: int = MESSAGES, place: str | None = None) -> Run:
    """One seed from beginning to end."""
    made: Coroutine[Any, Any, Run] = Player(seed, count, place).play()
    return asyncio.run(made)


def places(seeds: Iterable[int]) -> list[str]:
    """Every place where the process could die, as these seeds pass them."""
    names: set[str] = set()
    for seed in seeds:
        names |= play(seed).points.passed.keys()
    return sorted(names)


def died_at(place: str, tries: int) -> Run | None:
    """A run that died at this place; None if that many seeds never came there."""
    for seed in range(1, tries + 1):
        run = play(seed, place=place)
        if run.points.crashed[place]:
            return run
    return None
