"""Modes do what they say and end by themselves; topics that are fine hold nobody."""

from __future__ import annotations

import pathlib

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from bot import build, outbox
from bot.console import clusters, modes
from bot.contract import address, clock, messages, money, outcomes
from bot.flood import orders
from bot.policy import settings
from bot.policy.flood.snapshot import Mode
from bot.policy.lifecycle import State
from bot.store import database, events, schema, tables
from tests.bot.flood.test_look import Crowd, core
from tests.fakes import world as fake

HOUR_MS = 3_600_000
START_MS = clock.to_ms(fake.START)


class Free(fake.World):
    """A network that costs nothing."""

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        del recipient, text
        return messages.Quote(price=money.Money(0, "EUR"), parts=1)

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        self.sent.append(reply)
        return outcomes.Accepted(provider_id=f"f{len(self.sent)}", parts=1)


def now_ms(rooms: build.Rooms) -> int:
    return clock.to_ms(rooms.clock.now())


def mode_of(rooms: build.Rooms) -> Mode:
    return rooms.flood.snapshot.mode


async def approve_all(rooms: build.Rooms, reason: str) -> int:
    at_ms = now_ms(rooms)

    def work(tx: sa.Connection) -> int:
        found = clusters.named(tx, rooms.keys, reason=reason)
        rules = rooms.core.reply
        done = clusters.approve(tx, found, keys=rooms.keys, rules=rules, now_ms=at_ms, who="anna")
        return len(done.replies)

    return await rooms.store.write(work)


async def set_mode(rooms: build.Rooms, mode: Mode, hours: float | None = None) -> None:
    at_ms = now_ms(rooms)
    until_ms = None if hours is None else at_ms + int(hours * HOUR_MS)
    done = await rooms.store.write(
        lambda tx: modes.set_mode(tx, mode, now_ms=at_ms, who="anna", until_ms=until_ms)
    )
    assert done.ok


async def held(rooms: build.Rooms) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in await rooms.store.read(lambda tx: outbox.in_state(tx, State.HELD, 99_999)):
        found[row["reason"]] = found.get(row["reason"], 0) + 1
    return found


async def history(rooms: build.Rooms) -> list[tuple[str, bool]]:
    at_ms = now_ms(rooms)
    found = (await rooms.store.read(lambda tx: modes.view(tx, at_ms))).history
    return [(one.mode, one.by_hand) for one in reversed(found)]


@pytest.mark.case("C17")
@pytest.mark.parametrize("mode", [Mode.REVIEW, Mode.RECEIVE_ONLY])
async def test_a_holding_mode_holds_everything_and_lets_it_go_at_its_end(mode: Mode) -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(n) for n in range(30)])
    await fake.lapse(rooms, 0.5, every_s=300)
    await set_mode(rooms, mode, 4)
    await fake.lapse(rooms, 3.9, every_s=300)
    assert world.sent == []
    assert await held(rooms) == {"mode": 30}
    assert mode_of(rooms) is mode
    await fake.lapse(rooms, 0.5, every_s=300)
    assert len(world.sent) == 30
    assert mode_of(rooms) is Mode.NORMAL
    assert await rooms.store.read(events.controls) == {}
    assert await history(rooms) == [(mode, True), ("normal", False)]


async def test_a_mode_binds_the_very_next_claim_without_a_look() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)
    await set_mode(rooms, Mode.RECEIVE_ONLY)
    await rooms.dispatcher.step()
    assert world.sent == []
    await set_mode(rooms, Mode.NORMAL)
    await fake.lapse(rooms, 0.1, every_s=300)
    assert len(world.sent) == 1


async def test_free_only_answers_where_it_costs_nothing() -> None:
    paid, free = fake.World(), Free("free")
    rooms = await fake.rooms(paid, free)
    await set_mode(rooms, Mode.FREE_ONLY, 6)
    await rooms.intake.accept([fake.message(n) for n in range(10)])
    await rooms.intake.accept([fake.message(n, channel="free") for n in range(100, 110)])
    await fake.lapse(rooms, 4, every_s=300)
    assert (len(paid.sent), len(free.sent)) == (0, 10)
    rows = await rooms.store.read(lambda tx: outbox.in_state(tx, State.HELD, 99))
    assert {(row["reason"], row["quoted_micros"]) for row in rows} == {("mode", fake.PRICE)}
    assert len(rows) == 10
    await fake.lapse(rooms, 2.2, every_s=300)
    assert len(paid.sent) == 10


async def test_from_review_to_free_only_lets_only_the_free_ones_go() -> None:
    paid, free = fake.World(), Free("free")
    rooms = await fake.rooms(paid, free)
    await set_mode(rooms, Mode.REVIEW)
    await rooms.intake.accept([fake.message(n) for n in range(5)])
    await rooms.intake.accept([fake.message(n, channel="free") for n in range(100, 105)])
    await fake.lapse(rooms, 2, every_s=300)
    assert await held(rooms) == {"mode": 10}
    await set_mode(rooms, Mode.FREE_ONLY)
    await fake.lapse(rooms, 0.5, every_s=300)
    assert (len(paid.sent), len(free.sent)) == (0, 5)
    assert await held(rooms) == {"mode": 5}


