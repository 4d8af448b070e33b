"""A bridge's small durable store (contract.bridge.Storage), one per channel."""

from __future__ import annotations

import sqlalchemy as sa

from bot.contract import intake
from bot.store import database, statements, tables

_t = tables.storage
_PUT = statements.upsert(_t).on_conflict_do_update(
    index_elements=["channel", "key"], set_={"value": statements.upsert(_t).excluded.value}
)


def put(tx: sa.Connection, channel: str, key: str, value: str | None) -> None:
    """Store the value in the caller's transaction; None deletes it."""
    if value is None:
        tx.execute(sa.delete(_t).where(_t.c.channel == channel, _t.c.key == key))
    else:
        tx.execute(_PUT, {"channel": channel, "key": key, "value": value})


def get(tx: sa.Connection, channel: str, key: str) -> str | None:
    """The value, or None."""
    query = sa.select(_t.c.value).where(_t.c.channel == channel, _t.c.key == key)
    value: str | None = tx.execute(query).scalar_one_or_none()
    return value


class NotKeptError(intake.NotStoredError, database.StoreAwayError):
    """The database is away: in the words that a bridge knows, and in ours."""


class KeyValue:
    """Keys and values are text; nothing of a person belongs here in the clear."""

    def __init__(self, store: database.Store, channel: str) -> None:
        """`channel`: whose store this is."""
        self._store = store
        self._channel = channel

    async def get(self, key: str) -> str | None:
        """The value, or None. Raises NotKeptError."""
        try:
            return await self._store.read(lambda tx: get(tx, self._channel, key))
        except database.StoreAwayError as error:
            raise NotKeptError(str(error)) from None

    async def put(self, key: str, value: str | None) -> None:
        """Store the value; None deletes it. Raises NotKeptError."""
        try:
            await self._store.write(lambda tx: put(tx, self._channel, key, value), together=True)
        except database.StoreAwayError as error:
            raise NotKeptError(str(error)) from None
