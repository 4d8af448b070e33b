"""The store on PostgreSQL: the same transactions as on SQLite, from any number of processes.

A work written for SQLite's one writer may count on being alone. So it is here: each transaction
takes one advisory lock, alone by default, and `together` for the few hot ones that mind others by
conditional updates, row locks and unique indexes (intake, claims, results, receipts). Those run
beside each other, READ COMMITTED, and wait only while a moderator or the janitor acts.

The functions run in SQLAlchemy's greenlet over asyncpg; the hot statements skip SQLAlchemy
(`setwise`). Nothing of what the database says of values is passed on: it could be an address.
"""

from __future__ import annotations

import asyncio
import random
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext import asyncio as sa_asyncio

from bot.store import database, holds
from bot.store.database import T, Work

MISSING: Final = (
    "store.url: PostgreSQL needs asyncpg; install antirelou with it: pip install "
    "'antirelou[postgresql]'"
)
# The lock that every transaction takes, and whose it is: "anti" as a number.
_LOCK: Final = 0x616E7469
_TOGETHER: Final = f"BEGIN; SELECT pg_advisory_xact_lock_shared({_LOCK})"
_ALONE: Final = f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK})"
# A process that stops in mid-transaction (SIGSTOP, a lost host) holds its locks no longer.
_IDLE_S: Final = 15
_LOCK_S: Final = 10
_STATEMENT_S: Final = 60
_CONNECT_S: Final = 5
# The server's limits end nothing where the server is not heard any more (a lost host, a frozen
# one, a line that swallows). Twilio waits 15 s.
_PATIENCE_S: Final = 10.0
# Times that: one command of any other transaction; a little more than `_STATEMENT_S`.
_LONGER: Final = 6.5
_WRITERS: Final = 6
_READERS: Final = 4
# Tries of a connection that the server has closed meanwhile.
_STALE: Final = 12
_INTEGRITY: Final = "23"
# Serialization failure, deadlock, and a plan that a migration made old.
_AGAIN: Final = frozenset({"40001", "40P01", "0A000"})
# Its own fault, in the classes of SQLSTATE: data, syntax, what is not supported.
_FAULTY: Final = {"22": exc.DataError, "42": exc.ProgrammingError, "0A": exc.NotSupportedError}


