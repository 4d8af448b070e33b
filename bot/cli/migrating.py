"""`antirelou migrate`: the schema of an existing database, and whether its key fits."""

from __future__ import annotations

import asyncio
import pathlib

from bot.cli import opening, options
from bot.store import database, schema


def migrate(told: options.Told) -> None:
    """Say before and after. Never makes a database: that is for `run`."""
    found = opening.load(told)
    path = opening.database_path(found)
    if not path.is_file():
        options.fail([f"no database at {path}; antirelou run makes one"], options.AWAY)
    with opening.told_plainly():
        before = asyncio.run(_migrated(path, found.store.key_file))
    if told.as_json:
        options.put_json({"before": before, "after": schema.HEAD})
    elif before == schema.HEAD:
        options.note(f"the schema is {schema.HEAD} already; nothing to do")
    else:
        options.note(f"the schema was {before} and is {schema.HEAD} now")


async def _migrated(path: pathlib.Path, key_file: pathlib.Path) -> str:
    store = database.Store(path)
    try:
        await store.open()
        before = await store.read(schema.revision)
        if before is None:
            raise schema.SchemaError(f"{path} is no database of antirelou; look at store.url")
        await schema.prepare(store, key_file)
        return before
    finally:
        await store.close()
