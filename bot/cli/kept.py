"""What an installation keeps for its bridges, for commands that only look."""

from __future__ import annotations

import pathlib
import sqlite3
from typing import TYPE_CHECKING, Final

from bot.contract import intake

if TYPE_CHECKING:
    from bot import config
    from bot.contract import bridge

_DROP: Final = "DELETE FROM storage WHERE channel = ? AND key = ?"
_PUT: Final = "INSERT INTO storage (channel, key, value) VALUES (?, ?, ?)"
_KEPT: Final = "SELECT value FROM storage WHERE channel = ? AND key = ?"


class Kept:
    """A bridge's storage as the installation has it, for looking only."""

    def __init__(
        self, database: pathlib.Path | None, channel: str, *, writes: bool = False
    ) -> None:
        """`database` None, or not there yet: nothing is kept. `writes`: for `setup --apply`."""
        self._database = database
        self._writes = writes
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
        """Changes nothing without `writes`: the running program keeps its own."""
        if not self._writes or self._database is None or not self._database.is_file():
            return
        where = f"{self._database.absolute().as_uri()}?mode=rw"
        try:
            connection = sqlite3.connect(where, uri=True, timeout=5)
            try:
                with connection:
                    connection.execute(_DROP, (self._channel, key))
                    if value is not None:
                        connection.execute(_PUT, (self._channel, key, value))
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise intake.NotStoredError(type(error).__name__) from None


class KeptElsewhere:
    """The same where the database is no file."""

    def __init__(self, url: str, channel: str, *, writes: bool = False) -> None:
        """Opened for each question and closed again."""
        self._url = url
        self._writes = writes
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
        """Changes nothing without `writes`: the running program keeps its own."""
        if not self._writes:
            return
        from sqlalchemy import exc  # noqa: PLC0415 (slow to import)

        from bot.store import choosing, database, keyvalue  # noqa: PLC0415 (the same)

        store = choosing.store(self._url)
        try:
            await store.open()
            await keyvalue.KeyValue(store, self._channel).put(key, value)
        except (database.StoreAwayError, exc.SQLAlchemyError) as error:
            raise intake.NotStoredError(type(error).__name__) from None
        finally:
            await store.close()


def storage(settings: config.Settings, channel: str, *, writes: bool = False) -> bridge.Storage:
    """What the installation of these settings keeps for a channel."""
    if settings.store.file is None:
        return KeptElsewhere(settings.store.url, channel, writes=writes)
    return Kept(settings.store.file, channel, writes=writes)
