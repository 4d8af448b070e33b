"""`antirelou migrate`: the schema of an existing database, or all of it to another one."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from typing import NoReturn

from rich import progress

from bot import config
from bot.cli import opening, options
from bot.contract import money
from bot.store import choosing, database, moving, schema


def migrate(told: options.Told) -> None:
    """Say before and after. Never makes a database: that is for `run`."""
    found = opening.load(told)
    store = opening.existing(found)
    with opening.told_plainly():
        before = asyncio.run(_migrated(found, store))
    if told.as_json:
        options.put_json({"before": before, "after": schema.HEAD})
    elif before == schema.HEAD:
        options.note(f"the schema is {schema.HEAD} already; nothing to do")
    else:
        options.note(f"the schema was {before} and is {schema.HEAD} now")


async def _migrated(found: config.Settings, store: database.Store) -> str:
    try:
        await store.open()
        before = await store.read(schema.revision)
        if before is None:
            name = opening.named(found)
            raise schema.SchemaError(f"{name} is no database of antirelou; look at store.url")
        await schema.prepare(store, found.store.key_file)
        return before
    finally:
        await store.close()


def move(told: options.Told, source: str, target: str | None) -> None:
    """From a SQLite file to PostgreSQL; `target` None: to what the settings name."""
    path, url = choosing.file(source), target or opening.load(told).store.url
    if path is None:
        _wrong("--from: only a SQLite file can be moved; write sqlite:FILE")
    if not path.is_file():
        options.fail([f"--from: no database at {path}"], options.AWAY)
    if not url.startswith(("postgresql:", "postgresql+asyncpg:")):
        _wrong("--to: write postgresql://USER@HOST/DATABASE, or set store.url to it")
    with opening.told_plainly():
        try:
            proof = asyncio.run(_moved(path, choosing.store(url), quiet=told.as_json))
        except moving.MoveError as error:
            options.fail([str(error)])
    if told.as_json:
        options.put_json(dataclasses.asdict(proof))
        return
    for name, rows in proof.rows.items():
        if rows:
            options.note(f"{name}: {rows} rows, the same on both sides")
    for account, micros in sorted(proof.postings.items()):
        options.note(f"money of {account}: {micros / money.MICROS:.6f}, the same on both sides")
    options.note(
        f"caps: {len(proof.caps)} sums, each the same on both sides\n"
        f"moved; {path} takes nothing any more. Set store.url to the new database, keep the key "
        "file as it is, and start antirelou run"
    )


async def _moved(path: pathlib.Path, store: database.Store, *, quiet: bool) -> moving.Proof:
    try:
        await store.open()
        with progress.Progress(disable=quiet, transient=True) as shown:
            task = shown.add_task("moving", total=None)

            def tell(table: str, rows: int) -> None:
                shown.update(task, description=f"{table}: {rows}")

            return await moving.move(path, store, tell)
    finally:
        await store.close()


def _wrong(line: str) -> NoReturn:
    options.fail([line], options.FAULTY)
