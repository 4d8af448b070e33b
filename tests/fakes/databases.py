"""Which database the stores of a test are in, SQLite unless told otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from bot.store import database, schema
from bot.store import postgres as postgresql
from tests.peers import postgres

_TEMPLATE = "template_of_ours"
_told: list[postgres.Cluster] = []
_opened: list[tuple[postgres.Cluster, str]] = []


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
    """Stores are on this PostgreSQL for a while; their databases are dropped at its end."""
    _told.append(cluster)
    try:
        yield
    finally:
        _told.pop()
        for owner, name in _opened:
            owner.drop(name)
        _opened.clear()


def url() -> str | None:
    """A fresh database with all tables, None on SQLite."""
    if not _told:
        return None
    cluster = _told[-1]
    name = cluster.fresh(_TEMPLATE)
    _opened.append((cluster, name))
    return cluster.url(name)


async def fresh() -> database.Store:
    """An open store with all tables: in memory, or on PostgreSQL."""
    told = url()
    if told is not None:
        store: database.Store = postgresql.Store(told)
        await store.open()
        return store
    store = database.Store(None)
    await store.open()
    await store.write(schema.create)
    return store


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[database.Store]:
    """`fresh`, closed at the end."""
    store = await fresh()
    try:
        yield store
    finally:
        await store.close()
