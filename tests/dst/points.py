"""Where a run may be cut off, and the disk that outlives it."""

from __future__ import annotations

import asyncio
import collections
import functools
import random
import sqlite3
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from bot.store import database, schema
from tests.dst import places, timing

T = TypeVar("T")
_MADE: Final = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
_SELDOM: Final = 8
_FULL: Final = "database or disk is full"
_TABLES: Final[list[str]] = []
_ENGINES: Final[list[sa.Engine]] = []


class Crash(BaseException):
    """The process is gone. Not an Exception, so that no edge of the program can catch it."""


class Points:
    """Where the process can die: after any turn of its loop, and around each commit and request.

    `passed` counts the commits and requests, `crashed` every place of the rooms (see `places`)
    and every commit and request that a death was at. `gone` is set at a death.
    """

    def __init__(self, loop: timing.Loop) -> None:
        self.passed: collections.Counter[str] = collections.Counter()
        self.crashed: collections.Counter[str] = collections.Counter()
        self.deaths = 0
        self.last: set[str] = set()
        self.dead = False
        self.gone = asyncio.Event()
        # Only turns in which something is done count: nobody dies of waiting.
        self.busy = False
        self._loop = loop
        self._left: int | None = None
        self._only: frozenset[str] = frozenset()
        self._looks = 0
        loop.turns.each = self._turn

    def arm(self, turns: int) -> None:
        """Die after so many turns of the loop, at whatever await all are then; 0 is never."""
        self._left = turns or None

    def arm_at(self, names: frozenset[str]) -> None:
        """Die as soon as anybody is at one of these places."""
        self._only = names

    def revive(self) -> None:
        """A new process starts; what was armed is not."""
        self.dead, self._left, self._only = False, None, frozenset()
        self.gone.clear()

    async def at(self, name: str) -> None:
        """Pass this commit or request, or die there. Others may run meanwhile."""
        if self.dead:
            raise Crash(name)
        self.passed[name] += 1
        if self._only:
            here = [name, *places.in_stack(sys._getframe(1), name)]
            if not self._only.isdisjoint(here):
                self._die(here)
                raise Crash(name)
        await asyncio.sleep(0)
        if self.dead:
            raise Crash(name)

    def _turn(self) -> None:
        if self.dead or (self._left is None and not self._only):
            return
        if self._left is not None and not self.busy:
            return
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._die([])
            return
        # To look at all tasks costs more than the turn; what waits for long is seen in time.
        self._looks += 1
        if (self.busy or self._looks % _SELDOM == 0) and self._only & self._under_way():
            self._die([])

    def _die(self, here: list[str]) -> None:
        self.dead = True
        self.deaths += 1
        self.last = {*here, *self._under_way()}
        self.crashed.update(self.last)
        self.gone.set()

    def _under_way(self) -> set[str]:
        found: set[str] = set()
        for task in asyncio.all_tasks(self._loop):
            found |= set(places.in_task(task.get_coro()))
        return found


class RefusedError(Exception):
    """The database takes what is to be written for nonsense."""


class Writer(sqlite3.Connection):
    """SQLite's connection, on a disk that may be full just when a commit is to be written.

    By then all statements went well. SQLite has either taken the whole transaction back by itself
    or left it open; `fails` says which, None for a commit that goes well (https://sqlite.org/
    lang_transaction.html, "Response To Errors Within A Transaction").
    """

    fails: Callable[[], bool | None] = staticmethod(lambda: None)

    def commit(self) -> None:
        taken_back = self.fails() if self.in_transaction else None
        if taken_back is None:
            super().commit()
            return
        if taken_back:
            super().rollback()
        raise sqlite3.OperationalError("disk I/O error" if taken_back else _FULL)


class Disk(database.Store):
    """A database in memory that outlives crashes: what was committed stays, the rest never was.

    `trouble`: asked before each transaction; raises what is wrong with the disk now. `fails`: see
    Writer; the program's own commit, through SQLAlchemy or not, is what meets it.
    """

    _driver = Writer

    def __init__(
        self,
        points: Points,
        trouble: Callable[[str], None],
        fails: Callable[[], bool | None] = lambda: None,
    ) -> None:
        super().__init__(None)
        self._points = points
        self._trouble = trouble
        self._fails = fails
        self._reader: sa.Connection

    @property
    def inline(self) -> bool:
        """Not to the rooms: they take the way of a real database, with micro-batches."""
        return False

    async def open(self) -> None:
        """A database of its own; what SQLAlchemy has compiled is kept for the next runs."""
        if not _ENGINES:
            await super().open()
            _ENGINES.append(self._open.engine)
        else:
            # The connections of other runs stay what they are.
            _ENGINES[0].dispose(close=False)
            self._writer = _ENGINES[0].connect()
        self._driven().fails = self._fails
        self._reader = self._open.engine.connect()

    def _driven(self) -> Writer:
        driver = self._open.connection.driver_connection
        assert isinstance(driver, Writer)
        return driver

    def reconnect(self) -> None:
        """As a process that starts, which brings nothing of the old one's connection along."""
        engine = self._open.engine
        for one in (self._open, self._reader):
            one.close()
        self._writer, self._reader = engine.connect(), engine.connect()

    def over(self) -> None:
        """Whoever judges the run brings nothing of it along, and no commit of his fails.

        SQLAlchemy holds on to a driver's connection until whoever borrowed it is gone. One that
        went on asking the run whether to fail would keep it, and so its borrower, for good.
        """
        self.reconnect()
        del self._driven().fails

    async def fill(self) -> None:
        """All tables. To make the statements costs more than to run them: they are kept."""
        await self.open()
        if not _TABLES:
            self._write(schema.create)
            made = self._read(lambda tx: tx.exec_driver_sql(_MADE).scalars().all())
            _TABLES.extend(made)
            return
        self._write(lambda tx: [tx.exec_driver_sql(one) for one in _TABLES])

    async def write(self, work: Callable[[sa.Connection], T], *, together: bool = False) -> T:
        """As the real one, with a place to die before and after the commit."""
        name = _name(work)
        await self._points.at(f"before {name}")
        self._trouble(name)
        result = self._write(work)
        await self._points.at(f"after {name}")
        return result

    async def read(self, work: Callable[[sa.Connection], T], *, short: bool = False) -> T:
        """As the real one."""
        name = _name(work)
        await self._points.at(f"read {name}")
        self._trouble(name)
        return self._read(work)

    def _read(self, work: Callable[[sa.Connection], T]) -> T:
        """By another connection than the writer's, as in life: it mends nothing of his."""
        assert not self._driven().in_transaction, "a transaction was left open"
        try:
            return work(self._reader)
        finally:
            self._reader.rollback()

    async def checkpoint(self) -> None:
        """As the real one has one, with nothing to move."""
        await self._points.at("checkpoint")
        self._trouble("checkpoint")

    async def truncate(self) -> bool:
        """As the real one has one, with no log to empty."""
        await self._points.at("truncate")
        self._trouble("truncate")
        return True


def _name(work: Callable[..., Any]) -> str:
    inner = work.func if isinstance(work, functools.partial) else work
    name: str = getattr(inner, "__qualname__", type(inner).__name__)
    module = getattr(inner, "__module__", "").removeprefix("bot.")
    return f"{module}.{name.replace('.<locals>', '')}"


def chance(draw: random.Random, weights: dict[str, float]) -> str:
    """One of the names, by weight."""
    return draw.choices(list(weights), list(weights.values()))[0]
