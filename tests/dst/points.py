"""The places where a run may be cut off: around every transaction, and around every send."""

from __future__ import annotations

import asyncio
import collections
import functools
import random
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa

from bot.store import database

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone. Not an Exception, so that no edge of the program can catch it."""


class Points:
    """Counts the places that were passed; `arm` lets the n-th from now be the last."""

    def __init__(self) -> None:
        self.passed: collections.Counter[str] = collections.Counter()
        self.crashed: collections.Counter[str] = collections.Counter()
        self.dead = False
        self._left: int | None = None
        self._only: str | None = None

    def arm(self, left: int) -> None:
        """Crash at the `left`-th place from now."""
        self._left = left

    def arm_at(self, name: str) -> None:
        """Crash at the next place of this name."""
        self._only = name

    def revive(self) -> None:
        """A new process starts; what was armed is not."""
        self.dead, self._left, self._only = False, None, None

    async def at(self, name: str) -> None:
        """Pass this place, or die there. Others may run meanwhile."""
        if self.dead:
            raise Crash(name)
        self.passed[name] += 1
        if self._dies(name):
            self.dead = True
            self.crashed[name] += 1
            raise Crash(name)
        await asyncio.sleep(0)
        if self.dead:
            raise Crash(name)

    def _dies(self, name: str) -> bool:
        if self._only is not None:
            return name == self._only
        if self._left is None:
            return False
        self._left -= 1
        return self._left <= 0


class Disk(database.Store):
    """A database in memory that outlives crashes: what was committed stays, the rest never was.

    `away`: asked before each transaction, whether the disk is full or locked now.
    """

    def __init__(self, points: Points, away: Callable[[], bool]) -> None:
        super().__init__(None)
        self._points = points
        self._away = away

    @property
    def inline(self) -> bool:
        """Not to the rooms: they take the way of a real database, with micro-batches."""
        return False

    async def write(self, work: Callable[[sa.Connection], T], *, together: bool = False) -> T:
        """As the real one, with a place to die before and after the commit."""
        name = _name(work)
        await self._points.at(f"before {name}")
        if self._away():
            raise database.StoreAwayError("the disk is full")
        result = self._write(work)
        await self._points.at(f"after {name}")
        return result

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """As the real one."""
        await self._points.at(f"read {_name(work)}")
        if self._away():
            raise database.StoreAwayError("the disk is full")
        return self._read(work)


def _name(work: Callable[..., Any]) -> str:
    inner = work.func if isinstance(work, functools.partial) else work
    name: str = getattr(inner, "__qualname__", type(inner).__name__)
    module = getattr(inner, "__module__", "").removeprefix("bot.")
    return f"{module}.{name.replace('.<locals>', '')}"


def chance(draw: random.Random, weights: dict[str, float]) -> str:
    """One of the names, by weight."""
    return draw.choices(list(weights), list(weights.values()))[0]
