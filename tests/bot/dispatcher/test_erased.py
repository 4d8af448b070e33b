"""Somebody is forgotten while his reply is being sent: it goes nowhere else, others go on."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from bot import build
from bot.console import holding, vault_acts
from bot.contract import clock, outcomes
from bot.store import tables
from tests.bot.dispatcher import seen, test_torn
from tests.fakes import world as fake


async def forget(rooms: build.Rooms, reply_id: int = 1) -> vault_acts.Erased:
    query = sa.select(tables.replies.c.person_id).where(tables.replies.c.id == reply_id)
    now_ms = clock.to_ms(rooms.clock.now())

    def work(tx: sa.Connection) -> vault_acts.Erased:
        person = tx.execute(query).scalar_one()
        return vault_acts.erase(tx, rooms.keys, person, now_ms=now_ms, who="tester")

    return await rooms.store.write(work)


@pytest.mark.case("C44")
async def test_one_that_comes_back_unsent_is_dropped_and_keeps_nobody_waiting() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)
    later = moment.now() + dt.timedelta(seconds=60)
    world.outcome = lambda _: outcomes.NotNow(reason="429", retry_at=later)
    told: list[vault_acts.Erased] = []

    async def erased() -> None:
        told.append(await forget(rooms))

    world.meanwhile = erased
    await rooms.dispatcher.step()
    assert [one.left for one in told] == [1]
    world.meanwhile, world.outcome = None, lambda _: None
    await rooms.intake.accept([fake.message(2, at=moment.now())])
    await fake.lapse(rooms, 2)
    assert [one.recipient.value for one in world.sent] == [fake.phone(2)]
    assert await seen.states(rooms) == {"cancelled": 1, "sent": 1}
    # Nothing went out to him: once he writes again he is answered like anybody, once.
    for text in ("re", "encore"):
        await rooms.intake.accept([fake.message(1, text=text, at=moment.now())])
    await fake.lapse(rooms, 2)
    assert [one.recipient.value for one in world.sent] == [fake.phone(2), fake.phone(1)]


@pytest.mark.case("C44")
async def test_a_torn_one_is_unknown_where_it_would_have_been_sent_again() -> None:
    world = fake.World(idempotent=True)
    rooms = await test_torn.torn(world)
    before = len(world.sent)
    await forget(rooms)
    await rooms.intake.accept([fake.message(2, at=rooms.clock.now())])
    assert await rooms.dispatcher.repair() == 0
    assert await seen.states(rooms) == {"unknown": 1, "scheduled": 1}
    await fake.lapse(rooms, 2)
    assert [one.recipient.value for one in world.sent[before:]] == [fake.phone(2)]


async def test_a_moderator_who_names_a_reply_of_nobody_is_told_so() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)

    async def erased() -> None:
        await forget(rooms)

    world.meanwhile = erased
    await rooms.dispatcher.step()
    assert await seen.states(rooms) == {"sent": 1}
    await moment.advance(40 * 86_400)
    await rooms.janitor.step("forget")
    persons = sa.select(sa.func.count()).select_from(tables.persons)
    assert await rooms.store.read(lambda tx: tx.execute(persons).scalar_one()) == 0
    now_ms = clock.to_ms(moment.now())
    told = await rooms.store.write(
        lambda tx: holding.drop(tx, [1], keys=rooms.keys, now_ms=now_ms, who="tester")
    )
    assert not told.ok
    assert "no such reply" in told.refused[0].why.en
