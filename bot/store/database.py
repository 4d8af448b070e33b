"""Transactions: a sync function is run in one, on either database.

    await store.write(lambda tx: outbox.claim(tx, ...))

Why functions and not `async with`: a statement through the async adaptors costs several thread
or greenlet hops; a whole transaction as one function costs one (docs/decisions/0002). The
function may be run again after a conflict, so it must not touch anything outside its `tx`.

SQLite: one writer connection in a thread of its own (WAL, synchronous=FULL, checkpoints off the
hot path), readers through aiosqlite. Must never hold a transaction open across an await.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import pathlib
import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc, pool
from sqlalchemy.ext import asyncio as sa_asyncio

T = TypeVar("T")
Work = Callable[[sa.Connection], T]

TRIES: Final = 4
_BUSY_MS: Final = 2_000
# The work's own fault, not the database's: it would fail the same way for ever.
_FAULTS: Final = (
    exc.ProgrammingError,
    exc.DataError,
    exc.NotSupportedError,
    # The same from the driver itself, which prepared statements (and BEGIN) speak to.
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.NotSupportedError,
    sqlite3.InterfaceError,
)


class StoreAwayError(Exception):
    """The database is away, locked, read-only or full: nothing was stored."""


class AgainstError(StoreAwayError):
    """The work met the same conflict each time: its own rows are at fault, or out of date."""


class ConflictError(Exception):
    """Another transaction was faster; the work is run again."""


def _pragmas(connection: Any, *, durable: bool) -> None:  # noqa: ANN401 (DBAPI connections have no common type)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    if durable:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.execute("PRAGMA journal_size_limit=67108864")
    else:
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.execute("PRAGMA journal_mode=MEMORY")
    cursor.execute("PRAGMA cache_size=-32768")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


class Store:
    """One database. `path` None: in memory, inline, not durable (simulate and fast tests)."""

    def __init__(self, path: pathlib.Path | None) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._writer: sa.Connection | None = None
        self._thread: concurrent.futures.ThreadPoolExecutor | None = None
        self._readers: sa_asyncio.AsyncEngine | None = None

    @property
    def inline(self) -> bool:
        """Whether transactions run in the calling thread, without an await that waits."""
        return self._path is None

    @property
    def shared(self) -> bool:
        """Whether other processes of ours may work on it too."""
        return False

    async def open(self) -> None:
        """Connect. Raises StoreAwayError."""
        if self._path is None:
            self._connect()
            return
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connect)
        engine = sa_asyncio.create_async_engine(
            f"sqlite+aiosqlite:///{self._path}", hide_parameters=True, pool_size=2, max_overflow=2
        )

        @sa.event.listens_for(engine.sync_engine, "connect")
        def _reader(connection: Any, _record: object) -> None:  # noqa: ANN401 (see _pragmas)
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            cursor.execute("PRAGMA query_only=ON")
            cursor.close()

        self._readers = engine

    def _connect(self) -> None:
        durable = self._path is not None
        database = str(self._path) if durable else ":memory:"

        def creator() -> sqlite3.Connection:
            connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
            _pragmas(connection, durable=durable)
            return connection

        engine = sa.create_engine(
            "sqlite://", creator=creator, poolclass=pool.StaticPool, hide_parameters=True
        )

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            driver: Any = connection.connection.driver_connection
            # Within `write` it has begun already.
            if not driver.in_transaction:
                driver.execute("BEGIN IMMEDIATE")

        try:
            self._writer = engine.connect()
        except exc.DBAPIError as error:
            raise StoreAwayError(_plain(error)) from None

    async def write(self, work: Work[T], *, together: bool = False) -> T:
        """Run `work` in a transaction and commit; T is what it returned.

        `together`: on a database that several may write to at once it may run beside others of
        its kind, which it minds; any other work is alone, as all are here. Raises StoreAwayError
        (nothing was stored) and whatever `work` raises (rolled back).
        """
        del together
        if self._thread is None or self._writer is None:
            return self._write(work)
        loop = asyncio.get_running_loop()
        # Shielded: a cancelled caller must not leave a transaction whose end nobody knows.
        return await asyncio.shield(loop.run_in_executor(self._thread, self._write, work))

    def _write(self, work: Work[T]) -> T:
        if self._writer is None:
            raise StoreAwayError("the database is not open")
        for attempt in range(TRIES):
            try:
                return _once(self._writer, work)
            except (exc.IntegrityError, sqlite3.IntegrityError, ConflictError) as error:
                if attempt == TRIES - 1:
                    raise AgainstError(f"conflict: {type(error).__name__}") from None
            except _FAULTS:
                raise
            except (exc.InterfaceError, exc.DatabaseError) as error:
                raise StoreAwayError(_plain(error)) from None
            except sqlite3.DatabaseError as error:
                raise StoreAwayError(f"{type(error).__name__}: {error}") from None
        raise AssertionError("unreachable")

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a reader that never waits for the writer. Raises StoreAwayError."""
        if self._readers is None:
            return self._read(work)
        try:
            async with self._readers.connect() as connection:
                return await connection.run_sync(work)
        except _FAULTS:
            raise
        except (exc.InterfaceError, exc.DatabaseError) as error:
            raise StoreAwayError(_plain(error)) from None

    def _read(self, work: Work[T]) -> T:
        """In memory there is one connection and nobody beside it: nothing to begin or commit."""
        if self._writer is None:
            raise StoreAwayError("the database is not open")
        try:
            return work(self._writer)
        finally:
            # Statements that SQLAlchemy ran itself began a transaction.
            if self._writer.in_transaction():
                self._writer.rollback()

    async def hold(self, name: str) -> bool:
        """Whether `name` (leading the flood, say) is this process's; with one file it always is.

        Ask again at least every holds.ASK_S: another process takes over from one that is gone.
        """
        del name
        return True

    async def checkpoint(self) -> None:
        """Move the write-ahead log into the file, without blocking writers or readers."""
        if self._path is None:
            return
        path = self._path

        def run() -> None:
            connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000)
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            finally:
                connection.close()

        try:
            await asyncio.to_thread(run)
        except sqlite3.Error as error:
            raise StoreAwayError(type(error).__name__) from None

    async def close(self) -> None:
        """Finish what runs and close all connections."""
        if self._readers is not None:
            await self._readers.dispose()
        writer, self._writer = self._writer, None
        if writer is not None:
            if self._thread is None:
                _close(writer)
            else:
                await asyncio.get_running_loop().run_in_executor(self._thread, _close, writer)
        if self._thread is not None:
            self._thread.shutdown()


def _once(writer: sa.Connection, work: Work[T]) -> T:
    """One transaction, begun and ended on the driver itself: SQLAlchemy's way costs ten times that.

    SQLAlchemy knows of it only from the first statement that it runs itself.
    """
    driver: Any = writer.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE")
    done = False
    try:
        result = work(writer)
        (writer if writer.in_transaction() else driver).commit()
        done = True
    finally:
        if not done and writer.in_transaction():
            writer.rollback()
        # After a failed commit, or where SQLAlchemy never knew.
        if not done and driver.in_transaction:
            driver.rollback()
    return result


def _close(writer: sa.Connection) -> None:
    writer.close()
    writer.engine.dispose()


def _plain(error: exc.DBAPIError) -> str:
    """The driver's own words, without statement and parameters (they could hold an address)."""
    return f"{type(error).__name__}: {error.orig}"
