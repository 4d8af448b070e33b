from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.console import people, story
from bot.contract import address
from bot.policy.lifecycle import State
from bot.store import tables
from tests.bot.console import house as building
from tests.bot.console.house import ANNA, BERT, HOUR_MS, START_MS, House

if TYPE_CHECKING:
    import pathlib

ACI = "00000000-0000-4000-8000-00000000000A"


@pytest.mark.parametrize(
    ("typed", "networks"),
    [
        (ANNA, ["sms", "signal"]),
        (" +33 6 39 98 00 01\n", ["sms", "signal"]),
        (ACI, ["signal"]),
        ("@anna:example.org", ["matrix"]),
        ("0639980001", []),
        ("anna", []),
        ("", []),
        ("+" * 400, []),
        ("@a\x00:b", []),
    ],
)
def test_addresses_as_people_type_them(typed: str, networks: list[str]) -> None:
    assert [a.network for a in people.read_address(typed)] == networks


def test_an_aci_is_looked_up_in_small_letters() -> None:
    assert people.read_address(ACI)[0].value == ACI.lower()


async def test_blocked_by_address_nothing_goes_out_any_more(house: House) -> None:
    await house.write_in(ANNA)
    await house.write_in(BERT)
    found = people.read_address(ANNA)
    persons = await house.store.read(lambda tx: people.find(tx, house.keys, found))
    done = await house.act(people.block, persons, keys=house.keys)
    assert done.ok
    first, second = await house.rows(tables.replies)
    assert (first["state"], first["reason"]) == (State.CANCELLED, "blocked")
    assert second["state"] == State.HELD
    await house.write_in(ANNA, at_ms=START_MS + HOUR_MS)
    last = (await house.rows(tables.inbound))[-1]
    assert (last["decision"], last["reason"]) == ("silence", "blocked")
    assert ANNA not in done.said.en


async def test_unblocked_they_are_answered_again(house: House) -> None:
    await house.write_in(ANNA)
    persons = [(await house.person())["id"]]
    await house.act(people.block, persons, keys=house.keys)
    await house.act(people.unblock, persons, keys=house.keys)
    await house.write_in(ANNA, at_ms=START_MS + HOUR_MS)
    assert (await house.rows(tables.inbound))[-1]["decision"] == "hold"


async def test_nobody_is_blocked_by_an_unknown_address(house: House) -> None:
    found = people.read_address(ANNA)
    persons = await house.store.read(lambda tx: people.find(tx, house.keys, found))
    done = await house.act(people.block, persons, keys=house.keys)
    assert persons == []
    assert not done.ok


async def test_a_reply_leads_to_the_person_after_a_merge(house: House) -> None:
    """C48: two addresses, then one person; both replies tell the same story."""
    await house.write_in(ANNA)
    await house.write_in(ACI.lower(), network=address.SIGNAL, at_ms=START_MS + 1000)
    await house.write_in(
        ACI.lower(), network=address.SIGNAL, aliases=(ANNA,), at_ms=START_MS + 2000
    )
    ids = [row["id"] for row in await house.rows(tables.replies)]
    owners = await house.store.read(lambda tx: [people.of_reply(tx, one) for one in ids])
    assert len(set(owners)) == 1
    assert owners[0] is not None
    person = owners[0]
    told = await house.store.read(
        lambda tx: story.of_person(tx, house.keys, person, house.core.budget, START_MS)
    )
    assert told.written == 3
    assert [m.network for m in told.messages] == ["sms", "signal", "signal"]
    assert sorted(r.state for r in told.replies) == ["cancelled", "held"]
    assert "one person" in next(r.why.en for r in told.replies if r.state == "cancelled")


async def test_the_story_says_why_in_both_languages(tmp_path: pathlib.Path) -> None:
    made = await building.opened(tmp_path, building.BY_ITSELF)
    try:
        await made.write_in(ANNA)
        await made.write_in(ANNA, at_ms=START_MS + 60_000)
        await made.write_in(ANNA, "STOP", at_ms=START_MS + 120_000)
        person = (await made.person())["id"]
        told = await made.store.read(
            lambda tx: story.of_person(tx, made.keys, person, made.core.budget, START_MS)
        )
    finally:
        await made.store.close()
    assert [m.decision for m in told.messages] == ["reply", "silence", "opt_out"]
    assert "waiting already" in told.messages[1].why.en
    assert "attend déjà" in told.messages[1].why.fr
    assert told.opted_out_ms == START_MS + 120_000
    assert told.answered_until_ms is None
    assert told.replies[0].state == "cancelled"


async def test_no_such_reply_no_person(house: House) -> None:
    assert await house.store.read(lambda tx: people.of_reply(tx, 4711)) is None
