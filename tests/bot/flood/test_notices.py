"""What a room is told of the defence: an event for each change, with its reason and figures."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from bot import build
from bot.console import modes
from bot.flood import orders
from bot.policy.flood.snapshot import Mode
from bot.store import tables
from tests.bot.flood.test_look import Crowd, core
from tests.bot.flood.test_orders import set_mode
from tests.fakes import world as fake


async def told(rooms: build.Rooms, kind: str) -> list[dict[str, Any]]:
    """The events of a kind, as whoever reads them finds them."""
    e = tables.events
    query = sa.select(e.c.data).where(e.c.kind == kind).order_by(e.c.id)
    found = await rooms.store.read(lambda tx: tx.execute(query).scalars().all())
    return [json.loads(data) for data in found]


def whys(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Before, after, and the sentence that the room shows; French is there too."""
    out = []
    for data in found:
        why = modes.why(orders.parsed(data))
        assert why.fr
        assert "{" not in why.en + why.fr
        out.append((data["before"], data["mode"], why.en))
    return out


@pytest.mark.case("C17")
async def test_a_raid_is_told_at_its_beginning_and_at_its_end() -> None:
    crowd = Crowd(await fake.rooms(fake.World(), core=core(None)))
    await crowd.hours(8, people=24)
    await crowd.hours(2, people=24, others=240, text="ruine {n}")
    await crowd.hours(4, people=24)
    topics = await told(crowd.rooms, "new_topic")
    assert 10 <= topics[0]["people"] <= topics[0]["of"]
    assert topics[0]["words"] >= 1
    changes = await told(crowd.rooms, "mode")
    (up, down) = whys(changes)
    assert up[:2] == ("normal", "tight")
    assert f"of {changes[0]['senders']} new senders in an hour write about one new thing" in up[2]
    assert down == ("tight", "normal", "Nothing unusual is seen.")
    assert changes[0]["topical"] >= 0.2 * changes[0]["senders"]
    assert changes[0]["since_ms"] < changes[1]["since_ms"]
    assert all(data["reason"] for data in changes)


@pytest.mark.case("C17")
async def test_a_crowd_in_peoples_words_is_told_by_its_size() -> None:
    crowd = Crowd(await fake.rooms(fake.World(), core=core(None)))
    await crowd.hours(26, people=12)
    await crowd.hours(1, people=12, others=240, text="salut c'est hugo")
    (up, *_) = whys(await told(crowd.rooms, "mode"))
    assert up[:2] == ("normal", "tight")
    assert up[2].endswith("far more than usual.")


@pytest.mark.case("C06")
async def test_the_end_of_the_days_money_is_told_and_the_next_day() -> None:
    crowd = Crowd(await fake.rooms(fake.World(), core=core(5 * fake.PRICE)))
    rooms = crowd.rooms
    await crowd.hours(4, people=12)
    await crowd.hours(14, people=0)
    found = whys(await told(rooms, "mode"))
    assert found[0] == ("normal", "free-only", "100 % of the day's money is used.")
    assert found[1][:2] == ("free-only", "normal")


async def test_what_people_set_is_told_with_who_and_until_when() -> None:
    rooms = await fake.rooms(fake.World())
    await set_mode(rooms, Mode.REVIEW, 2)
    await fake.lapse(rooms, 3, every_s=300)
    changes = await told(rooms, "mode")
    by_hand, over = whys(changes)
    assert by_hand == ("normal", "review", "Set by hand by anna.")
    assert changes[0]["until_ms"] == changes[0]["since_ms"] + 2 * 3_600_000
    assert (changes[0]["by_hand"], changes[0]["who"]) == (True, "anna")
    assert over[:2] == ("review", "normal")
    assert "the rules decide again" in over[2]


async def test_nothing_is_told_twice() -> None:
    """A look every five minutes, and one event a change."""
    crowd = Crowd(await fake.rooms(fake.World(), core=core(None)))
    await crowd.hours(8, people=24)
    await crowd.hours(3, people=24, others=240, text="ruine {n}")
    assert [data["mode"] for data in await told(crowd.rooms, "mode")] == ["tight"]
    told_words = await told(crowd.rooms, "new_topic")
    assert len(told_words) <= 3
