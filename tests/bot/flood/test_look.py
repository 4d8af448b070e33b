"""The leader through the real rooms: topics caught in their own hour, pacing, restarts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import pathlib
import random

import pytest
import sqlalchemy as sa

from bot import build, outbox
from bot.contract import clock
from bot.flood import memory
from bot.policy import settings
from bot.policy.flood import breaker
from bot.policy.flood.snapshot import Mode
from bot.policy.lifecycle import State
from bot.store import database, events, schema
from tests.fakes import world as fake

HELLOS = ("salut c'est hugo", "coucou ça va ?", "bjr le mec du bar", "hey", "slt tu fais quoi")
SLOGANS = ("ruine 123", "la dette monte {n}", "bim bim {n}")


def core(cap: int | None) -> settings.Core:
    return settings.Core(
        who=settings.Who(answer_fiction=True),
        budget=settings.Budget(cap_day_micros=cap, cap_month_micros=None),
    )


class Crowd:
    """People who write at a steady rate, and others when told; each number writes once."""

    def __init__(self, rooms: build.Rooms) -> None:
        self.rooms = rooms
        self.draw = random.Random(5)
        self.number = 0
        self.kind: dict[str, str] = {}

    async def hours(self, hours: float, people: int, others: int = 0, text: str = "") -> None:
        """So many an hour of each, for so long."""
        moment = self.rooms.clock
        assert isinstance(moment, fake.Clock)
        for _ in range(int(hours * 12)):
            batch = []
            for kind, each_hour in (("person", people), ("other", others)):
                for _ in range(self._poisson(each_hour / 12)):
                    words = self.draw.choice(HELLOS) if kind == "person" else text
                    said = words.format(n=self.number)
                    batch.append(fake.message(self.number, text=said, at=moment.now()))
                    self.kind[f"+3363998{self.number:04d}"] = kind
                    self.number += 1
            await self.rooms.intake.accept(batch)
            await moment.advance(300)
            await self.rooms.flood.look()
            while await self.rooms.dispatcher.step():
                pass

    def _poisson(self, mean: float) -> int:
        whole = int(mean)
        return whole + (self.draw.random() < mean - whole)

    def answered(self, world: fake.World, kind: str) -> float:
        """Share of those senders of a kind that were answered."""
        told = {r.recipient.value for r in world.sent}
        of_kind = [number for number, k in self.kind.items() if k == kind]
        return sum(number in told for number in of_kind) / len(of_kind)


async def house(cap: int | None) -> tuple[fake.World, Crowd]:
    world = fake.World()
    return world, Crowd(await fake.rooms(world, core=core(cap)))


@pytest.mark.case("C17")
@pytest.mark.parametrize("text", SLOGANS)
async def test_a_raid_with_its_own_words_is_held_first_members_too(text: str) -> None:
    world, crowd = await house(None)
    await crowd.hours(10, people=24)
    await crowd.hours(3, people=24, others=240, text=text)
    await crowd.hours(3, people=24)
    assert crowd.answered(world, "other") == 0
    calm = [n for n in crowd.kind if crowd.kind[n] == "person"]
    assert crowd.answered(world, "person") > 1 - 60 / len(calm)
    held = await crowd.rooms.store.read(lambda tx: outbox.in_state(tx, State.HELD, 9999))
    assert {row["reason"] for row in held} == {"new_topic"}
    assert all(row["topic"] for row in held)


@pytest.mark.case("C41")
async def test_a_new_topic_shared_by_many_is_held_and_told() -> None:
    world, crowd = await house(None)
    await crowd.hours(8, people=24)
    await crowd.hours(4, people=24, others=60, text="bonjour le vélo est dispo ?")
    await crowd.hours(2, people=24)
    assert crowd.answered(world, "other") <= 0.1
    assert crowd.answered(world, "person") >= 0.85

    def told(tx: sa.Connection) -> set[str]:
        return set(tx.execute(sa.text("SELECT kind FROM events")).scalars())

    assert {"new_topic", "mode"} <= await crowd.rooms.store.read(told)


@pytest.mark.case("C18")
async def test_being_one_of_many_is_no_sign_of_anything() -> None:
    world, crowd = await house(None)
    await crowd.hours(10, people=24)
    await crowd.hours(3, people=480)
    await crowd.hours(2, people=24)
    waiting = (await crowd.rooms.store.read(outbox.counts))["scheduled"]
    assert len(world.sent) + waiting == len(crowd.kind)
    assert crowd.rooms.flood.snapshot.flagged == {}


@pytest.mark.case("C17")
async def test_a_raid_in_peoples_words_cannot_take_the_evenings_money() -> None:
    cap = 300 * fake.PRICE
    world, crowd = await house(cap)
    await crowd.hours(24, people=8)
    before = set(crowd.kind)
    await crowd.hours(3, people=0, others=1200, text="salut c'est hugo")
    raid = set(crowd.kind) - before
    await crowd.hours(9, people=8)
    after = set(crowd.kind) - before - raid
    crowd.kind = {n: ("after" if n in after else "raid") for n in after | raid}
    assert crowd.answered(world, "after") > 0.75  # the last ones are not due yet
    told = [r.recipient.value for r in world.sent]
    assert len(told) == len(set(told))
    first = {n: i for i, n in enumerate(told)}
    assert sum(n in first for n in raid) > 0


@pytest.mark.case("C20")
async def test_what_the_leader_knows_survives_a_restart(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.db"
    store = database.Store(path)
    await store.open()
    await store.write(schema.create)
    moment = fake.Clock()
    world = fake.World()
    rooms = await fake.rooms(world, core=core(None), store=store, moment=moment)
    crowd = Crowd(rooms)
    await crowd.hours(8, people=24)
    await crowd.hours(1.5, people=12, others=240, text="ruine {n}")
    before = rooms.flood.snapshot
    assert before.mode is Mode.TIGHT
    # Another process that does not lead sees the same.
    beside = (await fake.rooms(world, core=core(None), store=store, moment=moment)).flood
    await beside.follow()
    seen = beside.snapshot
    assert seen.flagged.keys() == before.flagged.keys()
    assert (seen.mode, seen.strong, seen.plain) == (before.mode, before.strong, before.plain)
    assert (seen.surges, seen.usual) == (before.surges, before.usual)
    await store.close()
    again = database.Store(path)
    await again.open()
    after = (await fake.rooms(world, core=core(None), store=again, moment=moment)).flood
    await after.look()
    assert after.snapshot.flagged.keys() == before.flagged.keys()
    assert (after.snapshot.mode, after.snapshot.usual) == (before.mode, before.usual)
    assert before.surges <= after.snapshot.surges
    await again.close()


def test_a_memory_comes_back_as_it_was() -> None:
    kept = memory.Memory(
        usual_senders=12.0,
        usual_words={5: 2.0, 1 << 60: 3.0},
        flagged={7: 99},
        surges={900_000},
        days={"2026-11-22": {3: 4.0}},
        anchor=(1.0,) * 24,
        learned_ms=17,
    )
    assert dataclasses.asdict(memory.read(kept.text())) == dataclasses.asdict(kept)
    assert memory.read(None) == memory.Memory()


@pytest.mark.case("C39")
def test_a_memory_of_another_version_keeps_what_both_know() -> None:
    """An upgrade finds a memory that lacks what is new, a roll-back one that knows too much."""
    whole = memory.Memory(learned_ms=77, setting=breaker.Setting(mode=Mode.REVIEW, since_ms=5))
    kept = json.loads(whole.text())
    assert len(kept) > 10
    for gone in kept:
        read = memory.read(json.dumps({k: v for k, v in kept.items() if k != gone}))
        assert read.learned_ms == (0 if gone == "learned_ms" else 77)
        assert read.setting == (breaker.Setting() if gone == "setting" else whole.setting)
    more = kept | {"newer": 1, "setting": kept["setting"] | {"newer": [2]}}
    assert memory.read(json.dumps(more)) == whole


@pytest.mark.case("C47")
def test_what_is_usual_moves_a_tenth_a_week_and_learns_no_topic() -> None:
    day_ms = 86_400_000
    known = memory.Memory()
    for day in range(7):
        known.learn(memory.Bucket(100, 0, {1: 100}), 1 + day * day_ms)
    first = known.usual_senders
    known.flagged = {2: 0}
    for day in range(7, 70):
        weeks = (day - 7) // 7 + 1
        for _ in range(50):
            known.learn(memory.Bucket(100, 0, {1: 10, 2: 90, 3: 90}), 1 + day * day_ms)
        assert known.usual_senders <= first * 1.1**weeks + 100 * weeks
    assert 2 not in known.usual_words
    assert known.usual_words[3] / known.usual_senders < 0.75


async def test_a_failed_look_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    _, crowd = await house(None)
    await crowd.hours(6, people=24)
    rooms = crowd.rooms
    before = rooms.flood.snapshot
    real = events.append

    def fails(*_: object) -> None:
        raise database.StoreAwayError("disk full")

    monkeypatch.setattr("bot.flood.rows.keep", fails)
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(3600)
    with pytest.raises(database.StoreAwayError):
        await rooms.flood.look()
    assert rooms.flood.snapshot == before
    monkeypatch.undo()
    await rooms.flood.look()
    assert rooms.flood.snapshot.at_ms == clock.to_ms(fake.START + dt.timedelta(hours=7))
    assert real is events.append
