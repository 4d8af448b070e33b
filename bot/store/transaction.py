"""The steps of one transaction on SQLite's writer: begin, work, commit.

On the driver itself: SQLAlchemy's way costs ten times that. SQLAlchemy knows of a transaction only
from the first statement that it runs itself. Each step runs in whichever thread its caller chose
(`database.Store.write`); no two at once.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
Work = Callable[[sa.Connection], T]

BUSY_MS: Final = 2_000
_AGAIN_S: Final = 0.001
_PRIMARY: Final = 0xFF
"""Of SQLite's result codes: what is above tells the kinds of one apart."""


class StillBusyError(sqlite3.OperationalError):
    """Another process wrote all the time that we may wait."""


def _driver(writer: sa.Connection) -> sqlite3.Connection:
    found: Any = writer.connection.driver_connection
    driver: sqlite3.Connection = found
    return driver


def begin(writer: sa.Connection, patience_ms: int) -> None:
    """Wait for another process that writes (a command), but not for ever.

    By asking every millisecond: SQLite's own waiting sleeps up to a tenth of a second between two
    tries, and a program that writes one batch after the other is never idle just then.
    """
    end_s = time.monotonic() + patience_ms / 1000
    while not begun_at_once(writer):
        if time.monotonic() >= end_s:
            raise StillBusyError("database is locked")
        time.sleep(_AGAIN_S)


def begun_at_once(writer: sa.Connection) -> bool:
    """Whether nobody else was writing: the loop's thread waits for nobody.

    The connection's own patience is none (`impatient`), or the loop would wait here.
    """
    try:
        _driver(writer).execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def impatient(driver: sqlite3.Connection) -> None:
    """Once for each connection: changing its patience at each BEGIN costs more than BEGIN does.

    With a write-ahead log only BEGIN meets other programs. Without one (a file system that cannot
    share memory) a commit waits for readers, so there the patience stays.
    """
    ((mode,),) = driver.execute("PRAGMA journal_mode").fetchall()
    if mode == "wal":
        driver.execute("PRAGMA busy_timeout=0")


def worked(writer: sa.Connection, work: Work[T]) -> T:
    """What `work` gives; whatever it raises, nothing of it stays."""
    done = False
    try:
        result = work(writer)
        done = True
    finally:
        if not done:
            _undo(writer)
    return result


def commit(writer: sa.Connection) -> None:
    done = False
    try:
        (writer if writer.in_transaction() else _driver(writer)).commit()
        done = True
    finally:
        if not done:
            _undo(writer)


def _undo(writer: sa.Connection) -> None:
    # Not asked whether it is in one: after a commit that failed (a full disk) it says no, and yet
    # refuses every statement until this was called.
    writer.rollback()
    # After a failed commit, or where SQLAlchemy never knew.
    if (driver := _driver(writer)).in_transaction:
        driver.rollback()