class Store(database.Store):
    """One database by its URL. `limit_s`: how long a connection may take."""

    def __init__(
        self, url: str, *, limit_s: float = _CONNECT_S, patience_s: float = _PATIENCE_S
    ) -> None:
        """Nothing is opened yet. `patience_s`: what a hot transaction may take, all in all."""
        super().__init__(None)
        self._url = plain(url)
        self._limit_s = limit_s
        self._patience_s = patience_s
        self._dialled: weakref.WeakKeyDictionary[holds.Driver, float] = weakref.WeakKeyDictionary()
        self._silent_at = 0.0
        self._writers: sa_asyncio.AsyncEngine | None = None
        self._reading: sa_asyncio.AsyncEngine | None = None
        self._holds = holds.Holds(lambda: self._dial(idle_session_timeout=holds.IDLE_S * 1000))
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def inline(self) -> bool:
        """Never: there is always a server to wait for."""
        return False

    @property
    def shared(self) -> bool:
        """Always: that is what it is for."""
        return True

    async def open(self) -> None:
        """Connect once. Raises StoreAwayError."""
        try:
            import asyncpg  # noqa: F401, PLC0415 (an extra: SQLite alone goes without it)
        except ImportError:
            raise database.StoreAwayError(MISSING) from None
        self._writers = self._engine(_WRITERS, self._dial)
        self._reading = self._engine(
            _READERS, lambda: self._dial(default_transaction_read_only="on")
        )
        try:
            await self.read(lambda tx: tx.execute(sa.select(1)).scalar_one())
        except database.StoreAwayError:
            await self.close()
            raise

    def _engine(
        self, size: int, connect: Callable[[], Awaitable[holds.Driver]]
    ) -> sa_asyncio.AsyncEngine:
        """Without transactions of its own: `_once` begins and ends them in one trip each."""
        return sa_asyncio.create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            pool_size=size,
            max_overflow=0,
            # The one used last: it knows its statements and types already.
            pool_use_lifo=True,
            pool_timeout=_LOCK_S,
            pool_reset_on_return=None,
        )

    async def _dial(self, **settings: object) -> holds.Driver:
        import asyncpg  # noqa: PLC0415 (see open)

        told: dict[str, object] = {
            "application_name": "antirelou",
            "idle_in_transaction_session_timeout": _IDLE_S * 1000,
            "lock_timeout": _LOCK_S * 1000,
            "statement_timeout": _STATEMENT_S * 1000,
            # Each statement is small; compiling it would take longer than running it.
            "jit": "off",
            **settings,
        }
        made: holds.Driver = await asyncpg.connect(
            self._url,
            timeout=self._limit_s,
            command_timeout=self._patience_s * _LONGER,
            server_settings={name: str(value) for name, value in told.items()},
        )
        # Sums and averages of whole numbers, in SQLite's kinds; there are no other numerics.
        await made.set_type_codec(
            "numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text"
        )
        self._dialled[made] = time.monotonic()
        return made

    def _silence(self, driver: holds.Driver) -> None:
        """Nothing came back in time: give it up, and all that were dialled before."""
        self._silent_at = time.monotonic()
        driver.terminate()

    def _is_fresh(self, driver: holds.Driver) -> bool:
        """Whether it was dialled since the server was silent last; else it is given up."""
        if self._dialled.get(driver, 0.0) >= self._silent_at:
            return True
        driver.terminate()
        return False

    async def write(self, work: Work[T], *, together: bool = False) -> T:
        """As database.Store.write. An end that a broken line hid may have been stored all the same.

        What is asked for twice is known by its ids, in intake and everywhere else.
        """
        if self._writers is None:
            raise database.StoreAwayError("the database is not open")
        task = asyncio.create_task(self._write_out(work, _TOGETHER if together else _ALONE))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # Shielded: a cancelled caller must not leave a transaction whose end nobody knows.
        with self.told():
            return await asyncio.shield(task)

    async def _write_out(self, work: Work[T], begin: str) -> T:
        for attempt in range(database.TRIES):
            try:
                return await self._attempt(work, begin)
            except database.ConflictError as error:
                if attempt == database.TRIES - 1:
                    raise database.AgainstError(f"conflict: {error}") from None
            # Two that met once should not meet again.
            await asyncio.sleep(random.random() * 0.01 * 2**attempt)  # noqa: S311 (no secret)
        raise AssertionError("unreachable")

    async def _attempt(self, work: Work[T], begin: str) -> T:
        try:
            connection, driver = await self._begun(begin)
        except _errors() as error:
            raise _told(error) from None
        done = False
        try:
            async with asyncio.timeout(self._patience_s if begin is _TOGETHER else None):
                result = await connection.run_sync(work)
                await driver.execute("COMMIT")
            done = True
        except TimeoutError:
            self._silence(driver)
            raise database.StoreAwayError("no answer in time") from None
        except _errors() as error:
            raise _told(error) from None
        finally:
            await (connection.close() if done else _undo(connection, driver))
        return result

    async def _begun(self, begin: str) -> tuple[sa_asyncio.AsyncConnection, holds.Driver]:
        """A connection in a transaction; those that the server closed meanwhile are let go."""
        if self._writers is None:
            raise database.StoreAwayError("the database is not open")
        for stale in range(_STALE):
            connection = await self._writers.connect()
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            begun = False
            try:
                if not self._is_fresh(driver):
                    continue
                async with asyncio.timeout(self._patience_s + _LOCK_S):
                    await driver.execute(begin)
                begun = True
            except TimeoutError:
                self._silence(driver)
                raise
            except _errors():
                if not driver.is_closed() or stale == _STALE - 1:
                    raise
                continue
            finally:
                if not begun:
                    await _undo(connection, driver)
            return connection, driver
        raise AssertionError("unreachable")

    async def read(self, work: Work[T], *, short: bool = False) -> T:
        """As database.Store.read; each statement sees what was committed when it began."""
        del short
        if self._reading is None:
            raise database.StoreAwayError("the database is not open")
        for stale in range(_STALE):
            try:
                connection = await self._reading.connect()
            except _errors() as error:
                raise _told(error) from None
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            try:
                if not self._is_fresh(driver):
                    continue
                return await connection.run_sync(work)
            except TimeoutError:
                self._silence(driver)
                raise database.StoreAwayError("no answer in time") from None
            except _errors() as error:
                if driver.is_closed() and stale < _STALE - 1:
                    continue
                raise _away(_told(error)) from None
            finally:
                if driver.is_closed():
                    await connection.invalidate()
                await connection.close()
        raise AssertionError("unreachable")

    async def hold(self, name: str) -> bool:
        """As database.Store.hold: an advisory lock of the session, which ends with it."""
        return await self._holds.hold(name)

    async def checkpoint(self) -> None:
        """The server's own affair."""

    async def truncate(self) -> bool:
        """The same."""
        return True

    async def close(self) -> None:
        """Finish what runs and close all connections."""
        if self._running:
            await asyncio.wait(self._running)
        await self._holds.close()
        engines = (self._writers, self._reading)
        self._writers = self._reading = None
        for engine in engines:
            if engine is not None:
                await engine.dispose()


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def plain(url: str) -> str:
    """The URL as PostgreSQL's own library spells it."""
    return url.replace("postgresql+asyncpg:", "postgresql:", 1)


