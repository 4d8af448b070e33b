"""A bounded queue in front of the database: what waits while one transaction commits is the next.

An idle queue adds no delay. Each queue has one transaction under way at the most, and
transactions take their turns first come first served: so whoever has a queue of his own (messages,
receipts), and whoever comes by himself (the room, a claim, health), waits for one batch of each
other and never for all that another has waiting. Must not know what is in the batches.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from bot.contract import intake
from bot.store import database

T = TypeVar("T")


@dataclasses.dataclass(slots=True)
class _Waiting(Generic[T]):
    item: T
    size: int
    done: asyncio.Future[None]


class Queue(Generic[T]):
    """What is put in is written in order, together with what waits beside it."""

    def __init__(
        self, write: Callable[[list[T]], Awaitable[None]], *, batch: int, name: str
    ) -> None:
        """`write`: all of these in one transaction; raises NotStoredError. `batch`: in sizes."""
        self._write = write
        self._batch = batch
        self._name = name
        self._waiting: deque[_Waiting[T]] = deque()
        self._draining: asyncio.Task[None] | None = None
        self.size = 0

    def admit(self, size: int, most: int) -> None:
        """Raise NotStoredError if more than `most` would wait with this.

        What is larger than that is taken by a queue in which nothing waits.
        """
        if self.size + size > most and self._waiting:
            raise intake.NotStoredError("too many messages wait to be stored", retry_after_s=2)

    async def put(self, item: T, size: int, most: int) -> None:
        """Returns once it is written; raises what writing it raised, and what `admit` raises."""
        self.admit(size, most)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, size, done))
        self.size += size
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain(), name=self._name)
        await done

    async def _drain(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft()]
            size = taken[0].size
            while self._waiting and size + self._waiting[0].size <= self._batch:
                taken.append(self._waiting.popleft())
                size += taken[-1].size
            await self._settle(taken)
            self.size -= size

    async def _settle(self, taken: list[_Waiting[T]]) -> None:
        """Store together; if the batch itself is at fault, one by one, so that one fails alone."""
        outcome = await self._try(taken)
        away = isinstance(outcome, intake.NotStoredError) and not isinstance(
            outcome.__cause__, database.AgainstError
        )
        if outcome is not None and not away and len(taken) > 1:
            for one in taken:
                _tell([one], await self._try([one]))
            return
        _tell(taken, outcome)

    async def _try(self, taken: list[_Waiting[T]]) -> BaseException | None:
        items = [one.item for one in taken]
        (outcome,) = await asyncio.gather(self._write(items), return_exceptions=True)
        return outcome


def _tell(taken: list[_Waiting[T]], outcome: BaseException | None) -> None:
    for one in taken:
        if one.done.done():
            continue
        if outcome is None:
            one.done.set_result(None)
        else:
            one.done.set_exception(outcome)
