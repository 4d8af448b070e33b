"""Moving a running installation from SQLite to PostgreSQL."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import sqlite3
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from bot import ledger
from bot.inbox import door
from bot.store import database, moving, postgres, schema, tables
from tests.bot.store import rows
from tests.fakes import databases
from tests.peers import postgres as peers


@pytest.fixture
async def target(server: peers.Cluster) -> AsyncIterator[postgres.Store]:
    """A database that is there and holds nothing, not even tables."""
    name = server.fresh()
    store = postgres.Store(server.url(name))
    await store.open()
    yield store
    await store.close()
    await databases.end()
    await asyncio.to_thread(server.drop, name)


async def lived_in(store: database.Store) -> None:
    """Messages, replies, money, events: what an installation holds."""
    context = rows.context()
    batch = [rows.message(str(n), sender=rows.phone(n), at_s=n) for n in range(40)]
    await context.ids.top_up(store, 200)
    await store.write(lambda tx: door.take_in(tx, context, batch, rows.NOW_MS))
    stop = [rows.message("stop", "STOP", sender=rows.phone(3), at_s=50)]
    await store.write(lambda tx: door.take_in(tx, context, stop, rows.NOW_MS))
    await store.write(lambda tx: ledger.donate(tx, 5_000_000, rows.CORE.budget, rows.NOW_MS))
    await rows.put_replies(store, rows.reply(900_001, "unknown"), rows.reply(900_002, "held"))


async def everything(store: database.Store) -> dict[str, list[dict[str, object]]]:
    return {t.name: await rows.rows(store, t) for t in tables.metadata.sorted_tables}


@pytest.mark.case("C39")
async def test_all_of_it_arrives_and_goes_on(
    tmp_path: pathlib.Path, target: postgres.Store
) -> None:
    async with rows.on_file(tmp_path) as source:
        await lived_in(source)
        before = await everything(source)
        heard: list[str] = []
        proof = await moving.move(tmp_path / "bot.db", target, lambda name, _: heard.append(name))
        assert await everything(target) == before
        assert proof.rows["replies"] == len(before["replies"]) == 41
        assert proof.postings == {"donations": -5_000_000}
        assert proof.caps["donations"] == -5_000_000
        assert heard == [t.name for t in tables.metadata.sorted_tables]
        # The program that still runs on the file is told that nothing is stored (C07).
        late = [rows.message("late", sender=rows.phone(77))]
        with pytest.raises(database.StoreAwayError):
            await source.write(lambda tx: door.take_in(tx, rows.context(), late, rows.NOW_MS))
        with pytest.raises(database.StoreAwayError):
            await rows.run(source, sa.update(tables.replies).values(state="sending"))
    reopened = database.Store(tmp_path / "bot.db")
    await reopened.open()
    with pytest.raises(schema.SchemaError, match="was moved to PostgreSQL"):
        await schema.prepare(reopened, tmp_path / "keys")
    await reopened.close()
    # The same keys, and ids that go on where they were.
    keys = await schema.prepare(target, tmp_path / "keys")
    assert keys.fingerprints()
    last = max(int(str(row["id"])) for row in before["events"])
    await target.write(lambda tx: ledger.donate(tx, 1, rows.CORE.budget, rows.NOW_MS))
    assert max(row["id"] for row in await rows.rows(target, tables.events)) == last + 1


@pytest.mark.case("C39")
async def test_what_does_not_arrive_whole_is_not_moved(
    tmp_path: pathlib.Path, target: postgres.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rows.on_file(tmp_path) as source:
        await lived_in(source)
        whole = moving._chunks
        # One row is lost on the way.
        monkeypatch.setattr(
            moving, "_chunks", lambda s, t: (c[: -1 or None] for c in whole(s, t) if len(c) > 1)
        )
        with pytest.raises(moving.MoveError, match="is not what was there"):
            await moving.move(tmp_path / "bot.db", target)
        monkeypatch.undo()
        assert await target.read(schema.revision) is None
        await lived_on(source)
        await moving.move(tmp_path / "bot.db", target)


async def lived_on(store: database.Store) -> None:
    """The file was let go as it was."""
    await store.write(lambda tx: ledger.donate(tx, 7, rows.CORE.budget, rows.NOW_MS))


@pytest.mark.case("C39")
async def test_a_full_database_is_left_alone_and_a_kill_at_the_end_is_made_good(
    tmp_path: pathlib.Path, target: postgres.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def killed(_: sqlite3.Connection) -> None:
        raise KilledError

    async with rows.on_file(tmp_path) as source:
        await lived_in(source)
        monkeypatch.setattr(moving, "_close_for_good", killed)
        with pytest.raises(KilledError):
            await moving.move(tmp_path / "bot.db", target)
        monkeypatch.undo()
        assert dataclasses.asdict(await moving.move(tmp_path / "bot.db", target))["rows"]["replies"]
        with pytest.raises(moving.MoveError, match="was moved before"):
            await moving.move(tmp_path / "bot.db", target)
    (tmp_path / "two").mkdir()
    async with rows.on_file(tmp_path / "two") as other:
        await lived_in(other)
        await lived_on(other)
        with pytest.raises(moving.MoveError, match="holds data already"):
            await moving.move(tmp_path / "two" / "bot.db", target)
        await lived_on(other)


async def test_what_is_no_database_of_ours_is_not_moved(
    tmp_path: pathlib.Path, target: postgres.Store
) -> None:
    (tmp_path / "bot.db").write_text("milk and eggs " * 200)
    with pytest.raises(moving.MoveError, match="cannot be read"):
        await moving.move(tmp_path / "bot.db", target)
