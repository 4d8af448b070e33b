"""Four processes on one PostgreSQL decide as one on SQLite does, also when another leads."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator, Sequence

import pytest
import sqlalchemy as sa

from bot import build
from bot.contract import messages
from bot.policy import settings
from bot.policy.flood import snapshot
from bot.store import events, postgres, tables
from tests.fakes import databases
from tests.fakes import world as fake
from tests.peers import postgres as peers

PROCESSES = 4
LIMIT_S = 120.0
STEP_S = 300
HELLOS = ("salut c'est hugo", "coucou ça va ?", "bjr le mec du bar", "hey", "slt tu fais quoi")
# People alone, then a raid with its own words beside them, then the hour in which all fall due.
COURSE = ((18, 6, 0), (12, 6, 20), (22, 3, 0))
CORE = settings.Core(
    who=settings.Who(answer_fiction=True),
    # With less, those who wrote at one moment would go in the order of whose claim came first.
    budget=settings.Budget(cap_day_micros=10**6 * fake.PRICE, cap_month_micros=None),
)


@pytest.fixture
async def url(server: peers.Cluster) -> AsyncIterator[str]:
    with databases.on(server):
        found = databases.url()
        assert found is not None
        yield found
        await databases.end()


class House:
    """So many processes, one world and one clock. Of one, it is the process alone."""

    def __init__(self, world: fake.World, rooms: Sequence[build.Rooms]) -> None:
        self.world = world
        self.rooms = rooms
        self.leader = 0

    async def step(self, batch: Sequence[messages.InboundMessage]) -> None:
        n = len(self.rooms)
        await asyncio.gather(*(r.intake.accept(batch[i::n]) for i, r in enumerate(self.rooms)))
        moment = self.rooms[0].clock
        assert isinstance(moment, fake.Clock)
        await moment.advance(STEP_S)
        await self.rooms[self.leader].flood.look()
        for i, rooms in enumerate(self.rooms):
            if i != self.leader:
                await rooms.flood.follow()
        while any(await asyncio.gather(*(r.dispatcher.step() for r in self.rooms))):
            pass

    def answered(self) -> dict[str, int]:
        """How often each was."""
        told: dict[str, int] = {}
        for sent in self.world.sent:
            told[sent.recipient.value] = told.get(sent.recipient.value, 0) + 1
        return told

    def seen(self) -> list[tuple[snapshot.Mode, frozenset[int], frozenset[int]]]:
        """What each goes by."""
        known = [rooms.flood.snapshot for rooms in self.rooms]
        return [(k.mode, frozenset(k.flagged), k.surges) for k in known]

    async def kept(self) -> dict[str, object]:
        """States and reasons of replies, changes of the mode, what was counted and reserved."""
        r, e, c = tables.replies.c, tables.events.c, tables.caps.c
        states = sa.select(r.state, r.reason, sa.func.count()).group_by(r.state, r.reason)
        modes = sa.select(e.at_ms, e.data).where(e.kind == "mode").order_by(e.id)

        def read(tx: sa.Connection) -> dict[str, object]:
            caps: dict[str, int] = dict(tx.execute(sa.select(c.scope, c.used)).all())
            return {
                "states": {(s, why): n for s, why, n in tx.execute(states)},
                "modes": tx.execute(modes).all(),
                "counts": events.totals(tx),
                "caps": caps,
            }

        return await self.rooms[0].store.read(read)


def batches() -> list[list[messages.InboundMessage]]:
    """The same messages for both houses."""
    draw, number, out, at = random.Random(5), 0, [], fake.START
    for steps, people, others in COURSE:
        for _ in range(steps):
            said = [draw.choice(HELLOS) for _ in range(people)] + ["la dette monte {n}"] * others
            batch = []
            for text in said:
                batch.append(fake.message(number, text=text.format(n=number), at=at))
                number += 1
            out.append(batch)
            at += dt.timedelta(seconds=STEP_S)
    return out


@pytest.mark.case("C20", "C38")
async def test_four_processes_decide_as_one_would(url: str) -> None:
    stores = [postgres.Store(url) for _ in range(PROCESSES)]
    for store in stores:
        await store.open()
    moment, world = fake.Clock(), fake.World()
    four = House(
        world, [await fake.rooms(world, core=CORE, store=s, moment=moment) for s in stores]
    )
    told = list(databases._told)
    databases._told.clear()
    single = fake.World()
    one = House(single, [await fake.rooms(single, core=CORE)])
    databases._told.extend(told)
    async with asyncio.timeout(LIMIT_S):
        for i, batch in enumerate(batches()):
            # Every hour another one leads: it begins with what the last one kept.
            four.leader = i // 13 % PROCESSES
            await one.step(batch)
            await four.step(batch)
            assert set(four.seen()) == set(one.seen()), i
    assert four.answered() == one.answered()
    assert set(four.answered().values()) == {1}
    kept, expected = await four.kept(), await one.kept()
    assert kept == expected
    assert ("held", "new_topic") in kept["states"]  # type: ignore[operator]  # a dict
    for store in stores:
        await store.close()
