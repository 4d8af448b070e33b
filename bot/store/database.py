"""Transactions: a sync function is run in one, on either database.

    await store.write(lambda tx: outbox.claim(tx, ...))

Why functions and not `async with`: a statement through the async adaptors costs several thread
or greenlet hops; a whole transaction as one function costs one (docs/decisions/0002). The
function may be run again after a conflict, so it must not touch anything outside its `tx`.

SQLite: one writer connection (WAL, synchronous=FULL, checkpoints off the hot path), one
transaction at a time; long work and all commits run in a thread of its own. Readers have threads
of their own too. Must never hold a transaction open across an await but that for its own commit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import pathlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import aiosqlite
import sqlalchemy as sa
from sqlalchemy import exc, pool

from bot.store import condition, readers, transaction

T = TypeVar("T")
Work = Callable[[sa.Connection], T]

TRIES: Final = 4
# Writers wait that long, at the most, for the log to be emptied.
_TRUNCATE_S: Final = 0.2
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


_CONFLICTS: Final = (exc.IntegrityError, sqlite3.IntegrityError, ConflictError)
_TROUBLES: Final = (
    exc.InterfaceError,
    exc.DatabaseError,
    sqlite3.InterfaceError,
    sqlite3.DatabaseError,
)
_JUDGED: Final = (ConflictError, *_TROUBLES)


def _pragmas(connection: Any, *, durable: bool) -> None:  # noqa: ANN401 (DBAPI connections have no common type)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={transaction.BUSY_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What is forgotten is overwritten: not every SQLite is built to do so by itself.
    cursor.execute("PRAGMA secure_delete=ON")
    if durable:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.execute("PRAGMA journal_size_limit=67108864")
    else:
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.execute("PRAGMA journal_mode=MEMORY")
    # Megabytes of pages: what is not here is in the system's own cache, a copy away, and a small
    # server keeps the rest of its memory (decision 0015).
    cursor.execute("PRAGMA cache_size=-8192")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


class Store:
    """One database. `path` None: in memory, inline, not durable (simulate and fast tests)."""

    # Of the writer; another one stands in where its commits are to fail (tests/dst).
    _driver: type[sqlite3.Connection] = sqlite3.Connection

    def __init__(
        self, path: pathlib.Path | None, *, patience_ms: int = transaction.BUSY_MS
    ) -> None:
        """Nothing is opened yet. `patience_ms`: for another program that writes."""
        self._path = path
        self._patience_ms = patience_ms
        self.condition = condition.Condition("store.url" if path is None else str(path))
        self._writer: sa.Connection | None = None
        self._thread: concurrent.futures.ThreadPoolExecutor | None = None
        self._readers: readers.Readers | None = None
        # One transaction at a time, first come first served.
        self._turn = asyncio.Lock()

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
        self._turn = asyncio.Lock()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connect)
        self._readers = readers.Readers(self._path, self._patience_ms)

    def _connect(self) -> None:
        durable = self._path is not None
        database = str(self._path) if durable else ":memory:"

        def creator() -> sqlite3.Connection:
            if durable:
                _private(database)
            connection = sqlite3.connect(
                database, isolation_level=None, check_same_thread=False, factory=self._driver
            )
            _pragmas(connection, durable=durable)
            transaction.impatient(connection)
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

        `together`: short work of the hot paths. On a database that several may write to at once it
        may run beside others of its kind, which it minds; any other work is alone, as all are
        here. Here its statements run in the loop's own thread, and only the commit, which waits
        for the disk, in the writer's: two threads that take turns at the interpreter for each row
        hold each other up (docs/decisions/0010). Raises StoreAwayError (nothing was stored) and
        whatever `work` raises (rolled back).
        """
        if self._thread is None or self._writer is None:
            return self._write(work)
        task = asyncio.create_task(self._in_turn(self._thread, work, short=together))
        # Shielded: a cancelled caller must not leave a transaction whose end nobody knows.
        with self.told():
            return await asyncio.shield(task)

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """A write that is turned away is what health must know of."""
        try:
            yield
        except AgainstError:
            raise
        except StoreAwayError as error:
            self.condition.ill(error)
            raise

    async def _in_turn(
        self, thread: concurrent.futures.ThreadPoolExecutor, work: Work[T], *, short: bool
    ) -> T:
        run = asyncio.get_running_loop().run_in_executor
        async with self._turn:
            # It may have been closed, and its thread ended, while we waited.
            writer = self._open
            if not short:
                return await run(thread, self._write, work)
            for attempt in range(TRIES):
                try:
                    if not transaction.begun_at_once(writer):
                        await run(thread, transaction.begin, writer, self._patience_ms)
                    result = transaction.worked(writer, work)
                    await run(thread, transaction.commit, writer)
                except _JUDGED as error:
                    _judge(error, attempt)
                else:
                    return result
        raise AssertionError("unreachable")

    @property
    def _open(self) -> sa.Connection:
        if self._writer is None:
            raise StoreAwayError("the database is not open")
        return self._writer

    def _write(self, work: Work[T]) -> T:
        for attempt in range(TRIES):
            try:
                transaction.begin(self._open, self._patience_ms)
                result = transaction.worked(self._open, work)
                transaction.commit(self._open)
            except _JUDGED as error:
                _judge(error, attempt)
            else:
                return result
        raise AssertionError("unreachable")

    async def read(self, work: Work[T], *, short: bool = False) -> T:
        """Run `work` on a reader that never waits for the writer. Raises StoreAwayError.

        `short`: a look-up or two that an index or a small table answers; where the database is a
        file they are made at once, in the loop's own thread, and other work in a reader's thread.
        """
        if self._path is None:
            return self._read(work)
        if self._readers is None:
            raise StoreAwayError("the database is not open")
        try:
            return await self._readers.run(work, short=short)
        except _FAULTS:
            raise
        except _TROUBLES as error:
            raise StoreAwayError(_plain(error)) from None

    def _read(self, work: Work[T]) -> T:
        """In memory there is one connection and nobody beside it: nothing to begin or commit."""
        if self._writer is None:
            raise StoreAwayError("the database is not open")
        try:
            return work(self._writer)
        finally:
            # Statements that SQLAlchemy ran itself began a transaction.
            self._writer.rollback()

    async def hold(self, name: str) -> bool:
        """Whether `name` (leading the flood, say) is this process's; with one file it always is.

        Ask again at least every holds.ASK_S: another process takes over from one that is gone.
        """
        del name
        return True

    async def checkpoint(self) -> None:
        """Move the write-ahead log into the file, without blocking writers or readers."""
        await self._emptied("PASSIVE", transaction.BUSY_MS / 1000)

    async def truncate(self) -> bool:
        """Empty the write-ahead log, in which old pages stand until they are written over.

        Whether that could be done: while somebody reads for long (a backup) it waits for the next
        time, so that no writer has to.
        """
        return await self._emptied("TRUNCATE", _TRUNCATE_S)

    async def _emptied(self, how: str, patience_s: float) -> bool:
        if self._path is None:
            return True
        try:
            async with aiosqlite.connect(self._path, timeout=patience_s) as beside:
                told = await beside.execute_fetchall(f"PRAGMA wal_checkpoint({how})")
        except sqlite3.Error as error:
            raise StoreAwayError(type(error).__name__) from None
        return not any(busy for busy, _, _ in told)

    async def close(self) -> None:
        """Finish what runs and close all connections."""
        reading, self._readers = self._readers, None
        if reading is not None:
            await reading.close()
        async with self._turn:
            writer, self._writer = self._writer, None
            if writer is not None and self._thread is not None:
                await asyncio.get_running_loop().run_in_executor(self._thread, _close, writer)
            elif writer is not None:
                _close(writer)
        if self._thread is not None:
            self._thread.shutdown()


def _judge(error: Exception, attempt: int) -> None:
    """Return if the work is to be run again, else raise what its caller is told."""
    if isinstance(error, _CONFLICTS):
        if attempt == TRIES - 1:
            raise AgainstError(f"conflict: {type(error).__name__}") from None
        return
    if isinstance(error, _FAULTS):
        raise error
    raise StoreAwayError(_plain(error)) from None


def _private(path: str) -> None:
    """A new file is for its owner alone; SQLite gives the log beside it the same rights."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        # It is there already, or cannot be made: SQLite says so in its own words.
        return


def _close(writer: sa.Connection) -> None:
    writer.close()
    writer.engine.dispose()


def _plain(error: Exception) -> str:
    """The driver's own words, without statement and parameters (they could hold an address)."""
    said = error.orig if isinstance(error, exc.DBAPIError) else error
    return f"{type(error).__name__}: {said}"
