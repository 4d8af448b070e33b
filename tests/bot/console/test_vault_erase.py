"""What of somebody forgotten leads on by a reply that is gone, or stays while it may be out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from bot import build
from bot.console import vault_acts
from bot.contract import address, clock, messages, money
from bot.store import people, tables
from tests.bot import test_janitor_afterwards as after
from tests.fakes import world as fake


async def rows(rooms: build.Rooms, table: sa.Table) -> list[dict[str, Any]]:
    query = sa.select(table)
    return await rooms.store.read(lambda tx: [dict(r) for r in tx.execute(query).mappings()])


async def forget(rooms: build.Rooms, reply_id: int) -> vault_acts.Erased:
    now_ms = clock.to_ms(rooms.clock.now())
    query = sa.select(tables.replies.c.person_id).where(tables.replies.c.id == reply_id)

    def work(tx: sa.Connection) -> vault_acts.Erased:
        person = tx.execute(query).scalar_one()
        return vault_acts.erase(tx, rooms.keys, person, now_ms=now_ms, who="tester")

    return await rooms.store.write(work)


@pytest.mark.case("C34")
async def test_early_receipts_go_with_their_reply_and_nobody_elses() -> None:
    """By our name of it, and by the provider's, when it came before the send was recorded."""
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1), fake.message(2)])
    await fake.lapse(rooms, 2)
    known = {row["id"]: row["provider_id"] for row in await rows(rooms, tables.replies)}
    mine, other = sorted(known)

    def early(tx: sa.Connection) -> None:
        row = {"at_ms": 1, "channel": "sms", "data": "{}"}
        for reply_id in (mine, other):
            tx.execute(
                sa.insert(tables.receipts),
                [
                    {**row, "reply_id": reply_id, "provider_id": None},
                    {**row, "reply_id": None, "provider_id": known[reply_id]},
                ],
            )

    await rooms.store.write(early)
    await forget(rooms, mine)
    left = await rows(rooms, tables.receipts)
    assert {(row["reply_id"], row["provider_id"]) for row in left} == {
        (other, None),
        (None, known[other]),
    }


@pytest.mark.case("C34")
async def test_what_is_on_its_way_keeps_neither_address_nor_words() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    seen: list[tuple[object, ...]] = []

    async def erased() -> None:
        text = sa.update(tables.replies).values(text_enc=b"sealed", words=b"words", topic=7)
        await rooms.store.write(lambda tx: tx.execute(text).rowcount)
        told = await forget(rooms, 1)
        assert (told.left, told.replies) == (1, 0)
        (row,) = await rows(rooms, tables.replies)
        assert row["state"] == "sending"
        seen.append((row["address_enc"], row["text_enc"], row["words"], row["topic"]))

    world.meanwhile = erased
    await fake.lapse(rooms, 2)
    assert seen == [(None, None, None, None)]


class Nobodys:
    """What stays of replies to somebody forgotten, and the janitor who clears it up."""

    def __init__(self, way: after.Late, rooms: build.Rooms) -> None:
        self.way, self.rooms = way, rooms

    async def passes(self, hours: float) -> None:
        """So much time, and the chore a few times in it."""
        for _ in range(4):
            await self.way.clock.advance(hours * 900)
            await self.rooms.janitor.step("afterwards")

    async def rows(self) -> list[dict[str, Any]]:
        return await rows(self.rooms, tables.replies)


async def sent_and_forgotten(way: after.Forgetful, told: int = 1) -> Nobodys:
    rooms = await after.after_sends(way)
    (row,) = await rows(rooms, tables.replies)
    # What a reply may have of him beside its address and his words.
    full = {"words": b"w", "topic": 7, "opinion": 1, "retry_of": 5, "refused_by": "signal"}
    change = sa.update(tables.replies).values(written_address="+12025550100", **full)
    await rooms.store.write(lambda tx: tx.execute(change).rowcount)
    done = await forget(rooms, row["id"])
    assert (done.replies, done.left, done.at_provider) == (1, 0, told)
    return Nobodys(way, rooms)


@pytest.mark.case("C34")
async def test_of_what_went_out_only_the_providers_name_and_its_price_stay() -> None:
    way = after.Forgetful()
    here = await sent_and_forgotten(way)
    (row,) = await here.rows()
    now_ms = clock.to_ms(way.clock.now())
    assert {name: value for name, value in row.items() if value} == {
        "id": row["id"],
        "state": "sent",
        "reason": row["reason"],
        "network": "sms",
        "channel": "sms",
        "provider_id": "p1",
        "country": "FR",
        "parts": 1,
        "attempts": 1,
        "reserved_micros": row["reserved_micros"],
        "period": row["period"],
        "started_ms": row["started_ms"],
        "sent_ms": row["sent_ms"],
        "first_ms": now_ms,
        "due_ms": now_ms,
    }
    assert row["person_id"] == people.NOBODY
    await here.rooms.store.close()


