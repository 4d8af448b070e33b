from __future__ import annotations

import json

import pytest

from bot import outbox
from bot.console import holding
from bot.dispatcher import claim
from bot.policy.lifecycle import State
from bot.store import events, tables
from tests.bot.console.house import ANNA, BERT, CARL, HOUR_MS, START_MS, House


async def acts(house: House) -> list[dict[str, object]]:
    return [json.loads(e["data"]) for e in await house.rows(tables.events) if e["kind"] == "act"]


async def test_a_pause_is_what_the_dispatcher_looks_for(house: House) -> None:
    await house.act(holding.pause, until_ms=None)
    controls = await house.store.read(events.controls)
    assert claim.paused(controls, "sms", START_MS + 1000 * HOUR_MS)
    await house.act(holding.resume)
    controls = await house.store.read(events.controls)
    assert not claim.paused(controls, "sms", START_MS)


async def test_a_pause_of_one_channel_ends_by_itself(house: House) -> None:
    await house.act(holding.pause, channel="sms", until_ms=START_MS + HOUR_MS)
    controls = await house.store.read(events.controls)
    assert claim.paused(controls, "sms", START_MS)
    assert not claim.paused(controls, "signal", START_MS)
    assert not claim.paused(controls, None, START_MS)
    assert not claim.paused(controls, "sms", START_MS + HOUR_MS)


async def test_resume_lifts_a_networks_stop_only_for_its_channel(house: House) -> None:
    await house.store.write(lambda tx: events.control(tx, START_MS, "stopped:sms", claim.FOREVER))
    await house.act(holding.pause, until_ms=None)
    await house.act(holding.resume)
    controls = await house.store.read(events.controls)
    assert claim.paused(controls, "sms", START_MS)
    await house.act(holding.resume, channel="sms")
    assert await house.store.read(events.controls) == {}


async def test_resume_of_one_channel_says_that_all_are_paused(house: House) -> None:
    await house.act(holding.pause, until_ms=None)
    await house.act(holding.pause, channel="sms", until_ms=None)
    done = await house.act(holding.resume, channel="sms")
    assert "still paused" in done.said.en


async def test_review_groups_by_reason(house: House) -> None:
    await house.write_in(ANNA)
    await house.write_in(BERT)
    found = await house.store.read(
        lambda tx: holding.review(tx, keys=house.keys, rules=house.core.reply)
    )
    (group,) = found.groups
    assert (found.total, group.reason, len(group.replies)) == (2, "release", 2)
    assert group.replies[0].expires_ms == START_MS + 24 * HOUR_MS
    ids = [row["id"] for row in await house.rows(tables.replies)]
    assert {held.reply for held in group.replies} == {outbox.key(house.keys, i) for i in ids}


async def test_an_approved_reply_waits_for_its_time(house: House) -> None:
    await house.write_in(ANNA)
    before = await house.reply()
    told = {"keys": house.keys, "rules": house.core.reply}
    done = await house.act(holding.approve, [before["id"]], **told)
    after = await house.reply()
    assert done.ok
    assert done.replies == (outbox.key(house.keys, before["id"]),)
    assert (after["state"], after["due_ms"]) == (State.SCHEDULED, before["due_ms"])
    assert (before["approved"], after["approved"]) == (False, True)


async def test_approved_late_it_is_due_at_once(house: House) -> None:
    await house.write_in(ANNA)
    row = await house.reply()
    late_ms = START_MS + 5 * HOUR_MS
    told = {"keys": house.keys, "rules": house.core.reply, "now_ms": late_ms}
    await house.act(holding.approve, [row["id"]], **told)
    assert (await house.reply())["due_ms"] == late_ms


@pytest.mark.case("C15")
async def test_nobody_who_opted_out_can_be_approved(house: House) -> None:
    """Even in a state that intake does not leave behind."""
    await house.write_in(ANNA)
    row = await house.reply()
    persons = tables.persons
    await house.store.write(lambda tx: tx.execute(persons.update().values(opted_out_ms=START_MS)))
    told = {"keys": house.keys, "rules": house.core.reply}
    done = await house.act(holding.approve, [row["id"]], **told)
    assert not done.ok
    assert "asked" in done.refused[0].why.en
    assert (await house.reply())["state"] == State.HELD


async def test_what_cannot_be_approved_is_said_one_by_one(house: House) -> None:
    for person in (ANNA, BERT, CARL):
        await house.write_in(person)
    ids = [row["id"] for row in await house.rows(tables.replies)]
    replies = tables.replies
    await house.store.write(
        lambda tx: tx.execute(
            replies.update().where(replies.c.id == ids[0]).values(state=State.SENT)
        )
    )
    persons = tables.persons
    blocked = (await house.person(1))["id"]
    await house.store.write(
        lambda tx: tx.execute(
            persons.update().where(persons.c.id == blocked).values(blocked_ms=START_MS)
        )
    )
    told = {"keys": house.keys, "rules": house.core.reply}
    done = await house.act(holding.approve, [*ids, ids[2], 999], **told)
    assert done.ok
    assert done.replies == (outbox.key(house.keys, ids[2]),)
    whys = [one.why.en for one in done.refused]
    assert len(whys) == 3
    assert "sent" in whys[0]
    assert "blocked" in whys[1]
    assert "no such" in whys[2]


async def test_what_expired_cannot_be_approved(house: House) -> None:
    await house.write_in(ANNA)
    row = await house.reply()
    told = {"keys": house.keys, "rules": house.core.reply, "now_ms": START_MS + 24 * HOUR_MS}
    done = await house.act(holding.approve, [row["id"]], **told)
    assert not done.ok
    assert (await house.reply())["state"] == State.HELD


@pytest.mark.parametrize("state", [State.HELD, State.SCHEDULED])
async def test_dropping_gives_the_window_back_and_forgets_the_address(
    house: House, state: State
) -> None:
    await house.write_in(ANNA)
    row = await house.reply()
    if state is State.SCHEDULED:
        told = {"keys": house.keys, "rules": house.core.reply}
        await house.act(holding.approve, [row["id"]], **told)
    assert (await house.person())["blocked_until_ms"] > 0
    done = await house.act(holding.drop, [row["id"]], keys=house.keys)
    after = await house.reply()
    assert done.ok
    assert (after["state"], after["reason"]) == (State.CANCELLED, "by_hand")
    assert after["address_enc"] is None
    assert (await house.person())["blocked_until_ms"] == 0
    again = await house.act(holding.drop, [row["id"]], keys=house.keys)
    assert not again.ok


async def test_each_act_leaves_who_and_what(house: House) -> None:
    await house.write_in(ANNA)
    row = await house.reply()
    await house.act(holding.pause, channel="sms", until_ms=None)
    told = {"keys": house.keys, "rules": house.core.reply}
    await house.act(holding.approve, [row["id"]], **told)
    await house.act(holding.drop, [row["id"]], keys=house.keys)
    await house.act(holding.resume)
    found = await acts(house)
    assert [one["act"] for one in found] == ["pause", "approve", "drop", "resume"]
    assert {one["who"] for one in found} == {"tester"}
    assert ANNA not in json.dumps(found)
