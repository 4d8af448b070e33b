"""Every older schema, with rows in it, comes to today's on either database and keeps them (C39)."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import alembic.command
import alembic.config
import pytest
import sqlalchemy as sa
from alembic import script

from bot.store import choosing, database, schema, tables
from tests.bot.store import rows
from tests.peers import postgres as peers

PLACES = str(schema._MIGRATIONS)
# What stands in every schema so far: a reply that waits, with its person.
PERSON = (
    "INSERT INTO persons (id, created_ms, last_ms, messages, blocked_until_ms) "
    "VALUES (7, 1, 2, 3, 4)"
)
REPLY = (
    "INSERT INTO replies (id, person_id, automatic, state, reason, network, channel, own_address, "
    "language, first_ms, due_ms, window_ms, attempts) VALUES (9, 7, true, 'scheduled', 'first', "
    "'sms', 'sms', 'ours', 'fr', 1, 2, 4, 0)"
)
KEPT = (
    "SELECT p.id, p.blocked_until_ms, r.id, r.state, r.due_ms, r.attempts "
    "FROM persons p JOIN replies r ON r.person_id = p.id"
)


TODAY = {
    table.name: (
        sorted(column.name for column in table.c),
        sorted(str(index.name) for index in table.indexes),
    )
    for table in tables.metadata.sorted_tables
}


def shape(tx: sa.Connection) -> dict[str, tuple[list[str], list[str]]]:
    """Columns and indexes of each table, on either database."""
    seen = sa.inspect(tx)
    return {
        name: (
            sorted(column["name"] for column in seen.get_columns(name)),
            sorted(
                str(one["name"])
                for one in seen.get_indexes(name)
                if "duplicates_constraint" not in one
            ),
        )
        for name in seen.get_table_names()
        if name != "alembic_version"
    }


def revisions() -> list[str]:
    """All of them, the oldest first."""
    told = alembic.config.Config()
    told.set_main_option("script_location", PLACES)
    return [one.revision for one in script.ScriptDirectory.from_config(told).walk_revisions()][::-1]


def as_of(tx: sa.Connection, revision: str) -> None:
    """The database as a program of that time made it."""
    told = alembic.config.Config()
    told.set_main_option("script_location", PLACES)
    told.attributes["connection"] = tx
    alembic.command.upgrade(told, revision)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'bot.db'}"
    cluster: peers.Cluster = request.getfixturevalue("server")
    return cluster.url(cluster.fresh())


@pytest.fixture
async def store(url: str) -> AsyncIterator[database.Store]:
    opened = choosing.store(url)
    await opened.open()
    yield opened
    await opened.close()


def test_there_are_older_ones() -> None:
    assert len(revisions()) > 1
    assert revisions()[-1] == schema.HEAD


@pytest.mark.case("C39")
@pytest.mark.parametrize("old", revisions()[:-1])
async def test_an_older_schema_becomes_todays_and_keeps_its_rows(
    store: database.Store, old: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", schema.__name__)
    await store.write(lambda tx: as_of(tx, old))
    for statement in (PERSON, REPLY):
        await rows.run(store, sa.text(statement))
    assert await store.write(schema.upgrade) == (old, schema.HEAD)
    kept = await store.read(lambda tx: [tuple(row) for row in tx.execute(sa.text(KEPT))])
    assert kept == [(7, 4, 9, "scheduled", 2, 0)]
    assert await store.read(shape) == TODAY
    # It may take minutes, and whoever starts the program waits for them.
    (told,) = [one for one in caplog.records if one.name == schema.__name__]
    assert "older" in told.getMessage()


AUTOMATIC = 20


@pytest.mark.case("C39")
@pytest.mark.parametrize("old", ["0001", "0002"])
async def test_of_two_answers_by_hand_the_upgrade_keeps_one(
    store: database.Store, old: str
) -> None:
    await store.write(lambda tx: as_of(tx, old))
    await rows.run(store, sa.text(PERSON))
    insert = (
        "INSERT INTO replies (id, person_id, automatic, state, reason, network, channel, "
        "own_address, language, first_ms, due_ms, window_ms, attempts, text_enc, address_enc) "
        "VALUES (:id, :person, :automatic, :state, 'by_hand', 'sms', 'sms', 'ours', 'fr', 1, :due, "
        "4, 0, :text, :text)"
    )

    async def add(row: int, person: int, state: str, due: int, text: bytes | None = b"x") -> None:
        told = {"id": row, "person": person, "state": state, "due": due, "text": text}
        statement = sa.text(insert).bindparams(**told, automatic=row == AUTOMATIC)
        await rows.run(store, statement)

    # Two that wait: the one due first. One on its way beside one that waits; two on their way.
    await add(10, 7, "scheduled", 30)
    await add(11, 7, "held", 20)
    await add(12, 8, "scheduled", 1)
    await add(13, 8, "sending", 50)
    await add(14, 9, "sending", 2)
    await add(15, 9, "sending", 1)
    # Two that say nothing yet; and what is no answer by hand, or over.
    await add(16, 7, "held", 5, None)
    await add(17, 7, "held", 6, None)
    await add(18, 7, "sent", 1)
    await add(19, 7, "sent", 1)
    await add(AUTOMATIC, 7, "scheduled", 1, None)
    await store.write(schema.upgrade)
    query = sa.text("SELECT id, state, text_enc IS NULL, address_enc IS NULL FROM replies")
    found = {row[0]: tuple(row[1:]) for row in await store.read(lambda tx: list(tx.execute(query)))}
    gone, kept = (True, True), (False, False)
    assert found == {
        10: ("cancelled", *gone),
        11: ("held", *kept),
        12: ("cancelled", *gone),
        13: ("sending", *kept),
        14: ("unknown", *gone),
        15: ("sending", *kept),
        16: ("held", *gone),
        17: ("cancelled", *gone),
        18: ("sent", *kept),
        19: ("sent", *kept),
        AUTOMATIC: ("scheduled", *gone),
    }
    assert await store.read(shape) == TODAY


@pytest.mark.case("C39")
@pytest.mark.parametrize("old", revisions()[:-1])
async def test_an_upgrade_that_is_cut_leaves_the_older_schema_and_its_rows(
    store: database.Store, old: str
) -> None:
    await store.write(lambda tx: as_of(tx, old))
    before = await store.read(shape)

    def cut(tx: sa.Connection) -> None:
        schema.upgrade(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(cut)
    assert await store.read(schema.revision) == old
    assert await store.read(shape) == before


@pytest.mark.case("C39")
async def test_a_newer_schema_is_refused_on_either_database(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    await schema.prepare(store, tmp_path / "keys")
    await rows.run(store, sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.SchemaError, match="newer than this program"):
        await schema.prepare(store, tmp_path / "keys")
    assert await store.read(schema.revision) == "9999"
