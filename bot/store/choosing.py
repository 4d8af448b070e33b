"""The store behind a `store.url`. Imports nothing slow: settings are read by every command."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bot.store import database

_SQLITE: Final = "sqlite:"


def file(url: str) -> pathlib.Path | None:
    """The database's file; None for one that is no file."""
    if not url.startswith(_SQLITE):
        return None
    return pathlib.Path(url.removeprefix(_SQLITE).removeprefix("//"))


def store(url: str) -> database.Store:
    """Not opened yet."""
    path = file(url)
    if path is not None:
        from bot.store import database  # noqa: PLC0415 (see above)

        return database.Store(path)
    # SQLAlchemy's dialect for it takes a while to load, and asyncpg is an extra.
    from bot.store import postgres  # noqa: PLC0415 (see above)

    return postgres.Store(url)
