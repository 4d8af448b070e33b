"""Which database the stores of a test are in, SQLite unless told otherwise.

On PostgreSQL the databases are emptied and used again: making one takes longer than most tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Iterator

import asyncpg
import sqlalchemy as sa

from bot.store import database, schema, tables
from bot.store import postgres as postgresql
from tests.peers import postgres

_TEMPLATE = "template_of_ours"
_told: list[postgres.Cluster] = []
_lent: list[tuple[postgres.Cluster, str]] = []
_free: list[str] = []
_opened: list[database.Store] = []
_SERIAL = [t for t in tables.metadata.sorted_tables if "id" in t.c and t.c.id.autoincrement is True]
_EMPTY = "; ".join(
    [
        *(f'DELETE FROM "{t.name}"' for t in tables.metadata.sorted_tables),  # noqa: S608 (our own)
        *(f"SELECT setval('{table.name}_id_seq', 1, false)" for table in _SERIAL),
    ]
)


def prepare(cluster: postgres.Cluster) -> None:
    """Make the database that all others are copied from; by the migrations."""
    cluster.sql(f"CREATE DATABASE {_TEMPLATE}")

    async def make() -> None:
        store = postgresql.Store(cluster.url(_TEMPLATE))
        await store.open()
        await store.write(schema.upgrade)
        await store.close()

    asyncio.run(make())


@contextlib.contextmanager
def on(cluster: postgres.Cluster) -> Iterator[None]:
    """Stores are on this PostgreSQL for a while."""
    _told.append(cluster)
    try:
        yield
    finally:
        _told.pop()


async def end() -> None:
    """Close what was opened and empty what was lent on PostgreSQL."""
    while _opened:
        await _opened.pop().close()
    while _lent:
        await _give_back(*_lent[-1])


async def _give_back(cluster: postgres.Cluster, name: str) -> None:
    connection = await asyncpg.connect(cluster.url(name))
    await connection.execute(_EMPTY)
    await connection.close()
    _lent.remove((cluster, name))
    _free.append(name)


def url() -> str | None:
    """An empty database with all tables, None on SQLite."""
    if not _told:
        return None
    name = _free.pop() if _free else _told[-1].fresh(_TEMPLATE)
    _lent.append((_told[-1], name))
    return _told[-1].url(name)


async def fresh() -> database.Store:
    """An open store with all tables: in memory, or on PostgreSQL."""
    told = url()
    if told is not None:
        store: database.Store = postgresql.Store(told)
        _opened.append(store)
        await store.open()
        return store
    store = database.Store(None)
    await store.open()
    await store.write(_create)
    return store


def _create(tx: sa.Connection) -> None:
    """As schema.create does, with statements that were compiled once."""
    driver = tx.connection.driver_connection
    assert driver is not None
    for statement in _statements():
        driver.execute(statement)


@functools.cache
def _statements() -> tuple[str, ...]:
    made: list[str] = []

    def keep(statement: sa.Executable, *_: object, **__: object) -> None:
        made.append(str(statement.compile(dialect=engine.dialect)))  # type: ignore[attr-defined]  # DDL has it

    engine = sa.create_mock_engine("sqlite://", keep)
    tables.metadata.create_all(engine, checkfirst=False)
    return tuple(made)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[database.Store]:
    """`fresh`, closed at the end."""
    before = len(_lent)
    store = await fresh()
    lent = _lent[before:]
    try:
        yield store
    finally:
        await store.close()
        for one in lent:
            await _give_back(*one)
