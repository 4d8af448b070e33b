"""Readers of a SQLite file: a few threads, each with a connection that cannot write.

On Python's own driver: SQLAlchemy's asynchronous adaptor goes from thread to thread and back for
each step of each statement, and loads SQLAlchemy's whole ORM with it (a twelfth of the start). Here
a work is one hop, and a look-up that is `short` none at all.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import pathlib
import sqlite3
from collections.abc import Callable
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc, pool

T = TypeVar("T")
Work = Callable[[sa.Connection], T]

_THREADS: Final = 4
_BUSY: Final = (exc.OperationalError, sqlite3.OperationalError)


class Readers:
    """Of one file. Raises what the driver and SQLAlchemy raise."""

    def __init__(self, path: pathlib.Path, patience_ms: int) -> None:
        """Nothing is opened yet. `patience_ms`: for whoever holds the whole file."""
        self._path = path
        self._patience_ms = patience_ms
        self._threads = concurrent.futures.ThreadPoolExecutor(_THREADS, "store-reader")
        self._many = self._engine(_THREADS, patience_ms)
        # Of the loop's thread, which waits for nobody.
        self._own = self._engine(1, 0)
        self._glance: sa.Connection | None = None

    def _engine(self, size: int, patience_ms: int) -> sa.Engine:
        def creator() -> sqlite3.Connection:
            made = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            made.execute(f"PRAGMA busy_timeout={patience_ms}")
            made.execute("PRAGMA query_only=ON")
            return made

        return sa.create_engine(
            "sqlite://",
            creator=creator,
            poolclass=pool.QueuePool,
            pool_size=size,
            max_overflow=0,
            hide_parameters=True,
        )

    async def run(self, work: Work[T], *, short: bool) -> T:
        """Each statement sees what was committed when it began."""
        if short:
            try:
                return self._at_once(work)
            except _BUSY:
                # Whatever it was, a thread waits it out or says it.
                pass
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._apart, work)

    def _apart(self, work: Work[T]) -> T:
        with self._many.connect() as connection:
            return work(connection)

    def _at_once(self, work: Work[T]) -> T:
        if self._glance is None:
            self._glance = self._own.connect()
        try:
            return work(self._glance)
        finally:
            # What SQLAlchemy ran itself began a transaction in its books.
            self._glance.rollback()

    async def close(self) -> None:
        """When what is read has been read."""
        await asyncio.to_thread(self._threads.shutdown)
        if self._glance is not None:
            self._glance.close()
        self._own.dispose()
        self._many.dispose()
