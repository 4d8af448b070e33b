"""`antirelou check`: what would keep `run` from working, all at once, each with its mend.

Looks only: opens the database read-only, binds the port and lets go, makes nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import os
import pathlib
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy import pool as pooling

from bot import build, config, registry
from bot.cli import bridging, costing, listening, opening, options, owning, pricing
from bot.console import pool, render, results
from bot.contract import bridge, segments
from bot.store import choosing, database, schema, vault

# The program knows no law, tariff or telephone older than itself.
_OLDEST_YEAR: Final = 2025
_NEWEST_YEAR: Final = 2100


@dataclasses.dataclass(slots=True)
class Found:
    """Everything there is to tell."""

    faults: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    good: list[str] = dataclasses.field(default_factory=list)
    costs: list[costing.Cost] = dataclasses.field(default_factory=list)


def check(told: options.Told, *, offline: bool = False) -> None:
    """Print what was found; exit code 2 if anything must be mended."""
    found = look(told, offline=offline)
    if told.as_json:
        options.put_json({"ok": not found.faults, **_plain(found)})
    else:
        _print(found)
    if found.faults:
        if not told.as_json:
            options.note("")
        lines = () if told.as_json else (f"FAULT: {one}" for one in found.faults)
        options.fail(lines, options.FAULTY)
    if not told.as_json:
        options.note("nothing to mend")


def look(told: options.Told, *, offline: bool = False) -> Found:
    """All faults, of the settings first; the surroundings are looked at only with settings.

    `offline`: providers are not asked.
    """
    found = Found()
    path = opening.source(told)
    try:
        settings = config.load(path, overrides=told.overrides)
    except config.ConfigError as error:
        found.faults += map(str, error.faults)
        return found
    if told.config is None:
        options.note(f"settings: {path.name if path else 'the defaults, no file was found'}")
    found.warnings += settings.warnings
    made: Mapping[str, bridge.Bridge] = {}
    try:
        made = pricing.make(settings)
    except registry.RegistryError as error:
        found.faults += [f"{key}: {text}" for key, text in error.faults]
    found.faults += _handle(settings, made, found)
    found.faults += _clock()
    found.faults += _database(settings, found)
    found.faults += listening.faults(settings.web, found.good)
    found.faults += listening.mistaken(settings)
    found.warnings += costing.unwise(settings, made)
    priced = costing.priced(settings, made)
    found.costs += costing.costs(settings, priced)
    found.faults += costing.rates(settings, priced)
    if not offline:
        _providers(found, made)
    return found


def _handle(
    settings: config.Settings, made: Mapping[str, bridge.Bridge], found: Found
) -> Iterator[str]:
    """Own texts with the free handle's link in them: whether there is one, and what it costs."""
    try:
        ready = build.core_of(settings, made).reply.texts
    except registry.RegistryError as error:
        yield from (f"{key}: {text}" for key, text in error.faults)
        return
    for language, wording in sorted(ready.items()):
        parts = segments.count(wording).parts
        if wording != settings.core.reply.texts[language] and parts > 1:
            found.warnings.append(
                f"reply.texts.{language}: {parts} parts with the handle's link in it; "
                "every reply on a paid network costs so many times as much"
            )


def _providers(found: Found, made: Mapping[str, bridge.Bridge]) -> None:
    """What the bridges find at their providers."""
    lists = {
        bridge.Verdict.GOOD: found.good,
        bridge.Verdict.WARNING: found.warnings,
        bridge.Verdict.FAULT: found.faults,
    }
    for channel, one in bridging.ask(made):
        way = made[channel]
        if isinstance(way, bridge.WantsRelease) and one.sentence == way.release_reason():
            continue  # `costing` has told it, with what follows of it
        lists[one.verdict].append(f"channels.{channel}: {bridging.sentence(one)}")


def _clock() -> Iterator[str]:
    year = dt.datetime.now(dt.UTC).year
    if not _OLDEST_YEAR <= year <= _NEWEST_YEAR:
        yield f"clock: the machine says it is the year {year}; set its clock (timedatectl)"


# ---------------------------------------------------------------- database and keys


def _database(settings: config.Settings, found: Found) -> Iterator[str]:
    path, key_file = settings.store.file, settings.store.key_file
    if path is None:
        yield from _server(settings, found)
        return
    if not path.exists():
        yield from _room_for(path, "store.url")
        if key_file.exists():
            yield from _key_faults(key_file)
        else:
            yield from _room_for(key_file, "store.key_file")
        return
    folder = path.absolute().parent
    for place in (path, folder):
        if not os.access(place, os.W_OK):
            yield f"store.url: {place} cannot be written; mend its owner or mode"
    yield from _inside(path, settings, found)


