"""Moving an installation from a SQLite file to PostgreSQL, whole or not at all.

The file is locked from the first row that is read: a program that runs on it meanwhile tells
providers that nothing is stored. What arrived is proved against what was there, table by table and
sum by sum, in the same transaction that brings it; then the file refuses every change for good, so
that no two programs answer the same people.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from bot.store import database, prepared, schema, tables

_CHUNK: Final = 2_000
_LOCK_S: Final = 30.0
_ALL: Final = tuple(tables.metadata.sorted_tables)


class MoveError(Exception):
    """Nothing was moved; the message says why and what to do."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What must be the same on both sides: rows by table, money by account and by scope."""

    rows: Mapping[str, int]
    postings: Mapping[str, int]
    caps: Mapping[str, int]


async def move(
    path: pathlib.Path,
    target: database.Store,
    tell: Callable[[str, int], None] = lambda _table, _rows: None,
) -> Proof:
    """Move the file's data into an empty database. Raises MoveError, StoreAwayError, SchemaError.

    Killed at the very end it may leave all there and the file open; then run again it only closes
    the file. `tell` hears of each table with its rows.
    """
    source = _opened(path)
    try:
        expected = _proof_of_file(source)

        def work(tx: sa.Connection) -> None:
            schema.upgrade(tx)
            found = _proof(tx)
            if any(found.rows.values()):
                if found != expected:
                    raise MoveError("the database to move to holds data already; name an empty one")
                return
            for table in _ALL:
                _copy(source, tx, table)
                tell(table.name, expected.rows[table.name])
            if _proof(tx) != expected:
                raise MoveError("what arrived is not what was there; nothing was moved")

        await target.write(work)
        _close_for_good(source)
    finally:
        source.close()
    return expected


def _opened(path: pathlib.Path) -> sqlite3.Connection:
    """The file, locked against everybody else's changes."""
    where = f"{path.absolute().as_uri()}?mode=rw"
    try:
        source = sqlite3.connect(where, uri=True, timeout=_LOCK_S, isolation_level=None)
        source.execute("BEGIN IMMEDIATE")
        found = source.execute("SELECT version_num FROM alembic_version").fetchone()
        moved = source.execute("SELECT 1 FROM meta WHERE key = ?", (schema.MOVED,)).fetchone()
    except sqlite3.Error as error:
        raise MoveError(f"{path} cannot be read as a database of antirelou ({error})") from None
    if found is None or found[0] != schema.HEAD:
        source.close()
        raise MoveError(f"{path} has another schema than this program; run antirelou migrate first")
    if moved is not None:
        source.close()
        raise MoveError(f"{path} was moved before; its data is where store.url was set to then")
    return source


def _copy(source: sqlite3.Connection, tx: sa.Connection, table: sa.Table) -> None:
    insert = prepared.Insert(table)
    for rows in _chunks(source, table):
        insert.many(tx, rows)
    serial = [c for c in table.primary_key.columns if c.autoincrement is True]
    for column in serial:
        last = sa.select(sa.func.max(column)).scalar_subquery()
        name = sa.func.pg_get_serial_sequence(table.name, column.name)
        # An empty table begins at one.
        tx.execute(sa.select(sa.func.setval(name, sa.func.coalesce(last, 1), last.is_not(None))))


def _chunks(source: sqlite3.Connection, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    names = [column.name for column in table.columns]
    flags = [column.name for column in table.columns if isinstance(column.type, sa.Boolean)]
    listed = ", ".join(f'"{name}"' for name in names)
    cursor = source.execute(f'SELECT {listed} FROM "{table.name}"')  # noqa: S608 (our own names)
    while found := cursor.fetchmany(_CHUNK):
        rows = [dict(zip(names, row, strict=True)) for row in found]
        for row in rows:
            row.update({name: None if row[name] is None else bool(row[name]) for name in flags})
        yield rows


_COUNT: Final = {table.name: sa.select(sa.func.count()).select_from(table) for table in _ALL}
_MONEY: Final = sa.select(
    tables.postings.c.account, sa.func.sum(tables.postings.c.amount_micros)
).group_by(tables.postings.c.account)
_CAPS: Final = sa.select(tables.caps.c.scope, tables.caps.c.used)


def _proof(tx: sa.Connection) -> Proof:
    return Proof(
        rows={name: int(tx.execute(query).scalar_one()) for name, query in _COUNT.items()},
        postings={account: int(n) for account, n in tx.execute(_MONEY)},
        caps={scope: int(n) for scope, n in tx.execute(_CAPS)},
    )


def _proof_of_file(source: sqlite3.Connection) -> Proof:
    def asked(query: sa.Select[Any]) -> list[tuple[Any, ...]]:
        return source.execute(str(query)).fetchall()

    return Proof(
        rows={name: asked(query)[0][0] for name, query in _COUNT.items()},
        postings=dict(asked(_MONEY)),
        caps=dict(asked(_CAPS)),
    )


def _close_for_good(source: sqlite3.Connection) -> None:
    """Whoever still has the file open is told that nothing is stored."""
    source.execute("INSERT INTO meta (key, value) VALUES (?, 'postgresql')", (schema.MOVED,))
    for table in _ALL:
        for change in ("INSERT", "UPDATE", "DELETE"):
            source.execute(
                f'CREATE TRIGGER "moved_{table.name}_{change.lower()}" BEFORE {change} '
                f'ON "{table.name}" '
                "BEGIN SELECT RAISE(ABORT, 'this database was moved to PostgreSQL'); END"
            )
    source.execute("COMMIT")
