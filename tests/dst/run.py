"""One run: people write, providers misbehave, moderators act, the process dies and starts again."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import functools
import hashlib
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sqlalchemy import exc

from bot import outbox
from bot.contract import bridge
from bot.policy.lifecycle import State
from bot.store import vault
from tests.dst import (
    houses,
    matrix,
    moderators,
    outside,
    people,
    points,
    seven,
    signal,
    sim,
    smsgate,
    timing,
    told,
    troubles,
    twilio,
)

MESSAGES: Final = 50
FAULTS: Final = 10
CRASHES: Final = 3
DEATHS: Final = 12
DAY_S: Final = 40_000.0
SWEEPS: Final = 2
# A chore that is due comes in so many of the ticks: ticks are long, chores many.
_OFTEN: Final = 0.2
_CROWDED: Final = 0.1
_TWICE: Final = 0.1
_SELDOM: Final = {"room": 0.03, "forget": 0.02, "reseal": 0.02, "sweep": 0.1, "checkpoint": 0.03}
NETWORKS: Final[Mapping[str, Callable[[outside.Outside], outside.Network]]] = {
    people.TWILIO: twilio.Twilio,
    people.GATE: smsgate.SmsGate,
    people.SIGNAL: signal.Signal,
    people.SIM: sim.Sim,
    people.MATRIX: matrix.Matrix,
    people.SEVEN: seven.Seven,
}


class Player:
    """Plays one seed."""

    def __init__(self, loop: timing.Loop, seed: int, plan: Plan) -> None:
        self.draw = random.Random(seed)
        # The rooms' own jitter.
        random.seed(seed)
        self.clock = timing.Clock(loop)
        self.points = points.Points(loop)
        self._plan = plan
        world = outside.Outside(self.draw, self.clock, self.points, self._at, self._app)
        self._disk = troubles.Troubles(self.draw, world)
        world.crowd = self.draw.random() < _CROWDED if plan.crowd is None else plan.crowd
        world.deadly = bool(plan.places)
        channels = tuple(
            plan.channels or self.draw.sample(sorted(NETWORKS), self.draw.choice((2, 2, 3)))
        )
        self.run = told.Run(
            seed=seed,
            letters=people.letters(
                self.draw, plan.messages, channels, plan.people, crowd=world.crowd
            ),
            channels=channels,
            outside=world,
            networks={name: NETWORKS[name](world) for name in channels},
            disk=points.Disk(self.points, self._disk.before, self._disk.at_commit),
            points=self.points,
            keys=vault.throwaway(houses.KEYS),
            faults=self._disk.met,
        )
        self.run.faults["crowd"] += world.crowd
        self._agenda: list[tuple[float, int, outside.Act]] = []
        self._jumps: list[tuple[float, int]] = []
        self._order = itertools.count()
        self._houses: list[houses.House] = []
        self._ears: list[asyncio.Task[None]] = []
        self._fresh = True
        self._again: list[object] = []
        self._acts = moderators.Moderators(
            self.run, self.draw, lambda: self.draw.choice(self._houses).rooms
        )

    def _say(self, line: str) -> None:
        self.run.history.append(f"{self.clock.monotonic():9.0f} s  {line}")

    def _at(self, delay_s: float, act: outside.Act) -> None:
        at_s = self.clock.monotonic() + delay_s
        heapq.heappush(self._agenda, (at_s, next(self._order), act))

    def _app(self, channel: str, path: str) -> bridge.AsgiApp:
        del channel
        return self.draw.choice(self._houses).app(path)

    async def play(self) -> told.Run:
        """Everything; what no part of it may raise is a broken promise."""
        try:
            await self._played()
        except exc.SQLAlchemyError as error:
            self.run.odd.append(f"the database is of no use any more: {type(error).__name__}")
        await self._end()
        self.run.disk.over()
        for network in self.run.networks.values():
            network.close()
        return self.run

    async def _played(self) -> None:
        """Until nothing waits any more."""
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await self.run.disk.fill()
        await self._start()
        for letter in self.run.letters:
            self._at(letter.at_s, self._writing(letter))
        self._plan_troubles()
        while self._agenda or self.clock.monotonic() < DAY_S:
            await self._tick()
        while self.points.deaths < self._plan.crashes:
            self.points.arm(self.draw.randint(1, 60))
            await self._tick()
        self.points.arm(0)
        self.points.arm_at(frozenset())
        self.run.outside.calm = True
        self._disk.end()
        await self._acts.resume()
        self._say("from here on nothing goes wrong")
        swept = 0
        for _ in range(200):
            await self._tick()
            if not self._agenda and not self._waiting():
                # Once all is heard of, what was missed is swept in, and has its end too.
                if swept == SWEEPS:
                    break
                swept += 1
                await self._houses[0].rooms.janitor.round()

    def _waiting(self) -> bool:
        counts = self.run.disk._read(outbox.counts)
        return any(counts[s] for s in (State.HELD, State.SCHEDULED, State.SENDING))

    async def _start(self) -> None:
        """The process, once or as two workers beside each other, with the settings of now."""
        self.points.revive()
        rules = houses.core(self.draw, crowd=self.run.outside.crowd)
        cap = rules.budget.cap_day_micros or 0
        now_s = self.clock.monotonic()
        self.run.caps.append(told.Cap(from_s=now_s, micros=cap, sure_s=now_s))
        workers = self.draw.choice((1, 1, 2))
        self._houses = [await houses.make(self.run, rules) for _ in range(workers)]
        # One of them holds the listening bridges.
        rooms = self._houses[0].rooms
        self._ears = [
            asyncio.create_task(houses.listening(rooms.bridges[name], rooms.intake, self.clock))
            for name in self.run.channels
        ]
        self._say(f"started, {workers} worker(s), route {rules.reply.route}, cap {cap}")

    def _plan_troubles(self) -> None:
        draw, plan, acts = self.draw, self._plan, self._acts
        if plan.places:
            self._at(draw.uniform(0, 9_000), self._dying)
        for _ in range(draw.randint(0, 2)):
            jump = (draw.uniform(0, 39_000), draw.choice((-3_600, 3_600, -400, 400)))
            heapq.heappush(self._jumps, jump)
        # Some places are come to seldom.
        often = 5 if plan.places else 1
        crashes = (plan.crashes, plan.crashes + 3) if plan.crashes else (0, 0)
        plans: list[tuple[int, int, Callable[[], outside.Act]]] = [
            (*crashes, lambda: self._arming(draw.randint(1, 250))),
            (FAULTS // 2, FAULTS, lambda: self._disk.away(draw.randint(1, 6))),
            (0, 2 * often, lambda: self._disk.refusing),
            (1, 3, lambda: self._disk.full(draw.choice((1, 1, 2, 5)))),
            (1, 4 * often, lambda: acts.pausing(draw.uniform(60, 5_000))),
            (6, 8, lambda: acts.decide),
            (0, 2, lambda: acts.change_cap),
            (0, 2, lambda: acts.change_text),
            (0, 2, lambda: acts.block),
            (0, 2, lambda: acts.write_by_hand),
            (0, 2 * often, acts.erasing),
            (1, 2 * often, lambda: self._by_itself),
            (1, 1, lambda: self._round),
            (0, 1, lambda: self._turn_key),
        ]
        for least, most, make in plans:
            for _ in range(draw.randint(least, most)):
                self._at(draw.uniform(0, 39_000), make())

    def _arming(self, turns: int) -> outside.Act:
        async def act() -> None:
            self.points.arm(turns)

        return act

    async def _dying(self) -> None:
        """At the next place of the plan that comes up; so many in one run are enough."""
        if self.points.deaths < DEATHS and not self.run.outside.calm:
            self.points.arm_at(self._plan.places - set(self.points.crashed))

    def _set_clocks(self) -> None:
        """Between ticks: within one, nobody could say what the clock was at a send."""
        while self._jumps and self._jumps[0][0] <= self.clock.monotonic():
            _, by_s = heapq.heappop(self._jumps)
            self.run.faults["clock_jump"] += 1
            self.clock.shift += dt.timedelta(seconds=by_s)
            self._say(f"the clock jumps by {by_s} s")

    def _writing(self, letter: people.Letter) -> outside.Act:
        async def act() -> None:
            self.run.networks[letter.channel].write(letter, self._acked)
            if letter.wish:
                self.run.faults[f"wish: {letter.wish}"] += 1

        return act

    def _acked(self, letter: people.Letter) -> None:
        if letter.acked_s is not None:
            return
        letter.acked_s = self.clock.monotonic()
        if letter.alias is not None:
            joined = people.Join(wrote_s=letter.at_s, acked_s=letter.acked_s)
            self.run.linked.join(letter.sender, letter.alias, joined)
            self.run.faults["merged"] += 1

    async def _turn_key(self) -> None:
        """The operator has made a new encryption key; the old one still opens."""
        keys = self.run.keys
        number = keys._enc_keys[-1].number + 1
        secret = hashlib.sha256(b"%d" % number).digest()
        keys._use((*keys._enc_keys, vault._Key(number, secret)), ())
        self.run.faults["key_turned"] += 1

    async def _round(self) -> None:
        await self._houses[0].rooms.janitor.round()

    async def _by_itself(self) -> None:
        """The real loops for some seconds, as `run` has them, instead of our steps."""
        rooms, stop = self._houses[0].rooms, asyncio.Event()

        async def turn() -> bool:
            await asyncio.sleep(0)
            return self.draw.random() < 0.8

        async def ends() -> None:
            await self.clock.sleep(self.draw.uniform(1, 12))
            stop.set()

        await asyncio.gather(rooms.dispatcher.run(stop), rooms.janitor.run(stop, turn=turn), ends())

    async def _tick(self) -> None:
        """Let some time pass and everything due in it happen at once, in any order."""
        calm = self.run.outside.calm
        step_s = self.draw.uniform(900, 1_800) if calm else self.draw.uniform(20, 600)
        await self._passes(step_s)
        self._set_clocks()
        due: list[outside.Act] = []
        while self._agenda and self._agenda[0][0] <= self.clock.monotonic():
            due.append(heapq.heappop(self._agenda)[2])
        acts: list[Callable[[], Awaitable[Any]]] = list(due)
        often = 1.0 if calm else _OFTEN
        for house in self._houses:
            rooms = house.rooms
            # Sometimes two rounds beside each other, of which the other has to wait.
            acts += [rooms.dispatcher.step] * (1 + (self.draw.random() < _TWICE))
            acts += [rooms.dispatcher.repair] if self.draw.random() < 2 * often else []
            # The flood has one leader, as one process has the lock; the others go by what it keeps.
            flood = rooms.flood.look if house is self._houses[0] else rooms.flood.follow
            acts += [flood] if self.draw.random() < often else []
            acts += [
                functools.partial(rooms.janitor.step, chore.name)
                for chore in rooms.janitor.chores
                if self.draw.random()
                < min(step_s / chore.every_s, often, _SELDOM.get(chore.name, 1))
            ]
        self.draw.shuffle(acts)
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(_awaited(act)) for act in acts]
        self.points.busy = True
        await self._ended(tasks)
        self.points.busy = False
        for act, result in zip(acts, await self._results(tasks), strict=True):
            self.run.outside.effects["disk_away"] += isinstance(result, houses.TURNED_AWAY)
            if not isinstance(result, BaseException):
                self.run.outside.effects["tried_again"] += act in self._again
                continue
            if not isinstance(result, (*houses.EXPECTED, points.Crash, asyncio.CancelledError)):
                self.run.odd.append(f"raised {type(result).__name__}: {result}")
            elif act in due:
                # Whoever is outside tries again until we said that it is stored.
                self.run.faults["tried_again"] += 1
                self._again.append(act)
                self._at(self.draw.uniform(10, 900), act)
        if self.points.dead:
            await self._restart()

    async def _passes(self, seconds: float) -> None:
        """Nobody does anything but the bridges, which listen."""
        nap = asyncio.ensure_future(self.clock.sleep(seconds))
        # A process that has just started is busy with that.
        self.points.busy = self._fresh
        await self._ended([nap])
        self._fresh = self.points.busy = False
        nap.cancel()
        if self.points.dead:
            await self._restart()

    async def _ended(self, tasks: list[asyncio.Future[Any]]) -> None:
        """Until all of them have ended, or the process is dead."""
        if self.points.dead:
            return
        gone: asyncio.Future[Any] = asyncio.ensure_future(self.points.gone.wait())
        whole: asyncio.Future[Any] = asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait({whole, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        whole.cancel()

    async def _results(self, tasks: list[asyncio.Future[Any]]) -> list[Any]:
        for task in tasks:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def _restart(self) -> None:
        places = sorted(self.points.last)
        self._say(f"killed at {'; '.join(places) or 'rest'}")
        await self._end()
        self.run.disk.reconnect()
        self._fresh = True
        await self._start()
        if self._plan.places and self.draw.random() < 0.5:
            # Some places are come to only by a process that starts.
            await self._dying()
        elif self._plan.places:
            self._at(self.draw.uniform(0, 4_000), self._dying)

    async def _end(self) -> None:
        """Nothing of the old process goes on."""
        mine = asyncio.current_task()
        self.run.odd += houses.deaf(self._ears)
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _awaited(act: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 (any act's result)
    return await act()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of everything; None is drawn. `places`: to die at, once each.

    `crowd`: whether many strangers say one thing of a sudden.
    """

    messages: int = MESSAGES
    crashes: int = CRASHES
    channels: tuple[str, ...] | None = None
    people: int | None = None
    places: frozenset[str] = frozenset()
    crowd: bool | None = None


def play(seed: int, plan: Plan | None = None) -> told.Run:
    """One seed from beginning to end."""
    chosen = plan or Plan()
    return timing.run(lambda loop: Player(loop, seed, chosen).play())


def died_at(place: str, tries: int) -> told.Run | None:
    """A run that died at this place; None if that many seeds never came there.

    Every second one dies elsewhere before: then it may die there as it starts again.
    """
    for seed in range(1, tries + 1):
        run = play(seed, Plan(places=frozenset({place}), crashes=(seed + 1) % 2))
        if run.points.crashed[place]:
            return run
    return None
