"""A bridge's small durable store (contract.bridge.Storage), one per channel."""

from __future__ import annotations

import sqlalchemy as sa

from bot.store import database, statements, tables

_t = tables.storage
_PUT = statements.upsert(_t).on_conflict_do_update(
    index_elements=["channel", "key"], set_={"value": statements.upsert(_t).excluded.value}
)


class KeyValue:
    """Keys and values are text; nothing of a person belongs here in the clear."""

    def __init__(self, store: database.Store, channel: str) -> None:
        """`channel`: whose store this is."""
        self._store = store
        self._channel = channel

    async def get(self, key: str) -> str | None:
        """The value, or None. Raises StoreAwayError."""
        query = sa.select(_t.c.value).where(_t.c.channel == self._channel, _t.c.key == key)

        def work(tx: sa.Connection) -> str | None:
            value: str | None = tx.execute(query).scalar_one_or_none()
            return value

        return await self._store.read(work)

    async def put(self, key: str, value: str | None) -> None:
        """Store the value; None deletes it. Raises StoreAwayError."""
        row = {"channel": self._channel, "key": key}

        def work(tx: sa.Connection) -> None:
            if value is None:
                tx.execute(sa.delete(_t).where(_t.c.channel == row["channel"], _t.c.key == key))
            else:
                tx.execute(_PUT, {**row, "value": value})

        await self._store.write(work)
