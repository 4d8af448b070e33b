"""The hot statements as PostgreSQL takes them fastest: one statement for all rows of a call.

SQLAlchemy stays the only source of the SQL. What it compiles for one row is turned to take arrays
(`unnest`): asyncpg's executemany tells no number of rows, and the conditional updates live by
that number. Run on asyncpg's own connection, whose prepared statements are kept. Must only be
used inside a transaction of `bot.store.postgres`, which turns the driver's errors into ours.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import util
from sqlalchemy.dialects.postgresql import asyncpg as dialects

from bot.store import holds

Row = tuple[Any, ...]

_DIALECT: Final = dialects.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types
_PLACE: Final = re.compile(r"\$(\d+)(?:::([A-Z]+))?")
_SAME: Final[Mapping[str, str]] = types.MappingProxyType({})
_VALUES: Final = re.compile(r" VALUES \(([^()]*)\)")


class Select:
    """A SELECT with named parameters, or one list of any length."""

    def __init__(self, statement: sa.Executable, listed: str | None = None) -> None:
        """Compiled at once. `listed`: the parameter that takes the list."""
        made: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]  # every Core statement has it
        self._names: list[str] = [n for n in made.positiontup or () if n != listed]
        self._fixed = {k: v for k, v in made.params.items() if v is not None}
        self._text: str = made.string
        if listed is not None:
            kind = _kind(made.binds[listed].type)
            array = f"= ANY(${len(self._names) + 1}::{kind}[])"
            self._text = self._text.replace(f"IN (__[POSTCOMPILE_{listed}])", array)

    def rows(self, tx: sa.Connection, params: Mapping[str, Any] | None, *more: Any) -> list[Row]:  # noqa: ANN401 (a list of any values)
        given = {**self._fixed, **(params or {})}
        values = [given.get(name) for name in self._names]
        found = util.await_only(_raw(tx).fetch(self._text, *values, *more))
        return [tuple(row) for row in found]


class _Columns:
    """The columns of a statement's rows: those that ever differed are sent as arrays.

    A time, a state or a period is the same in all rows of most calls; as an array it would be
    spelled out for each of them, here and there. What differed once is an array from then on, so a
    statement has few texts.
    """

    def __init__(self, names: Sequence[str]) -> None:
        # One array at the least: it tells how many rows there are.
        self._arrays = set(names[:1])
        self._names = names

    def sorted(
        self, given: Mapping[str, list[Any]]
    ) -> tuple[tuple[str, ...], list[list[Any]], list[Any]]:
        """The names of the arrays, the arrays, and one value of each other column, in order."""
        for name, column in given.items():
            if name not in self._arrays and column.count(column[0]) != len(column):
                self._arrays.add(name)
        arrays = tuple(name for name in self._names if name in self._arrays)
        alike = [given[name][0] for name in self._names if name not in self._arrays]
        return arrays, [given[name] for name in arrays], alike


class Change:
    """An UPDATE, DELETE or upsert, for one row or for many at once."""

    def __init__(self, statement: sa.Executable, keys: Mapping[str, str] = _SAME) -> None:
        """Compiled at once. `keys`: parameter -> its name in the rows, where they differ."""
        made: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]  # every Core statement has it
        self._names: list[str] = list(made.positiontup or ())
        self._fixed = {k: v for k, v in made.params.items() if v is not None}
        self._one: str = made.string
        self._keys = {name: keys.get(name, name) for name in self._names}
        self._given = [name for name in self._names if name not in self._fixed]
        self._others = [self._fixed[name] for name in self._names if name in self._fixed]
        self._columns = _Columns(self._given)
        self._texts: dict[tuple[str, ...], str] = {}
        self._is_setwise = self.setwise(self._given) is not None

    def setwise(self, arrays: Sequence[str]) -> str | None:
        """The statement that takes arrays for these parameters; None where there is none.

        Each given row meets one row of the table. PostgreSQL would not say which of two given
        rows won, so none may be given twice.
        """
        alike = [name for name in self._given if name not in arrays]
        order = [*arrays, *alike, *(name for name in self._names if name in self._fixed)]
        kinds: dict[str, str] = {}

        def place(found: re.Match[str]) -> str:
            name = self._names[int(found[1]) - 1]
            cast = f"::{found[2]}" if found[2] else ""
            if name not in self._fixed:
                kinds[name] = found[2] or ""
            if name in arrays:
                return f"given.p{arrays.index(name)}"
            return f"${order.index(name) + 1}{cast}"

        text = _PLACE.sub(place, self._one)
        if not all(kinds.values()):
            return None
        columns = ", ".join(f"p{i}" for i in range(len(arrays)))
        places = ", ".join(f"${i}::{kinds[name]}[]" for i, name in enumerate(arrays, 1))
        source = f"unnest({places}) AS given({columns})"
        if text.startswith("UPDATE ") and " WHERE " in text:
            head, _, tail = text.partition(" WHERE ")
            return f"{head} FROM {source} WHERE {tail}"
        inserted = _VALUES.search(text) if text.startswith("INSERT ") else None
        if inserted is None or "given." in text[inserted.end() :]:
            return None
        select = f" SELECT {inserted[1]} FROM {source}"  # noqa: S608 (names of our own tables)
        return text[: inserted.start()] + select + text[inserted.end() :]

    def many(self, tx: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """How many rows of the table changed."""
        raw = _raw(tx)
        if self._is_setwise and len(rows) > 1:
            given = {name: [row[self._keys[name]] for row in rows] for name in self._given}
            names, arrays, alike = self._columns.sorted(given)
            text = self._texts.get(names)
            if text is None:
                text = self._texts[names] = self.setwise(names) or self._one
            return _count(util.await_only(raw.execute(text, *arrays, *alike, *self._others)))
        changed = 0
        for row in rows:
            given = {**self._fixed, **row}
            values = [given[self._keys[name]] for name in self._names]
            changed += _count(util.await_only(raw.execute(self._one, *values)))
        return changed


class Insert:
    """INSERT of rows that all have these columns."""

    def __init__(self, table: sa.Table, columns: Sequence[str]) -> None:
        """Nothing is sent yet."""
        quote = _DIALECT.identifier_preparer.quote
        self._names = tuple(columns)
        self._kinds = {name: table.c[name].type.compile(dialect=_DIALECT) for name in columns}
        self._into = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, columns))})"
        self._columns = _Columns(self._names)
        self._texts: dict[tuple[str, ...], str] = {}

    def _text(self, arrays: Sequence[str]) -> str:
        alike = [name for name in self._names if name not in arrays]
        places = ", ".join(f"${i}::{self._kinds[name]}[]" for i, name in enumerate(arrays, 1))
        columns = ", ".join(f"p{i}" for i in range(len(arrays)))
        values = ", ".join(
            f"given.p{arrays.index(name)}"
            if name in arrays
            else f"${len(arrays) + alike.index(name) + 1}::{self._kinds[name]}"
            for name in self._names
        )
        return f"{self._into} SELECT {values} FROM unnest({places}) AS given({columns})"  # noqa: S608 (our own table's names)

    def many(self, tx: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        given = {name: [row[name] for row in rows] for name in self._names}
        names, arrays, alike = self._columns.sorted(given)
        text = self._texts.get(names)
        if text is None:
            text = self._texts[names] = self._text(names)
        util.await_only(_raw(tx).execute(text, *arrays, *alike))


def _raw(tx: sa.Connection) -> holds.Driver:
    found: Any = tx.connection.driver_connection
    raw: holds.Driver = found
    return raw


def _kind(told: sa.types.TypeEngine[Any]) -> str:
    return told.compile(dialect=_DIALECT)


def _count(status: str) -> int:
    """`UPDATE 5`, `INSERT 0 5` -> 5."""
    return int(status.rpartition(" ")[2])
