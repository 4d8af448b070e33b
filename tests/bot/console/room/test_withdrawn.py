"""A command that its author deletes: not carried out if it waits, its question left if asked."""

from __future__ import annotations

import pytest

from bot.contract import room
from bot.store import events, tables
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import ANNA, BEA, CLEO, EVE


def deletes(floor: Floor, account: str, on: str) -> None:
    """Take a message of the room back."""
    floor.room.pending.append(
        room.Withdrawn(
            event_id=floor.room.fresh(),
            room_id=hosting.ROOM,
            at=floor.now,
            by=hosting.by(account),
            on=on,
        )
    )


@pytest.mark.case("C22")
@pytest.mark.parametrize("who", [ANNA, EVE])
async def test_a_question_goes_with_the_command_that_asked(floor: Floor, who: str) -> None:
    asked = hosting.command(floor.room, ANNA, "!text set fr Bonjour. Non. STOP", floor.now)
    await floor.step()
    (question,) = floor.room.shown
    deletes(floor, who, asked.event_id)
    await floor.step()
    assert "was deleted" in floor.room.shown[-1].plain
    (told,) = await floor.reacts(CLEO, question, "✅")
    assert "decided already" in told.plain
    assert await floor.store.read(events.controls) == {}
    acts = [(row["who"], row["act"]) for row in await floor.rows(tables.audit)]
    assert acts == [(who, "refuse")]


@pytest.mark.case("C22", "C23")
async def test_an_old_command_that_was_deleted_is_not_asked_again(floor: Floor) -> None:
    asked = hosting.command(floor.room, CLEO, "!pause", floor.now)
    deletes(floor, CLEO, asked.event_id)
    await floor.passes(minutes=11)
    await floor.step()
    assert floor.room.shown == []
    assert await floor.store.read(events.controls) == {}


@pytest.mark.case("C22")
async def test_what_waits_for_the_room_to_be_asked_is_not_carried_out(floor: Floor) -> None:
    floor.room.away = True
    asked = hosting.command(floor.room, BEA, "!donate 5", floor.now)
    await floor.step()
    deletes(floor, BEA, asked.event_id)
    await floor.step()
    floor.room.away = False
    await floor.passes(seconds=5)
    await floor.step()
    assert await floor.rows(tables.postings) == []


async def test_what_was_carried_out_stays_so(floor: Floor) -> None:
    asked = hosting.command(floor.room, CLEO, "!pause", floor.now)
    await floor.step()
    deletes(floor, CLEO, asked.event_id)
    other = hosting.command(floor.room, BEA, "!budget day 19", floor.now)
    await floor.step()
    assert "paused" in await floor.store.read(events.controls)
    # Nor does deleting one command end another's question.
    assert floor.room.shown[-1].answers == other.event_id
    await floor.reacts(CLEO, floor.room.shown[-1], "✅")
    assert "cap:day" in await floor.store.read(events.controls)
