"""Settings and database of the installation that a command acts on, and how faults are told.

Commands act on a running installation through its database: a transaction of their own on the
same file. None of them makes a database; only `run` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import getpass
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import sqlalchemy as sa
from rich import console

from bot import config
from bot.cli import options
from bot.console import render, results
from bot.contract import clock
from bot.policy import settings as policy
from bot.store import choosing, condition, database, schema, vault

T = TypeVar("T")
DEFAULT_FILES: Final = ("config.toml", "config.example.toml")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """What a transaction is told: the settings, the keys, the time, and who acts."""

    settings: config.Settings
    core: policy.Core
    keys: vault.Vault
    now_ms: int
    who: str
    times: render.Times


Work = Callable[[sa.Connection, At], T]


def source(told: options.Told) -> pathlib.Path | None:
    """The file of the settings; None for the defaults."""
    if told.config is not None:
        return told.config
    found = (pathlib.Path(name) for name in DEFAULT_FILES)
    return next((path for path in found if path.exists()), None)


def load(told: options.Told) -> config.Settings:
    """The settings, saying where they are from; ends with every fault and exit code 2."""
    path = source(told)
    try:
        found = config.load(path, overrides=told.overrides)
    except config.ConfigError as error:
        options.fail(map(str, error.faults), options.FAULTY)
    if told.config is None:
        options.note(f"settings: {path.name if path else 'the defaults, no file was found'}")
    return found


def existing(found: config.Settings) -> database.Store:
    """The database, not opened yet; ends where there is none. Only `run` makes one."""
    path = found.store.file
    if path is not None and not path.is_file():
        wrong = f"no database at {path}; start antirelou run first, or name another --config"
        options.fail([wrong], options.AWAY)
    return choosing.store(found.store.url)


def named(found: config.Settings) -> str:
    """The database as it may be shown: a URL may hold a password."""
    return str(found.store.file or "store.url")


@contextlib.contextmanager
def told_plainly(found: config.Settings | None = None) -> Iterator[None]:
    """The errors of the rooms below as plain lines with their exit codes.

    With the settings also what to do about a database that is away, and which it is.
    """
    try:
        yield
    except database.StoreAwayError as error:
        mends = "" if found is None else f"; {condition.mend(named(found), str(error))}"
        options.fail([f"the database is away: {error}{mends}"], options.AWAY)
    except schema.SchemaError as error:
        options.fail([str(error)], options.AWAY)
    except vault.KeyFileError as error:
        options.fail([str(error)], options.FAULTY)


def read(told: options.Told, work: Work[T]) -> tuple[T, At]:
    """Run `work` on a snapshot."""
    return _open(told, work, write=False)


def write(told: options.Told, work: Work[T]) -> tuple[T, At]:
    """Run `work` in a transaction of its own, beside the running program."""
    return _open(told, work, write=True)


def _open(told: options.Told, work: Work[T], *, write: bool) -> tuple[T, At]:
    found = load(told)
    store = existing(found)
    with told_plainly(found):
        return asyncio.run(_run(found, store, work, write=write))


async def _run(
    found: config.Settings, store: database.Store, work: Work[T], *, write: bool
) -> tuple[T, At]:
    try:
        await store.open()
        keys = await _keys(store, found)
        at = At(
            settings=found,
            core=found.core,
            keys=keys,
            now_ms=clock.to_ms(clock.SystemClock().now()),
            who=acting(),
            times=render.Times(found.core.budget.timezone),
        )
        run = store.write if write else store.read
        return await run(lambda tx: work(tx, at)), at
    finally:
        await store.close()


async def _keys(store: database.Store, found: config.Settings) -> vault.Vault:
    """The keys of an up-to-date database; nothing is made and nothing is migrated."""
    revision, path = await store.read(schema.revision), named(found)
    if revision is None:
        raise schema.SchemaError(f"{path} is no database of antirelou; name another --config")
    if revision != schema.HEAD:
        raise schema.SchemaError(
            f"{path} has schema {revision}, this program needs {schema.HEAD}; "
            "run antirelou migrate, or use the program that belongs to the database"
        )
    return await schema.prepare(store, found.store.key_file, found.core.budget.currency)


def acting() -> str:
    """Who acts, for the audit: the account of this machine."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return f"cli:{os.getuid()}"


def show(told: options.Told, value: object, lines: render.Lines) -> None:
    """A result as JSON or as text."""
    if told.as_json:
        options.put_json(results.as_json(value))
        return
    out = console.Console(highlight=False, soft_wrap=False)
    for line in lines:
        out.print(line)


def finish(told: options.Told, done: results.Done) -> None:
    """The end of an act: its sentence, and exit code 1 if it was refused."""
    if told.as_json:
        options.put_json(results.as_json(done))
    elif done.ok:
        show(told, done, render.done(done))
    if not done.ok:
        options.fail(_refusals(done) if not told.as_json else ())


def _refusals(done: results.Done) -> Sequence[str]:
    if not done.refused:
        return [done.said.en]
    return [f"not {one.reply}: {one.why.en}" for one in done.refused]
