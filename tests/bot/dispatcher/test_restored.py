"""After a backup was put back: nobody who may have been answered since is answered by it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from bot import build
from bot.console import holding, restoring
from bot.contract import clock
from bot.store import tables
from tests.fakes import world


async def house() -> tuple[build.Rooms, world.World, world.Clock]:
    phones, moment = world.World(), world.Clock()
    return await world.rooms(phones, moment=moment), phones, moment


async def sends(rooms: build.Rooms) -> None:
    while await rooms.dispatcher.step():
        pass


async def rows(rooms: build.Rooms, table: sa.Table) -> list[dict[str, Any]]:
    query = sa.select(table).order_by(next(iter(table.columns)))
    return await rooms.store.read(lambda tx: [dict(r) for r in tx.execute(query).mappings()])


async def restored(rooms: build.Rooms, moment: world.Clock) -> restoring.Restored:
    now_ms = clock.to_ms(moment.now())

    def work(tx: sa.Connection) -> restoring.Restored:
        done = restoring.settle(tx, rooms.core.reply, now_ms=now_ms, who="tester")
        holding.resume(tx, now_ms=now_ms, who="tester")
        return done

    return await rooms.store.write(work)


@pytest.mark.case("C01")
async def test_what_the_networks_hand_over_again_of_that_time_is_held() -> None:
    rooms, phones, moment = await house()
    await moment.advance(3_600)
    await restored(rooms, moment)
    # A sweep brings what came between the backup and its return; and somebody writes afresh.
    await rooms.intake.accept([world.message(1, at=world.START + dt.timedelta(minutes=59))])
    await rooms.intake.accept([world.message(2, at=moment.now())])
    await moment.advance(110 * 60)
    await sends(rooms)
    assert [one.recipient.value for one in phones.sent] == [world.phone(2)]
    (held,) = [row for row in await rows(rooms, tables.replies) if row["state"] == "held"]
    assert held["reason"] == "restored"
    await moment.advance(25 * 3_600)
    await rooms.janitor.step("tidy")
    states = {row["id"]: row["state"] for row in await rows(rooms, tables.replies)}
    assert states[held["id"]] == "expired"
    await rooms.intake.accept([world.message(1, text="encore", at=moment.now())])
    await moment.advance(110 * 60)
    await sends(rooms)
    assert len(phones.sent) == 1


@pytest.mark.case("C01")
async def test_a_moderator_may_let_it_go_and_it_goes_once() -> None:
    rooms, phones, moment = await house()
    await rooms.intake.accept([world.message(1), world.message(2)])
    await moment.advance(110 * 60)
    done = await restored(rooms, moment)
    assert (done.held, done.unknown, done.quiet) == (2, 0, 0)
    await sends(rooms)
    assert phones.sent == []
    ids = [row["id"] for row in await rows(rooms, tables.replies)]
    now_ms = clock.to_ms(moment.now())
    told = await rooms.store.write(
        lambda tx: holding.approve(
            tx, ids[:1], keys=rooms.keys, rules=rooms.core.reply, now_ms=now_ms, who="tester"
        )
    )
    assert told.ok
    await sends(rooms)
    assert [one.recipient.value for one in phones.sent] == [world.phone(1)]
    windows = {row["blocked_until_ms"] for row in await rows(rooms, tables.persons)}
    assert windows == {now_ms + rooms.core.reply.window_days * 86_400_000}


@pytest.mark.case("C01")
async def test_ids_begin_beyond_all_that_were_given() -> None:
    rooms, _, moment = await house()
    await rooms.intake.accept([world.message(1)])
    await restored(rooms, moment)
    again = await world.rooms(world.World(), store=rooms.store, moment=moment)
    await again.intake.accept([world.message(2, at=moment.now())])
    assert [row["id"] > restoring.LEAP for row in await rows(rooms, tables.replies)] == [
        False,
        True,
    ]
    (row,) = await rows(rooms, tables.room_outgoing)
    assert row["id"] == restoring.LEAP
    fresh = {**row, "channel": "matrix", "room_id": "!r:example.org", "state": "sent"}
    del fresh["id"]
    await rooms.store.write(lambda tx: tx.execute(sa.insert(tables.room_outgoing), fresh))
    assert (await rows(rooms, tables.room_outgoing))[-1]["id"] > restoring.LEAP
