"""The program's database read from beside it, whichever it is: a SQLite file or PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.peers import postgres

Row = Mapping[str, Any]


class Books(Protocol):
    """What the checks need of a database."""

    def there(self) -> bool:
        """Whether the program has made its tables yet."""

    def rows(self, query: str) -> Sequence[Row]:
        """The rows of a query, binary values as bytes."""

    def change(self, statement: str) -> int:
        """Run an UPDATE; how many rows it changed."""

    def quiet(self) -> bool:
        """Whether nobody works on it any more: what a killed process began has ended."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A SQLite database from beside the program."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


class File:
    """A SQLite file. What a killed process had begun is over with it."""

    def __init__(self, path: Path) -> None:
        """It may not be there yet."""
        self._path = path

    def there(self) -> bool:
        """As Books."""
        found = self.rows("SELECT 1 FROM sqlite_master WHERE name = 'replies'")
        return bool(found)

    def rows(self, query: str) -> Sequence[Row]:
        """As Books."""
        with opened(self._path) as connection:
            return [dict(row) for row in connection.execute(query)]

    def change(self, statement: str) -> int:
        """As Books."""
        with opened(self._path) as connection, connection:
            changed: int = connection.execute(statement).rowcount
            return changed

    def quiet(self) -> bool:
        """As Books."""
        return True


class Server:
    """A database of a PostgreSQL cluster, asked through its own psql."""

    def __init__(self, cluster: postgres.Cluster, name: str) -> None:
        """The database has to be there."""
        self.cluster = cluster
        self._name = name

    @property
    def url(self) -> str:
        """For the program."""
        return self.cluster.url(self._name)

    def there(self) -> bool:
        """As Books."""
        return self.cluster.sql("SELECT to_regclass('replies') IS NOT NULL", self._name) == "t"

    def rows(self, query: str) -> Sequence[Row]:
        """As Books."""
        told = self.cluster.sql(
            f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) found",  # noqa: S608 (our own)
            self._name,
        )
        return [{k: _plain(v) for k, v in row.items()} for row in json.loads(told)]

    def change(self, statement: str) -> int:
        """As Books."""
        told = self.cluster.sql(
            f"WITH changed AS ({statement} RETURNING 1) SELECT count(*) FROM changed",  # noqa: S608 (our own)
            self._name,
        )
        return int(told)

    def quiet(self) -> bool:
        """As Books: a server goes on for a moment with what a killed client had sent."""
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return self.cluster.sql(others, self._name) == "0"


def _plain(value: object) -> object:
    """PostgreSQL writes bytes as hexadecimal text."""
    if isinstance(value, str) and value.startswith("\\x"):
        return bytes.fromhex(value[2:])
    return value
