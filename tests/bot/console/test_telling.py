"""Why, as far as the flood had to do with it."""

from __future__ import annotations

import sqlalchemy as sa

from bot.console import modes, story
from bot.flood import memory, rows
from bot.policy.flood.snapshot import BUCKET_MS, Mode
from bot.store import tables
from tests.bot.console.house import HOUR_MS, START_MS, House
from tests.bot.console.test_clusters import WAVE, held

QUARTER_MS = START_MS - START_MS % BUCKET_MS


async def told(house: House, index: int = 0) -> str | None:
    person = (await house.person(index))["id"]
    found = await house.store.read(
        lambda tx: story.of_person(tx, house.keys, person, house.core.budget, START_MS)
    )
    flood = found.replies[0].flood
    if flood is None:
        return None
    assert flood.fr
    return flood.en


async def know(house: House, **values: object) -> None:
    await house.store.write(
        lambda tx: rows.keep(tx, memory.Memory(**values))  # type: ignore[arg-type]
    )


async def test_a_topic_is_told_with_its_people_and_its_time(house: House) -> None:
    await held(house, 43, "new_topic", WAVE)
    assert await told(house) == (
        "Held: 43 people wrote about the same new thing within 42 minutes."
    )
    change = sa.update(tables.replies).values(state="sent", reason="by_hand")
    await house.store.write(lambda tx: tx.execute(change))
    said = await told(house)
    assert said is not None
    assert said.startswith("It was held before: 43 people")


async def test_a_crowd_is_told_by_what_is_usual(house: House) -> None:
    usual = dict.fromkeys(range(24), 4.0)
    await know(house, surges={QUARTER_MS, QUARTER_MS + BUCKET_MS}, days={"2026-11-01": usual})
    await held(house, 12, "pace")
    replies = await house.rows(tables.replies)
    first = [row for row in replies if row["first_ms"] < QUARTER_MS + BUCKET_MS]
    said = await told(house)
    assert said is not None
    assert f"with {len(first)} times the usual number; waits for its turn," in said
    await know(house, surges={QUARTER_MS})
    said = await told(house)
    assert said is not None
    assert f"with {len(first)} new people, far more than usual" in said


async def test_outside_a_crowd_the_day_is_the_reason(house: House) -> None:
    await held(house, 3, "pace")
    due = sa.update(tables.replies)
    for place, row in enumerate(await house.rows(tables.replies)):
        change = due.where(tables.replies.c.id == row["id"]).values(due_ms=START_MS + place)
        await house.store.write(lambda tx, change=change: tx.execute(change))  # type: ignore[misc]
    assert await told(house, 2) == (
        "The day's money is spread over its hours; it waits for its turn, 2 before it."
    )


async def test_a_mode_is_told_with_its_reason(house: House) -> None:
    await held(house, 1, "mode")
    await house.act(modes.set_mode, Mode.REVIEW, until_ms=START_MS + HOUR_MS)
    assert await told(house) == "Held by a mode; it is review now. Set by hand by tester."


async def test_nothing_is_told_where_the_flood_had_no_part(house: House) -> None:
    await held(house, 1, "release")
    assert await told(house) is None
