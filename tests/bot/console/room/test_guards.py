"""Guards of the room that nobody would miss until two act at once, or somebody tampers."""

from __future__ import annotations

import dataclasses
import functools

import pytest
import sqlalchemy as sa

from bot.console import audit
from bot.console.room import cards, prompts, said
from bot.contract import clock
from bot.store import tables
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import ANNA, BEA, CLEO, ROOM

HERE = said.Where(channel="matrix", room_id=ROOM)


async def asked(floor: Floor) -> prompts.Prompt:
    """A question of Anna's that nobody has decided."""
    question = prompts.Question(
        kind=prompts.Kind.CAP,
        data={"period": "day", "micros": 1},
        card=cards.Card(lines=("?",)),
        asked_by=ANNA,
    )
    now_ms = clock.to_ms(floor.now)
    made = await floor.store.write(
        lambda tx: prompts.ask(tx, floor.keys, HERE, question, now_ms=now_ms)
    )
    (row,) = [one for one in await floor.rows(tables.room_prompts) if one["id"] == made]
    code = row["code"]
    found = await floor.store.read(lambda tx: prompts.by_code(tx, floor.keys, HERE, code))
    assert found is not None
    return found


@pytest.mark.case("C22")
async def test_two_who_decide_at_once_are_one_decision(floor: Floor) -> None:
    prompt = await asked(floor)
    # Both have read it as open; the second finds it taken.
    assert await floor.store.write(lambda tx: prompts.decide(tx, prompt, "yes", BEA))
    assert not await floor.store.write(lambda tx: prompts.decide(tx, prompt, "no", CLEO))
    (row,) = await floor.rows(tables.room_prompts)
    assert (row["choice"], row["decided_by"]) == ("yes", BEA)


@pytest.mark.case("C22")
async def test_a_question_is_known_only_where_it_was_asked(floor: Floor) -> None:
    prompt = await asked(floor)
    for elsewhere in (
        dataclasses.replace(HERE, room_id="!other:example.org"),
        dataclasses.replace(HERE, channel="matrix2"),
    ):
        ask = functools.partial(prompts.by_code, keys=floor.keys, where=elsewhere, code=prompt.code)
        assert await floor.store.read(ask) is None


async def acts(floor: Floor) -> None:
    """Three acts on the trail."""
    for command in ("!pause", "!resume", "!pause"):
        assert await floor.says(CLEO, command)
    chain = await floor.store.read(audit.verify)
    assert (chain.length, chain.broken_at) == (3, None)


@pytest.mark.case("C46")
@pytest.mark.parametrize("column", ["who", "act", "data", "at_ms", "hash", "before"])
async def test_a_changed_row_of_the_trail_is_named(floor: Floor, column: str) -> None:
    await acts(floor)
    rows = await floor.rows(tables.audit)
    second = rows[1]["id"]
    change = {"at_ms": 1, "hash": bytes(32), "before": b"x" * 32}.get(column, "other")
    statement = sa.update(tables.audit).where(tables.audit.c.id == second)
    await floor.store.write(lambda tx: tx.execute(statement.values({column: change})).rowcount)
    chain = await floor.store.read(audit.verify)
    assert chain.broken_at == second
    assert chain.length == 1


@pytest.mark.case("C46")
async def test_a_row_that_was_taken_out_is_named(floor: Floor) -> None:
    await acts(floor)
    rows = await floor.rows(tables.audit)
    statement = sa.delete(tables.audit).where(tables.audit.c.id == rows[1]["id"])
    await floor.store.write(lambda tx: tx.execute(statement).rowcount)
    assert (await floor.store.read(audit.verify)).broken_at == rows[2]["id"]


@pytest.mark.case("C22", "C24")
async def test_an_event_that_was_done_is_not_done_again_when_it_comes_again(floor: Floor) -> None:
    made = hosting.command(floor.room, BEA, "!donate 5", floor.now)
    await floor.step()
    donated = [one for one in await floor.rows(tables.postings) if one["account"] == "donations"]
    assert len(donated) == 1
    # The bridge was killed before it knew that we had it: the same event, the same id.
    assert floor.host.door is not None
    await floor.host.door.events([made], channel="matrix")
    await floor.step()
    again = [one for one in await floor.rows(tables.postings) if one["account"] == "donations"]
    assert again == donated
