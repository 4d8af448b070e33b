"""What is forgotten is gone from the files: the sealed bytes themselves are looked for.

They are worth no more than the key file, but a key file may be stolen later.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa

from bot import build
from bot.policy import settings
from bot.store import backup, database, schema, tables, vault
from bot.store import postgres as postgresql
from tests.fakes import databases, world
from tests.peers import postgres
from tests.privacy import canary

CORE = settings.Core(
    who=settings.Who(answer_fiction=True), reply=settings.Reply(release_by_hand=True)
)
HERS = int(canary.NUMBER[-4:])
DAYS = 500


async def opened(store: database.Store, keys: vault.Vault) -> tuple[build.Rooms, world.Clock]:
    moment = world.Clock()
    made = await world.rooms(world.World(), core=CORE, store=store, moment=moment, keys=keys)
    return made, moment


def sealed(tx: sa.Connection) -> list[bytes]:
    """All that is sealed, and the keyed hashes of addresses and message ids."""
    found: list[bytes] = []
    for table in tables.metadata.sorted_tables:
        for column in table.columns:
            if column.name.endswith("_enc") or (table.name, column.name) in {
                ("identities", "hash"),
                ("seen", "hash"),
            }:
                query = sa.select(column).where(column.is_not(None))
                found += [bytes(one) for one in tx.execute(query).scalars()]
    return found


async def lived(rooms: build.Rooms) -> list[bytes]:
    """The canary writes among many; what is kept of all of them."""
    for n in range(0, 60, 20):
        await rooms.intake.accept([world.message(n + i, text="salut") for i in range(20)])
    number = canary.NUMBER
    assert world.phone(HERS) == number
    await rooms.intake.accept([world.message(HERS, text=canary.WORDS)])
    await rooms.intake.accept([world.message(HERS, text="encore " + canary.WORDS)])
    found = await rooms.store.read(sealed)
    assert len(found) > 240
    return found


async def forgets(rooms: build.Rooms, moment: world.Clock) -> None:
    """Time goes by, and the janitor goes round."""
    await moment.advance(DAYS * 86_400)
    for name in ("tidy", "room", "forget", "room", "forget"):
        await rooms.janitor.step(name)
    assert await rooms.store.read(sealed) == []


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith("bot.db")}


@pytest.mark.case("C33", "C34")
async def test_in_the_file_its_log_and_a_backup(tmp_path: Path) -> None:
    store = database.Store(tmp_path / "bot.db")
    await store.open()
    keys = await schema.prepare(store, tmp_path / "keys")
    rooms, moment = await opened(store, keys)
    known = await lived(rooms)
    before = canary.places(files(tmp_path), known)
    # Not in the clear even while everything is there; the sealed bytes are, or this proves nothing.
    assert len({one.partition(": ")[2] for one in before}) == len(known)
    assert all("value" in one for one in before)
    await rooms.store.checkpoint()
    await forgets(rooms, moment)
    backup.take(tmp_path / "bot.db", tmp_path / "bot.db.backup", 1)
    after = files(tmp_path)
    assert set(after) >= {"bot.db", "bot.db-wal", "bot.db-shm", "bot.db.backup"}
    assert canary.places(after, known) == []
    assert after["bot.db-wal"] == b""
    await store.close()


@pytest.mark.case("C34")
async def test_without_overwriting_it_would_be_found(tmp_path: Path) -> None:
    """The same with what SQLite does by itself where it is built so."""
    store = database.Store(tmp_path / "bot.db")
    await store.open()
    keys = await schema.prepare(store, tmp_path / "keys")
    rooms, moment = await opened(store, keys)
    known = await lived(rooms)
    await rooms.store.checkpoint()
    await rooms.store.write(lambda tx: tx.exec_driver_sql("PRAGMA secure_delete=OFF").close())
    await forgets(rooms, moment)
    assert canary.places(files(tmp_path), known)
    await store.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    reason = postgres.missing()
    if reason is not None:
        pytest.skip(reason)
    with postgres.running() as made:
        databases.prepare(made)
        yield made


@pytest.fixture
async def on_server(cluster: postgres.Cluster) -> AsyncIterator[tuple[database.Store, str]]:
    url = cluster.url(cluster.fresh())
    store = postgresql.Store(url)
    await store.open()
    await store.write(schema.upgrade)
    yield store, url
    await store.close()


async def data_files(url: str) -> dict[str, bytes]:
    """The tables' and indexes' files as the server has them on its disk."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM FULL")
        await connection.execute("CHECKPOINT")
        folder = Path(await connection.fetchval("SHOW data_directory"))
        base = await connection.fetchval(
            "SELECT oid::text FROM pg_database WHERE datname = current_database()"
        )
    finally:
        await connection.close()
    return {p.name: p.read_bytes() for p in (folder / "base" / base).iterdir() if p.is_file()}


@pytest.mark.slow
@pytest.mark.case("C33", "C34")
async def test_in_the_tables_of_postgresql(on_server: tuple[database.Store, str]) -> None:
    store, url = on_server
    rooms, moment = await opened(store, vault.throwaway(8))
    known = await lived(rooms)
    before = canary.places(await data_files(url), known)
    assert len({one.partition(": ")[2] for one in before}) == len(known)
    assert all("value" in one for one in before)
    await forgets(rooms, moment)
    # Whoever still has a snapshot keeps dead rows where they are.
    await store.close()
    assert canary.places(await data_files(url), known) == []