@pytest.mark.case("C06")
async def test_the_money_of_the_day_is_up_and_the_next_day_goes_on() -> None:
    """By the rules, at midnight, without an hour of waiting."""
    paid, free = fake.World(), Free("free")
    limited = settings.Core(
        who=settings.Who(answer_fiction=True),
        budget=settings.Budget(cap_day_micros=4 * fake.PRICE, cap_month_micros=None),
    )
    rooms = await fake.rooms(paid, free, core=limited)
    await rooms.intake.accept([fake.message(n) for n in range(10)])
    await fake.lapse(rooms, 6, every_s=300)
    # Approved ones do not wait for their share of the day, so all of it is used.
    assert await approve_all(rooms, "pace") >= 6
    await fake.lapse(rooms, 7, every_s=300)
    assert len(paid.sent) == 4
    assert mode_of(rooms) is Mode.FREE_ONLY
    await rooms.intake.accept(
        [fake.message(n, channel="free", at=rooms.clock.now()) for n in range(100, 105)]
    )
    await fake.lapse(rooms, 1.9, every_s=300)
    assert len(free.sent) >= 1
    assert (await history(rooms))[-1] == ("normal", False)
    # The approved ones wait for money itself, which the janitor watches.
    assert (await rooms.janitor.step("tidy"))["released"] == 4
    await fake.lapse(rooms, 1, every_s=300)
    assert len(paid.sent) == 8
    assert len(free.sent) == 5


@pytest.mark.case("C17")
async def test_what_a_moderator_approved_goes_out_in_every_mode() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await set_mode(rooms, Mode.REVIEW)
    await rooms.intake.accept([fake.message(n) for n in range(3)])
    await fake.lapse(rooms, 2, every_s=300)
    assert await held(rooms) == {"mode": 3}
    assert await approve_all(rooms, "mode") == 3
    await fake.lapse(rooms, 0.1, every_s=300)
    assert len(world.sent) == 3


async def test_nobody_who_expired_is_answered_after_a_long_mode() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await set_mode(rooms, Mode.RECEIVE_ONLY, 30)
    await fake.lapse(rooms, 20, every_s=300)
    await rooms.intake.accept([fake.message(2, at=rooms.clock.now())])
    await fake.lapse(rooms, 12, every_s=300)
    assert [r.recipient.value for r in world.sent] == ["+33639980002"]
    states = await rooms.store.read(outbox.counts)
    assert (states["expired"], states["sent"]) == (1, 1)


@pytest.mark.case("C17")
async def test_normal_by_hand_keeps_the_rules_off_until_its_end() -> None:
    crowd = Crowd(await fake.rooms(fake.World(), core=core(None)))
    rooms = crowd.rooms
    await crowd.hours(8, people=24)
    await set_mode(rooms, Mode.NORMAL, 2)
    await crowd.hours(1.5, people=12, others=240, text="ruine {n}")
    assert rooms.flood.snapshot.flagged
    assert mode_of(rooms) is Mode.NORMAL
    await crowd.hours(0.75, people=12, others=240, text="ruine {n}")
    assert mode_of(rooms) is Mode.TIGHT
    at_ms = now_ms(rooms)
    present = await rooms.store.read(lambda tx: modes.present(tx, at_ms))
    assert (present.mode, present.by_hand) == ("tight", False)
    assert "one new thing" in present.why.en


async def test_normal_without_an_end_gives_the_house_back_to_the_rules() -> None:
    crowd = Crowd(await fake.rooms(fake.World(), core=core(None)))
    rooms = crowd.rooms
    await crowd.hours(8, people=24)
    await crowd.hours(1.5, people=12, others=240, text="ruine {n}")
    await set_mode(rooms, Mode.REVIEW)
    await rooms.flood.look()
    assert mode_of(rooms) is Mode.REVIEW
    await set_mode(rooms, Mode.NORMAL)
    await rooms.flood.look()
    assert mode_of(rooms) is Mode.TIGHT
    assert await history(rooms) == [("tight", False), ("review", True), ("tight", False)]


