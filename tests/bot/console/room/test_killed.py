"""Killed at any point, as often as may be: no command lost, none done twice (C24)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from bot.contract import room
from bot.store import tables
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import ANNA, BEA, CLEO

KILLS = 100


async def live(floor: Floor) -> None:
    """What a process does until somebody ends it."""
    while True:
        await floor.host.deliver()
        await floor.desk.step()
        await floor.host.pump(2)
        await asyncio.sleep(0)


async def killed(floor: Floor, turns: int) -> None:
    """Live for so many turns of the loop, then lose all memory."""
    task = asyncio.create_task(live(floor))
    for _ in range(turns):
        await asyncio.sleep(0)
    beside = list(floor.desk.preparing)
    for one in (task, *beside):
        one.cancel()
    await asyncio.gather(task, *beside, return_exceptions=True)
    floor.restart()


@pytest.mark.case("C24", "C23")
async def test_a_hundred_kills_lose_nothing_and_double_nothing(cautious: Floor) -> None:
    floor, draw = cautious, random.Random(1)
    written: list[room.Command] = []
    cents = 0
    reacted: dict[str, str] = {}
    # A server's answer takes many turns of the loop.
    pace = 1 if floor.store.inline else 400
    for kill in range(KILLS):
        for _ in range(draw.choice((0, 1, 1, 2))):
            cents += 1
            written.append(
                hosting.command(floor.room, BEA, f"!donate {cents / 100:.2f}", floor.now)
            )
        if draw.random() < 0.5:
            text = draw.choice(("!pause", "!resume", "!status", "!log 3", "!nonsense"))
            written.append(hosting.command(floor.room, CLEO, text, floor.now))
        if kill % 10 == 0:
            await floor.writes(kill)
            written.append(hosting.command(floor.room, CLEO, "!review", floor.now))
        for seen in floor.room.shown:
            if "✅" in seen.reactions and seen.event_id not in reacted:
                reacted[seen.event_id] = draw.choice(("✅", "❌"))
                who = draw.choice((ANNA, CLEO))
                hosting.reaction(floor.room, who, seen.event_id, reacted[seen.event_id], floor.now)
        await killed(floor, draw.randrange(0, 25) * pace)
    await floor.step(10)

    booked = Counter(-row["amount_micros"] for row in await floor.rows(tables.postings))
    assert booked == {n * 10_000: 1 for n in range(1, cents + 1)}
    assert cents > 50
    answered = Counter(one.answers for one in floor.room.said.values())
    assert {answered[one.event_id] for one in written} == {1}
    assert all(row["state"] == "done" for row in await floor.rows(tables.room_events))
    assert len(await floor.rows(tables.room_events)) == len(written) + len(reacted)
    acts = [row["act"] for row in await floor.rows(tables.audit)]
    decided = Counter(row["state"] for row in await floor.rows(tables.room_prompts))
    decisions = [act for act in acts if act.endswith("_cluster")]
    # How far a server got between two kills is the machine's affair.
    assert len(reacted) >= (5 if floor.store.inline else 0)
    # One that found nothing held any more decided nothing.
    assert len(decisions) <= decided["decided"] == len(reacted)
    assert (await floor.ask(ANNA, "!log")).plain.count("chain") == 1


@pytest.mark.case("C24")
async def test_what_was_said_and_not_yet_known_to_be_is_not_said_twice(floor: Floor) -> None:
    hosting.command(floor.room, CLEO, "!pause", floor.now)
    await floor.host.deliver()
    await floor.desk.step()
    (waiting,) = await floor.host.door.outgoing("matrix", 5) if floor.host.door else ()
    floor.host.transmit(waiting)
    floor.restart()
    await floor.step()
    assert len(floor.room.said) == 1


@pytest.mark.case("C24")
async def test_answers_overtake_notices_and_a_thousand_of_them_block_nothing(floor: Floor) -> None:
    for number in range(30):
        await floor.writes(number, "je veux mourir")
    await floor.desk.step()
    hosting.command(floor.room, CLEO, "!pause", floor.now)
    await floor.host.deliver()
    await floor.desk.step()
    assert floor.host.door is not None
    first, *others = await floor.host.door.outgoing("matrix", 50)
    assert "Nothing is sent" in first.plain
    assert [one.lane for one in others] == sorted(one.lane for one in others)


async def test_a_door_of_a_store_that_is_away_says_so(floor: Floor) -> None:
    from bot.contract import intake  # noqa: PLC0415 (one test's)

    assert floor.host.door is not None
    await floor.store.close()
    for work in (
        floor.host.door.events([], channel="matrix", cursor="s1"),
        floor.host.door.outgoing("matrix"),
        floor.host.door.cursor("matrix"),
    ):
        with pytest.raises(intake.NotStoredError):
            await work


async def test_the_cursor_comes_with_the_events(floor: Floor) -> None:
    made = hosting.command(floor.room, CLEO, "!pause", floor.now)
    await floor.step()
    assert floor.host.door is not None
    assert await floor.host.door.cursor("matrix") == made.event_id


async def test_one_event_that_cannot_be_carried_out_stops_nobody_else(floor: Floor) -> None:
    hosting.command(floor.room, CLEO, "!pause sms", floor.now)
    await floor.host.deliver()

    def spoil(tx: object) -> None:
        tx.execute(tables.room_events.update().values(data_enc=b"torn"))  # type: ignore[attr-defined]

    await floor.store.write(spoil)
    assert "Nothing is sent" in (await floor.ask(CLEO, "!pause")).plain
