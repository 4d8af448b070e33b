"""What moderators do meanwhile: pause, decide twice, change caps and texts, block, erase."""

from __future__ import annotations

import asyncio
import collections
import functools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from bot import build, outbox
from bot.console import holding, results, vault_acts
from bot.console import people as persons
from bot.console.room import byhand, here, roles, said
from bot.contract import address
from bot.contract import clock as clocks
from bot.policy import overrides
from bot.policy.lifecycle import State
from bot.store import events, tables
from tests.dst import outside, people, told

T = TypeVar("T")
CAPS: Final = (150_000, 300_000, 800_000, 5_000_000)
WORDS: Final = ("Bonjour. Un non se respecte. STOP", "Bonjour. Merci de ne plus écrire. STOP")
BY_HAND: Final = "Bonjour. C'est une personne qui vous écrit cette fois."
WHO: Final = "dst"
_TURNS: Final = 12
_r, _i = tables.replies, tables.inbound


class Moderators:
    """Acts on the store as the room and the command line do."""

    def __init__(
        self, run: told.Run, draw: random.Random, house: Callable[[], build.Rooms]
    ) -> None:
        self._run, self._draw, self._house = run, draw, house
        self._clock = run.outside.clock

    def _now_ms(self) -> int:
        return clocks.to_ms(self._clock.now())

    async def _write(self, work: Callable[[sa.Connection], T]) -> T:
        return await self._run.disk.write(work)

    def pausing(self, for_s: float) -> outside.Act:
        """Pause, and resume after so long."""

        async def begin() -> None:
            # Also just between a claim and its sends.
            for _ in range(self._draw.randrange(_TURNS)):
                await asyncio.sleep(0)
            # Ended whatever becomes of it: a kill after the commit hides that it was stored.
            self._run.outside.later(for_s, end)
            work = functools.partial(holding.pause, who=WHO, until_ms=None)
            await self._write(lambda tx: work(tx, now_ms=self._now_ms()))
            self._run.faults["paused"] += 1
            self._run.pauses.append(told.Pause(from_s=self._clock.monotonic()))

        async def end() -> None:
            due_ms = self._run.disk._read(outbox.next_due)
            self._run.outside.effects["paused"] += due_ms is not None and due_ms <= self._now_ms()
            try:
                await self._write(lambda tx: holding.resume(tx, now_ms=self._now_ms(), who=WHO))
            finally:
                # It lifts what was paused meanwhile too, and a kill hides whether it was stored.
                for pause in self._run.pauses:
                    pause.to_s = self._clock.monotonic() if pause.to_s is None else pause.to_s

        return begin

    async def decide(self) -> None:
        """Two of them at once: let go or drop what is held; then resume what was stopped."""
        rows = self._run.disk._read(_held)
        ids = [row["id"] for row in rows if self._draw.random() < 0.5]
        first = self._draw.random() < 0.5
        # Often both want the same; sometimes one approves what the other drops.
        both = (first, first if self._draw.random() < 0.6 else not first)
        if ids:
            self._run.faults["decided_twice"] += 1
            self._run.faults["decided_against"] += both[0] != both[1]
        await asyncio.gather(*(self._write(self._decision(ids, approves=one)) for one in both))
        left = {row["id"] for row in self._run.disk._read(_held)}
        if any(one not in left for one in ids):
            self._run.outside.effects["decided_twice"] += 1
            self._run.outside.effects["decided_against"] += both[0] != both[1]
        await self.resume()

    async def resume(self) -> None:
        """Let every channel go again that stopped itself."""
        for channel in self._run.channels:
            await self._write(
                functools.partial(holding.resume, now_ms=self._now_ms(), who=WHO, channel=channel)
            )

    def _decision(self, ids: list[int], *, approves: bool) -> Callable[[sa.Connection], Any]:
        keys, now_ms = self._run.keys, self._now_ms()
        if not approves:
            return lambda tx: holding.drop(tx, ids, keys=keys, now_ms=now_ms, who=WHO)
        rules = self._house().core.reply
        return lambda tx: holding.approve(tx, ids, keys=keys, rules=rules, now_ms=now_ms, who=WHO)

    async def change_cap(self) -> None:
        """Two moderators set another cap for the day, lower or higher, at once in force."""
        micros = self._draw.choice(CAPS)
        cap = told.Cap(from_s=self._clock.monotonic(), micros=micros, by_room=True)
        self._run.caps.append(cap)
        await self._write(
            lambda tx: events.control(tx, self._now_ms(), overrides.CAP_DAY, str(micros))
        )
        cap.sure_s = self._clock.monotonic()
        self._run.faults["cap_changed"] += 1
        core = overrides.core(self._house().core, self._run.disk._read(events.controls))
        self._run.outside.effects["cap_changed"] += core.budget.cap_day_micros == micros

    async def change_text(self) -> None:
        words = self._draw.choice(WORDS)
        key = f"{overrides.TEXT}fr"
        await self._write(lambda tx: events.control(tx, self._now_ms(), key, words))
        self._run.faults["text_changed"] += 1

    async def block(self) -> None:
        """Somebody who wrote is never to be answered."""
        known = [one.sender for one in self._run.letters if one.acked_s is not None]
        if not known:
            return
        who = self._draw.choice(known)
        keys = self._run.keys

        def work(tx: sa.Connection) -> results.Done:
            found = persons.find(tx, keys, [who])
            return persons.block(tx, found, keys=keys, now_ms=self._now_ms(), who=WHO)

        done = await self._write(work)
        if not done.ok:
            of = people.may_be_linked(self._run.letters).of
            if of(who) not in {of(one.who) for one in self._run.erasures}:
                self._run.odd.append("nobody to be blocked, of one who wrote and is not erased")
            return
        self._run.blocks.setdefault(who, self._clock.monotonic())
        self._run.faults["blocked"] += 1

    def erasing(self) -> outside.Act:
        """Somebody who wrote is forgotten; whoever asked for it tries again for the same one."""
        who: list[address.Address] = []

        async def act() -> None:
            known = [one.sender for one in self._run.letters if one.acked_s is not None]
            if not who and known:
                who.append(self._draw.choice(known))
            if who:
                await self._erase(who[0])

        return act

    async def _erase(self, who: address.Address) -> None:
        for _ in range(self._draw.randrange(_TURNS)):
            await asyncio.sleep(0)
        one = told.Erasure(who=who, at_ms=self._now_ms(), at_s=self._clock.monotonic())
        self._run.erasures.append(one)
        keys = self._run.keys

        def work(tx: sa.Connection) -> None:
            before, one.at_s = _messages(tx), self._clock.monotonic()
            one.person = next(iter(persons.find(tx, keys, [who])), None)
            if one.person is not None:
                done = vault_acts.erase(tx, keys, one.person, now_ms=one.at_ms, who=WHO)
                one.replies = done.replies
            one.gone = before - _messages(tx)

        await self._write(work)
        one.sure = True
        self._run.faults["erased"] += 1

    async def write_by_hand(self) -> None:
        """Answer somebody whose reply waits, in words of one's own; sometimes two do at once."""
        waiting = self._run.disk._read(lambda tx: outbox.in_state(tx, State.SCHEDULED, 20))
        people = sorted({row["person_id"] for row in waiting if row["automatic"]})
        if not people:
            return
        who = self._draw.choice(people)
        twice = self._draw.random() < 0.4
        self._run.faults["by_hand"] += 1
        self._run.faults["by_hand_twice"] += twice
        await asyncio.gather(*(self._answer(who) for _ in range(1 + twice)))
        if twice:
            replaced = self._run.disk._read(functools.partial(_replaced, who=who))
            self._run.outside.effects["by_hand_twice"] += replaced

    async def _answer(self, who: int) -> None:
        rooms = self._house()
        await rooms.intake._context.ids.top_up(self._run.disk, 8)

        def work(tx: sa.Connection) -> int:
            at = here.Here(
                core=overrides.core(rooms.core, events.controls(tx)),
                told=rooms.core,
                keys=rooms.keys,
                bridges=rooms.bridges,
                present=roles.Present(roster={}, members={}, power=50),
                who=WHO,
                where=said.Where(channel="room", room_id="!room"),
                answers=None,
                language="fr",
                sealed=True,
                now_ms=self._now_ms(),
                take=rooms.intake._context.ids.take,
            )
            found = byhand.targets(tx, at, [who], BY_HAND)
            byhand.send(tx, at, found, BY_HAND)
            return len(found)

        await self._write(work)


def _replaced(tx: sa.Connection, *, who: int) -> bool:
    mine = sa.select(_r.c.id).where(
        _r.c.person_id == who, ~_r.c.automatic, _r.c.state == State.CANCELLED
    )
    return tx.execute(mine).first() is not None


def _messages(tx: sa.Connection) -> collections.Counter[str]:
    query = sa.select(_i.c.channel, sa.func.count().label("n")).group_by(_i.c.channel)
    return collections.Counter({row.channel: row.n for row in tx.execute(query)})


def _held(tx: sa.Connection) -> Sequence[Mapping[str, Any]]:
    return outbox.in_state(tx, State.HELD, 20)
