"""C07 on PostgreSQL: locked, full, read-only, away, restarted."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
import sqlalchemy as sa

from bot import outbox
from bot.contract import intake
from bot.store import database, events, postgres, schema
from tests.bot.store import rows
from tests.fakes import world as fake
from tests.peers import postgres as peers

pytestmark = pytest.mark.usefixtures("_on_postgres")


@pytest.mark.case("C07")
async def test_locked_by_another_program(url: str, store: postgres.Store) -> None:
    await store.write(lambda tx: tx.execute(sa.text("SET lock_timeout = 50")))
    other = await asyncpg.connect(url)
    await other.execute("BEGIN; LOCK TABLE events")
    with pytest.raises(database.StoreAwayError, match="LockNotAvailable"):
        await store.write(rows.note)
    await other.execute("ROLLBACK")
    await other.close()
    await store.write(rows.note)
    assert await rows.kinds(store) == ["note"]


@pytest.mark.case("C07")
async def test_the_disk_is_full(url: str, store: postgres.Store) -> None:
    # What the server raises when it is, raised by itself.
    await rows.sql(
        url,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$; "
        "CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION full_disk()",
    )
    with pytest.raises(database.StoreAwayError, match="no space left"):
        await store.write(rows.note)
    await rows.sql(url, "DROP TRIGGER full_disk ON events; DROP FUNCTION full_disk()")
    await store.write(rows.note)
    assert await rows.kinds(store) == ["note"]


@pytest.mark.case("C07")
async def test_read_only(server: peers.Cluster, url: str, store: postgres.Store) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    server.sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    again = postgres.Store(url)
    await again.open()
    with pytest.raises(database.StoreAwayError, match="read-only"):
        await again.write(rows.note)
    await again.close()
    server.sql(f'ALTER DATABASE "{name}" RESET ALL')
    await store.write(rows.note)
    assert await rows.kinds(store) == ["note"]


@pytest.mark.case("C07")
async def test_a_server_that_is_not_there() -> None:
    away = postgres.Store("postgresql://u:sesame@127.0.0.1:1/x")
    with pytest.raises(database.StoreAwayError, match="ConnectionRefused") as caught:
        await away.open()
    assert "sesame" not in str(caught.value)
    with pytest.raises(database.StoreAwayError, match="not open"):
        await away.write(rows.note)


@pytest.mark.case("C07")
async def test_a_restarted_server_is_found_again() -> None:
    with peers.running(fsync=True) as cluster:
        store = postgres.Store(cluster.url("postgres"))
        await store.open()
        await store.write(schema.upgrade)
        await asyncio.gather(*(store.write(rows.note, together=True) for _ in range(4)))
        world = fake.World()
        rooms = await fake.rooms(world, store=store)
        await rooms.intake.accept([fake.message(1)])
        await asyncio.to_thread(cluster.stop)
        # The provider is not told that it was stored, and nothing is sent.
        with pytest.raises(intake.NotStoredError):
            await rooms.intake.accept([fake.message(2)])
        with pytest.raises(database.StoreAwayError):
            await rooms.dispatcher.step()
        with pytest.raises(database.StoreAwayError):
            await store.write(rows.note)
        with pytest.raises(database.StoreAwayError):
            await store.read(events.controls)
        assert not await store.hold("flood")
        await asyncio.to_thread(cluster.start)
        await asyncio.gather(*(store.write(rows.note, together=True) for _ in range(4)))
        assert await rows.kinds(store) == ["note"] * 8
        assert await store.hold("flood")
        for _ in range(2):
            await rooms.intake.accept([fake.message(2)])
        found = await store.read(outbox.counts)
        assert (found["scheduled"], world.sent) == (2, [])
        await store.close()
