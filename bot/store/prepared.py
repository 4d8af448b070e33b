"""Core statements compiled once and run on the driver's own cursor: for the hottest paths.

SQLAlchemy stays the only source of the SQL. What is saved is its work around each execution (some
60 to 100 microseconds: cache keys, contexts, result objects), which on SQLite in the same process
is ten times the statement itself. On PostgreSQL the same statements take arrays (`setwise`), one
trip for all rows; behind another adaptor they go SQLAlchemy's own way. Nothing here needs a second
spelling. Must only be used inside a store's transaction: `Store.write` and `Store.read` turn the
driver's errors into their own.
"""

from __future__ import annotations

import operator
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from bot.store import setwise

Row = tuple[Any, ...]

# The writer's transactions all run on one connection, so nearly every question is the last one.
_last: tuple[Callable[[], sa.Connection | None], sqlite3.Connection | None] = (lambda: None, None)
# By place: the driver looks a named parameter up in every row, which costs as much as to bind it.
_DIALECT: Final = sqlite.dialect(paramstyle="qmark")


class Prepared:
    """A SELECT, UPDATE or upsert whose parameters are all named by `bindparam`."""

    def __init__(self, statement: sa.Executable, keys: Mapping[str, str] | None = None) -> None:
        """Nothing is compiled before the first use: importing stays quick.

        `keys`: every parameter -> what it is called in the rows, where that is not the same.
        """
        self.statement = statement
        self._keys = keys or {}
        self._text: str | None = None
        self._fixed: dict[str, Any] = {}
        self._places: _Places = _none
        self._booleans: tuple[int, ...] = ()
        self._select: setwise.Select | None = None
        self._change: setwise.Change | None = None

    def _compile(self) -> str:
        compiled: Any = self.statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]  # every Core statement has it
        self._fixed = {k: v for k, v in compiled.params.items() if v is not None}
        self._places = _places([self._keys.get(name, name) for name in compiled.positiontup or ()])
        self._booleans = _booleans(self.statement)
        text: str = compiled.string
        self._text = text
        return text

    def rows(self, tx: sa.Connection, params: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of a SELECT, in the order of its columns."""
        driver = _driver(tx)
        if driver is None:
            if (sets := _setwise(tx)) is None:
                return [tuple(row) for row in tx.execute(self.statement, params)]
            if self._select is None:
                self._select = sets.Select(self.statement)
            return self._select.rows(tx, params)
        text = self._text or self._compile()
        given = {**self._fixed, **params} if params else self._fixed
        found = driver.execute(text, self._places(given)).fetchall()
        return _as_booleans(found, self._booleans) if self._booleans else found

    def many(self, tx: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run once for each row; how many rows of the table changed."""
        driver = _driver(tx)
        if driver is None:
            if (sets := _setwise(tx)) is None:
                named = [{n: row[k] for n, k in self._keys.items()} for row in rows]
                return tx.execute(self.statement, named if self._keys else rows).rowcount
            if self._change is None:
                self._change = sets.Change(self.statement, self._keys)
            return self._change.many(tx, rows)
        text = self._text or self._compile()
        if self._fixed:
            rows = [{**self._fixed, **row} for row in rows]
        return driver.executemany(text, map(self._places, rows)).rowcount


class Listed:
    """A SELECT with one `IN (bindparam(name, expanding=True))` and no other parameter."""

    def __init__(self, statement: sa.Select[Any], name: str) -> None:
        """`name`: the parameter that takes the list."""
        self.statement = statement
        self._name = name
        self._texts: dict[int, str] = {}
        self._booleans: tuple[int, ...] = ()
        self._select: setwise.Select | None = None

    def rows(self, tx: sa.Connection, values: Iterable[Any]) -> list[Row]:
        """All rows for these values; none for none."""
        listed = list(values)
        if not listed:
            return []
        driver = _driver(tx)
        if driver is None:
            if (sets := _setwise(tx)) is None:
                return [tuple(row) for row in tx.execute(self.statement, {self._name: listed})]
            if self._select is None:
                self._select = sets.Select(self.statement, self._name)
            return self._select.rows(tx, None, listed)
        # Filled up to a power of two with what is there already, so that a dozen texts do.
        size = 1 << (len(listed) - 1).bit_length()
        text = self._texts.get(size) or self._compile(size)
        listed += listed[-1:] * (size - len(listed))
        found = driver.execute(text, listed).fetchall()
        return _as_booleans(found, self._booleans) if self._booleans else found

    def _compile(self, size: int) -> str:
        compiled = self.statement.compile(dialect=_DIALECT)
        # Any value does: only the number of places counts.
        expanded = compiled.construct_expanded_state({self._name: [0] * size})
        self._booleans = _booleans(self.statement)
        self._texts[size] = expanded.statement
        return expanded.statement


class Insert:
    """INSERT into a table, for rows whose keys are the columns; all rows of a call alike."""

    def __init__(self, table: sa.Table) -> None:
        """Compiled once for each set of columns that comes."""
        self.statement = sa.insert(table)
        self._table = table
        self._texts: dict[tuple[str, ...], tuple[str, _Places]] = {}
        self._inserts: dict[tuple[str, ...], setwise.Insert] = {}

    def many(self, tx: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows; nothing for none."""
        if not rows:
            return
        driver = _driver(tx)
        columns = tuple(rows[0])
        if driver is None:
            if (sets := _setwise(tx)) is None:
                tx.execute(self.statement, rows)
                return
            insert = self._inserts.get(columns)
            if insert is None:
                insert = self._inserts[columns] = sets.Insert(self._table, columns)
            insert.many(tx, rows)
            return
        known = self._texts.get(columns)
        if known is None:
            compiled: Any = self.statement.compile(dialect=_DIALECT, column_keys=columns)
            known = self._texts[columns] = (compiled.string, _places(compiled.positiontup))
        text, places = known
        driver.executemany(text, map(places, rows))


_Places = Callable[[Mapping[str, Any]], tuple[Any, ...]]


def _none(_row: Mapping[str, Any]) -> tuple[Any, ...]:
    return ()


def _places(names: Sequence[str]) -> _Places:
    """A row's values in the order of the statement's places."""
    if not names:
        return _none
    taken: Any = operator.itemgetter(*names)
    if len(names) > 1:
        several: _Places = taken
        return several
    return lambda row: (taken(row),)


def _driver(tx: sa.Connection) -> sqlite3.Connection | None:
    """SQLite's own connection, None on another database or behind an async adaptor."""
    global _last  # noqa: PLW0603 (one place for the answer asked for last; set at one stroke)
    known, driver = _last
    if known() is tx:
        return driver
    found = tx.connection.driver_connection
    driver = found if isinstance(found, sqlite3.Connection) else None
    _last = weakref.ref(tx), driver
    return driver


def _setwise(tx: sa.Connection) -> Any:  # noqa: ANN401 (a module: its classes are named above)
    """The module for PostgreSQL; None on another database. SQLite alone does not load it."""
    if tx.dialect.name != "postgresql":
        return None
    from bot.store import setwise  # noqa: PLC0415 (see above)

    return setwise


def _booleans(statement: sa.Executable) -> tuple[int, ...]:
    """Columns that SQLite gives as 0 and 1."""
    if not isinstance(statement, sa.Select):
        return ()
    columns = statement.selected_columns
    return tuple(i for i, c in enumerate(columns) if isinstance(c.type, sa.Boolean))


def _as_booleans(rows: Iterable[Row], places: tuple[int, ...]) -> list[Row]:
    out = []
    for row in rows:
        values = list(row)
        for i in places:
            if values[i] is not None:
                values[i] = bool(values[i])
        out.append(tuple(values))
    return out
