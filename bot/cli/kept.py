"""What an installation keeps for its bridges, for commands that only look."""

from __future__ import annotations

import pathlib
import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bot import config
    from bot.contract import bridge

_KEPT: Final = "SELECT value FROM storage WHERE channel = ? AND key = ?"


class Kept:
    """A bridge's storage as the installation has it, for looking only."""

    def __init__(self, database: pathlib.Path | None, channel: str) -> None:
        """`database` None, or not there yet: nothing is kept."""
        self._database = database
        self._channel = channel

    async def get(self, key: str) -> str | None:
        """The value, or None; also where the database is of another time."""
        if self._database is None or not self._database.is_file():
            return None
        where = f"{self._database.absolute().as_uri()}?mode=ro"
        try:
            connection = sqlite3.connect(where, uri=True, timeout=2)
            try:
                found = connection.execute(_KEPT, (self._channel, key)).fetchone()
            finally:
                connection.close()
        except sqlite3.Error:
            return None
        return None if found is None else str(found[0])

    async def put(self, key: str, value: str | None) -> None:
        """Changes nothing: the running program keeps its own."""


class KeptElsewhere:
    """The same where the database is no file."""

    def __init__(self, url: str, channel: str) -> None:
        """Opened for each question and closed again."""
        self._url = url
        self._channel = channel

    async def get(self, key: str) -> str | None:
        """The value, or None; also where the database cannot be asked."""
        from sqlalchemy import exc  # noqa: PLC0415 (slow to import)

        from bot.store import choosing, database, keyvalue  # noqa: PLC0415 (the same)

        store = choosing.store(self._url)
        try:
            await store.open()
            return await keyvalue.KeyValue(store, self._channel).get(key)
        except (database.StoreAwayError, exc.SQLAlchemyError):
            return None
        finally:
            await store.close()

    async def put(self, key: str, value: str | None) -> None:
        """Changes nothing: the running program keeps its own."""


def storage(settings: config.Settings, channel: str) -> bridge.Storage:
    """What the installation of these settings keeps for a channel."""
    if settings.store.file is None:
        return KeptElsewhere(settings.store.url, channel)
    return Kept(settings.store.file, channel)
