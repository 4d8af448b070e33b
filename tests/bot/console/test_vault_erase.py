"""What of somebody forgotten leads on by a reply that is gone, or stays while it may be out."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from bot import build
from bot.console import vault_acts
from bot.contract import clock
from bot.store import tables
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