async def _undo(connection: sa_asyncio.AsyncConnection, driver: holds.Driver) -> None:
    """Roll back and give the connection back, or let it go where that fails."""
    try:
        if not driver.is_closed():
            await driver.execute("ROLLBACK")
            await connection.close()
            return
    except _errors():
        pass
    await connection.invalidate()
    await connection.close()


def _errors() -> tuple[type[Exception], ...]:
    """What the driver, SQLAlchemy and the line may raise."""
    return (*holds.driver_errors(), exc.SQLAlchemyError)


def _told(error: Exception) -> Exception:
    """The same in our words: to be run again, the database's trouble, or the work's own fault."""
    cause: BaseException | None = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(error, exc.DBAPIError) and cause is not None and cause.__cause__ is not None:
        # SQLAlchemy's adaptor wraps what asyncpg raised.
        cause = cause.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    name = type(cause).__name__
    if state.startswith(_INTEGRITY):
        return database.ConflictError("IntegrityError")
    if state in _AGAIN:
        return database.ConflictError(name)
    faulty = _FAULTY.get(state[:2])
    if faulty is None and _is_wrong(error, cause):
        faulty = exc.ProgrammingError
    if faulty is not None:
        # Without statement, parameters, and the server's words: they name values.
        return faulty("a statement", None, RuntimeError(f"{name} {state}".strip()))
    said = getattr(cause, "message", None) if state else None
    return database.StoreAwayError(f"{name}: {said}" if said else name)


def _away(error: Exception) -> Exception:
    """A reader meets no conflicts: what looks like one is the database's trouble."""
    if isinstance(error, database.ConflictError):
        return database.StoreAwayError(str(error))
    return error


def _is_wrong(error: Exception, cause: BaseException | None) -> bool:
    """Whether the driver refused the work's values before it sent them."""
    import asyncpg  # noqa: PLC0415 (see open)

    if isinstance(cause, asyncpg.DataError | asyncpg.InterfaceError) and isinstance(
        cause, ValueError | TypeError
    ):
        return True
    return isinstance(error, exc.SQLAlchemyError) and not isinstance(
        error, exc.DBAPIError | exc.TimeoutError
    )