def _room_for(path: pathlib.Path, key: str) -> Iterator[str]:
    """Whether a file could be made there."""
    folder = path.absolute().parent
    if not folder.is_dir():
        yield f"{key}: there is no folder {folder}; make it"
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield f"{key}: nothing can be written in {folder}; mend its owner or mode"


def _key_faults(key_file: pathlib.Path) -> Iterator[str]:
    try:
        vault.load(key_file)
    except vault.KeyFileError as error:
        yield f"store.key_file: {error}"


def _inside(path: pathlib.Path, settings: config.Settings, found: Found) -> Iterator[str]:
    """What is wrong inside an existing database, by a reader that can change nothing."""
    # Without a log nobody has it open, and even a reader would make one if it were not told so.
    alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"

    def creator() -> sqlite3.Connection:
        where = f"{path.absolute().as_uri()}?mode=ro{alone}"
        return sqlite3.connect(where, uri=True, timeout=2)

    engine = sa.create_engine("sqlite://", creator=creator, poolclass=pooling.NullPool)
    try:
        with engine.connect() as tx:
            known = _known(tx, settings.core.budget.currency)
    except exc.DBAPIError as error:
        yield f"store.url: {path} cannot be read ({error.orig}); is it a database of antirelou?"
        return
    if known is None:
        yield f"store.url: {path} is no database of antirelou; name another file"
        return
    found.warnings += owning.warnings(known.own, settings)
    yield from _unfit(known, settings.store.key_file)


def _server(settings: config.Settings, found: Found) -> Iterator[str]:
    """The same for one that is no file; an empty one is as good as none, `run` fills it."""
    key_file = settings.store.key_file

    async def look() -> _Known | None:
        store = choosing.store(settings.store.url)
        try:
            await store.open()
            return await store.read(lambda tx: _known(tx, settings.core.budget.currency))
        finally:
            await store.close()

    try:
        known = asyncio.run(look())
    except database.StoreAwayError as error:
        yield f"store.url: {error}".replace("store.url: store.url:", "store.url:")
        return
    if known is not None:
        found.warnings += owning.warnings(known.own, settings)
        yield from _unfit(known, key_file)
    elif key_file.exists():
        yield from _key_faults(key_file)
    else:
        yield from _room_for(key_file, "store.key_file")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a database says of itself. `wrong`: its currency is another one."""

    revision: str
    keys: Mapping[str, str]
    wrong: str | None
    moved: bool
    own: tuple[pool.Own, ...]


def _known(tx: sa.Connection, currency: str) -> _Known | None:
    revision = schema.revision(tx)
    if revision is None:
        return None
    return _Known(
        revision=revision,
        keys=schema.expected(tx),
        wrong=schema.misfit(tx, currency),
        moved=schema.moved(tx),
        own=pool.listed(tx) if revision == schema.HEAD else (),
    )


def _unfit(known: _Known, key_file: pathlib.Path) -> Iterator[str]:
    """Whether program, settings and key file belong to it."""
    if known.moved:
        yield "store.url: this database was moved to PostgreSQL; name that one"
    if known.revision != schema.HEAD:
        yield (
            f"store.url: schema {known.revision}, this program needs {schema.HEAD}; "
            "run antirelou migrate, or use the program that belongs to the database"
        )
    if known.wrong is not None:
        yield f"budget.currency: {known.wrong}"
    try:
        held = vault.load(key_file).fingerprints()
    except vault.KeyFileError as error:
        yield f"store.key_file: {error}"
        return
    if any(held.get(name) != value for name, value in known.keys.items()):
        yield (
            "store.key_file: it does not belong to this database; "
            "put back the key file that was backed up with it"
        )


# ---------------------------------------------------------------- told


def _plain(found: Found) -> dict[str, object]:
    return {
        "faults": found.faults,
        "warnings": found.warnings,
        "good": found.good,
        "costs": [results.as_json(cost) for cost in found.costs],
    }


def _print(found: Found) -> None:
    if found.costs:
        rows: dict[tuple[str, int, str, bool], list[str]] = {}
        for cost in found.costs:
            key = (cost.channel, cost.parts, cost.price or "not reached", cost.sent)
            rows.setdefault(key, []).append(cost.country)
        table = render.grid(
            "What one reply costs",
            ("channel", "parts", "price", "countries"),
            [
                (channel, parts or "-", price if sent else f"{price} (never sent)", " ".join(names))
                for (channel, parts, price, sent), names in rows.items()
            ],
        )
        options.note("")
        opening.show(options.Told(None, ()), None, [table])
    for line in found.good:
        options.note(f"ok: {line}")
    for warning in found.warnings:
        options.note(f"warning: {warning}")