@pytest.mark.case("C34", "C31")
async def test_it_is_removed_at_the_provider_once_its_price_is_booked_and_then_here() -> None:
    way = after.Forgetful()
    here = await sent_and_forgotten(way)
    await here.passes(hours=1)
    assert way.deleted == []
    way.price, way.able = money.Money(60_000, "EUR"), False
    await here.passes(hours=24)
    (row,) = await here.rows()
    assert row["price_micros"] == 60_000
    told = {one["reply_id"] for one in await rows(here.rooms, tables.postings)}
    assert told == {row["id"]}
    tried = len(way.deleted)
    assert tried
    way.able = True
    await here.passes(hours=1)
    assert way.deleted == ["p1"] * (tried + 1)
    assert await here.rows() == []
    await here.rooms.store.close()


@pytest.mark.case("C34")
async def test_a_price_that_never_comes_keeps_it_there_for_three_days_only() -> None:
    way = after.Forgetful()
    way.raises = True
    here = await sent_and_forgotten(way)
    await here.passes(hours=71)
    assert way.deleted == []
    await here.passes(hours=2)
    assert way.deleted == ["p1"]
    assert await here.rows() == []
    await here.rooms.store.close()


@pytest.mark.case("C34")
async def test_a_provider_that_never_removes_it_is_given_up_after_thirty_days() -> None:
    way = after.Forgetful()
    way.price, way.able = money.Money(70_000, "EUR"), False
    here = await sent_and_forgotten(way)
    for _ in range(29):
        await here.passes(hours=24)
    assert len(await here.rows()) == 1
    await here.passes(hours=25)
    assert await here.rows() == []
    tried = len(way.deleted)
    await here.passes(hours=1)
    assert len(way.deleted) == tried
    await here.rooms.store.close()


@pytest.mark.case("C34")
async def test_where_nothing_is_removed_it_goes_as_soon_as_its_price_is_booked() -> None:
    way = after.Late()
    rooms = await after.after_sends(way)
    (row,) = await rows(rooms, tables.replies)
    await forget(rooms, row["id"])
    here = Nobodys(way, rooms)
    await here.passes(hours=1)
    assert len(await here.rows()) == 1
    way.price = money.Money(60_000, "EUR")
    await here.passes(hours=24)
    assert await here.rows() == []
    paid = [one["amount_micros"] for one in await rows(rooms, tables.postings)]
    assert sum(paid) == 60_000
    await rooms.store.close()


@pytest.mark.case("C34")
async def test_news_of_what_is_nobodys_brings_nobody_back() -> None:
    """A late failure makes no later attempt, a late opt-out no person."""
    way = after.Forgetful()
    here = await sent_and_forgotten(way)
    news = messages.DeliveryReceipt(
        channel="sms",
        at=way.clock.now(),
        provider_id="p1",
        reply_id=None,
        delivery=messages.Delivery.FAILED,
        opt_out=True,
        recipient=address.Address("sms", fake.phone(1)),
        retry_at=way.clock.now() + dt.timedelta(seconds=60),
    )
    await here.rooms.intake.receipts([news])
    (row,) = await here.rows()
    assert (row["state"], row["person_id"]) == ("failed", people.NOBODY)
    assert await rows(here.rooms, tables.persons) == [
        one for one in await rows(here.rooms, tables.persons) if one["opted_out_ms"] is None
    ]
    await here.rooms.store.close()


@pytest.mark.case("C34")
async def test_who_is_forgotten_while_it_is_being_removed_leaves_nothing() -> None:
    way = after.Forgetful()
    way.price = money.Money(70_000, "EUR")
    rooms = await after.after_sends(way)
    (row,) = await rows(rooms, tables.replies)
    await way.clock.advance(7 * 3_600)
    await rooms.janitor.step("afterwards")
    real = way.delete

    async def meanwhile(provider_id: str) -> bool:
        assert (await forget(rooms, row["id"])).at_provider == 1
        return await real(provider_id)

    way.delete = meanwhile  # type: ignore[method-assign]
    await rooms.janitor.step("afterwards")
    assert way.deleted == ["p1"]
    assert await rows(rooms, tables.replies) == []
    await rooms.store.close()
