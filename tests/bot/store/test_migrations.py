import asyncio
import functools
import pathlib
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from alembic import autogenerate, config, script
from alembic.runtime import migration

from bot.store import database, schema, tables, vault
from tests.bot.store import rows


@pytest.fixture
async def store(tmp_path: pathlib.Path) -> AsyncIterator[database.Store]:
    opened = database.Store(tmp_path / "bot.db")
    await opened.open()
    yield opened
    await opened.close()


async def test_migrations_make_what_the_tables_say(store: database.Store) -> None:
    await store.write(schema.upgrade)
    migrated = await store.read(rows.shapes)
    async with rows.memory() as fresh:
        created = await fresh.read(rows.shapes)
    assert migrated == created


async def test_alembic_sees_no_difference(store: database.Store) -> None:
    await store.write(schema.upgrade)

    def found(tx: sa.Connection) -> str:
        context = migration.MigrationContext.configure(tx)
        changes = autogenerate.produce_migrations(context, tables.metadata)
        assert changes.upgrade_ops is not None
        return autogenerate.render_python_code(changes.upgrade_ops)

    lines = (await store.read(found)).splitlines()
    assert [line for line in lines if line.strip() not in ("", "pass") and "#" not in line] == []


def test_head_is_the_newest_migration() -> None:
    settings = config.Config()
    settings.set_main_option("script_location", str(schema._MIGRATIONS))
    assert script.ScriptDirectory.from_config(settings).get_current_head() == schema.HEAD


@pytest.mark.case("C39")
async def test_upgrade_from_every_older_schema(store: database.Store) -> None:
    assert await store.write(schema.upgrade) == (None, schema.HEAD)
    assert await store.write(schema.upgrade) == (schema.HEAD, schema.HEAD)


@pytest.mark.case("C39")
async def test_a_newer_schema_is_refused_and_left_alone(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    await schema.prepare(store, tmp_path / "keys")
    newer = "UPDATE alembic_version SET version_num = '9999'"
    await rows.run(store, sa.text(newer))
    with pytest.raises(schema.SchemaError, match="newer than this program"):
        await schema.prepare(store, tmp_path / "keys")
    assert await store.read(schema.revision) == "9999"


@pytest.mark.case("C39")
async def test_a_failure_in_the_middle_leaves_the_old_schema(store: database.Store) -> None:
    class CutError(Exception):
        pass

    def work(tx: sa.Connection) -> None:
        schema.upgrade(tx)
        raise CutError

    with pytest.raises(CutError):
        await store.write(work)
    assert await store.read(rows.shapes) == []
    assert await store.read(schema.revision) is None


@pytest.mark.case("C39")
def test_a_kill_in_the_middle_leaves_the_old_schema(tmp_path: pathlib.Path) -> None:
    # The program ends without a word after half of the tables, inside alembic's own upgrade.
    code = """
import asyncio, os, sys, pathlib
import sqlalchemy as sa
from bot.store import database, schema

async def main():
    store = database.Store(pathlib.Path(sys.argv[1]))
    await store.open()

    def work(tx):
        made = []

        @sa.event.listens_for(tx, "after_cursor_execute")
        def count(connection, cursor, statement, parameters, context, many):
            made.extend([statement] * ("CREATE TABLE" in statement))
            if len(made) == 9:
                os._exit(7)

        schema.upgrade(tx)

    await store.write(work)

asyncio.run(main())
"""
    path = tmp_path / "bot.db"
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert ended.returncode == 7
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()


async def test_a_current_schema_needs_no_alembic(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    # 0.15 s of every start.
    await schema.prepare(store, tmp_path / "keys")
    code = """
import asyncio, sys, pathlib
from bot.store import database, schema

async def main():
    store = database.Store(pathlib.Path(sys.argv[1]))
    await store.open()
    await schema.prepare(store, pathlib.Path(sys.argv[2]))
    await store.close()

asyncio.run(main())
print("alembic" in sys.modules)
"""
    paths = [str(tmp_path / "bot.db"), str(tmp_path / "keys")]
    command = [sys.executable, "-c", code, *paths]
    run = functools.partial(subprocess.run, capture_output=True, check=True, text=True, timeout=60)
    assert (await asyncio.to_thread(run, command)).stdout == "False\n"


@pytest.mark.case("C35")
async def test_a_key_file_is_made_only_with_a_new_database(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    keys = tmp_path / "keys"
    await schema.prepare(store, keys)
    kept = keys.read_bytes()
    keys.unlink()
    with pytest.raises(vault.KeyFileError, match="missing; put it back"):
        await schema.prepare(store, keys)
    assert not keys.exists()
    vault.create(keys)
    with pytest.raises(vault.KeyFileError, match="does not belong to this database"):
        await schema.prepare(store, keys)
    keys.write_bytes(kept)
    await schema.prepare(store, keys)


@pytest.mark.case("C35")
async def test_a_key_file_without_a_database_is_taken_up(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    # A kill between the two: the key file is there, the database is empty.
    made = vault.create(tmp_path / "keys")
    assert (await schema.prepare(store, tmp_path / "keys")).fingerprints() == made.fingerprints()


@pytest.mark.case("C35")
async def test_a_rotated_key_is_learnt_and_must_stay(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    keys = tmp_path / "keys"
    await schema.prepare(store, keys)
    before = keys.read_text()
    vault.rotate(keys)
    await schema.prepare(store, keys)
    keys.write_text(before)
    with pytest.raises(vault.KeyFileError, match="enc 2"):
        await schema.prepare(store, keys)


@pytest.mark.case("C31", "C36")
async def test_a_ledger_stays_in_its_currency(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    keys = tmp_path / "keys"
    for currency in ("JPY", "JPY", None):
        await schema.prepare(store, keys, currency)
    with pytest.raises(schema.SchemaError, match=r'set budget\.currency = "JPY" or'):
        await schema.prepare(store, keys, "EUR")
    await schema.prepare(store, keys, "JPY")


def test_every_migration_goes_forward_only() -> None:
    settings = config.Config()
    settings.set_main_option("script_location", str(schema._MIGRATIONS))
    for item in script.ScriptDirectory.from_config(settings).walk_revisions():
        assert not hasattr(item.module, "downgrade"), item.revision