@pytest.mark.case("C20")
async def test_a_mode_by_hand_and_what_it_held_survive_every_restart(
    tmp_path: pathlib.Path,
) -> None:
    path, moment, world = tmp_path / "a.db", fake.Clock(), fake.World()
    store = database.Store(path)
    await store.open()
    await store.write(schema.create)
    rooms = await fake.rooms(world, store=store, moment=moment)
    await set_mode(rooms, Mode.REVIEW, 6)
    await rooms.intake.accept([fake.message(n) for n in range(8)])
    for _ in range(5):
        # A crash loop: nothing but the file goes on. The claim comes before the first look.
        await store.close()
        store = database.Store(path)
        await store.open()
        rooms = await fake.rooms(world, store=store, moment=moment)
        await moment.advance(3600)
        while await rooms.dispatcher.step():
            pass
        assert world.sent == []
        await rooms.flood.look()
        assert mode_of(rooms) is Mode.REVIEW
    assert await history(rooms) == [("review", True)]
    assert await held(rooms) == {"mode": 8}
    await fake.lapse(rooms, 1.5, every_s=300)
    assert len(world.sent) == 8
    await store.close()


@pytest.mark.case("C41")
async def test_a_topic_that_a_moderator_found_fine_holds_nobody_any_more() -> None:
    world = fake.World()
    crowd = Crowd(await fake.rooms(world, core=core(None)))
    rooms = crowd.rooms
    await crowd.hours(8, people=24)
    await crowd.hours(3, people=24, others=60, text="bonjour le vélo est dispo ?")
    before = len(world.sent)
    assert (await held(rooms))["new_topic"] > 60
    at_ms = now_ms(rooms)

    def approve(tx: sa.Connection) -> int:
        (first, *_) = clusters.listed(tx, rooms.keys, rooms.core)
        found = clusters.named(tx, rooms.keys, codes=[first.code])
        done = clusters.approve(
            tx, found, keys=rooms.keys, rules=rooms.core.reply, now_ms=at_ms, who="anna"
        )
        return len(done.replies)

    assert await rooms.store.write(approve) > 0
    await crowd.hours(3, people=24, others=60, text="bonjour le vélo est dispo ?")
    # What else of the wave was held went on by itself, and nobody new was caught.
    assert await held(rooms) == {}
    assert rooms.flood.snapshot.flagged == {}
    assert len(world.sent) > before + 150
    week_ms = now_ms(rooms) + 8 * 24 * HOUR_MS
    left = await rooms.store.write(lambda tx: orders.controls(tx, week_ms))
    assert left == {}


@pytest.mark.case("C41")
async def test_a_topic_that_was_dropped_stays_one() -> None:
    world = fake.World()
    crowd = Crowd(await fake.rooms(world, core=core(None)))
    rooms = crowd.rooms
    await crowd.hours(8, people=24)
    await crowd.hours(3, people=24, others=60, text="bonjour le vélo est dispo ?")
    at_ms = now_ms(rooms)

    def drop(tx: sa.Connection) -> None:
        found = clusters.named(tx, rooms.keys, reason="new_topic")
        assert clusters.drop(tx, found, keys=rooms.keys, now_ms=at_ms, who="anna").ok

    await rooms.store.write(drop)
    assert await held(rooms) == {}
    await crowd.hours(2, people=24, others=60, text="bonjour le vélo est dispo ?")
    assert (await held(rooms))["new_topic"] > 30


async def test_each_change_is_told_with_its_figures() -> None:
    crowd = Crowd(await fake.rooms(fake.World(), core=core(None)))
    await crowd.hours(8, people=24)
    await crowd.hours(2, people=24, others=240, text="ruine {n}")
    await crowd.hours(4, people=24)
    at_ms = now_ms(crowd.rooms)
    found = await crowd.rooms.store.read(lambda tx: modes.view(tx, at_ms))
    normal, tight = found.history[:2]
    assert (tight.mode, normal.mode) == ("tight", "normal")
    assert tight.topical / tight.senders >= 0.2
    assert f"of {tight.senders} new senders" in tight.why.en
    assert found.now.mode == "normal"
    rows = await crowd.rooms.store.read(
        lambda tx: tx.execute(sa.select(tables.events.c.data)).scalars().all()
    )
    assert not any("ruine" in data for data in rows)


@pytest.mark.case("C17", "C20")
@hypothesis.settings(max_examples=12, deadline=None)
@hypothesis.given(
    st.lists(st.tuples(st.sampled_from(list(Mode)), st.sampled_from([None, 0.5, 2.0])), max_size=5)
)
async def test_whatever_modes_come_and_go_each_is_answered_once_in_the_end(
    turns: list[tuple[Mode, float | None]],
) -> None:
    paid, free = fake.World(), Free("free")
    rooms = await fake.rooms(paid, free)
    await rooms.intake.accept([fake.message(n) for n in range(6)])
    await rooms.intake.accept([fake.message(n, channel="free") for n in range(100, 106)])
    await fake.lapse(rooms, 1, every_s=300)
    for mode, hours in turns:
        await set_mode(rooms, mode, hours)
        await fake.lapse(rooms, 1, every_s=300)
    await set_mode(rooms, Mode.NORMAL)
    await fake.lapse(rooms, 2, every_s=300)
    told = [r.recipient.value for r in (*paid.sent, *free.sent)]
    assert len(told) == len(set(told)) == 12
