"""Time limits on the clock that we are given, so that tests need not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from bot.contract import clock

_T = TypeVar("_T")


async def within(moment: clock.Clock, seconds: float, work: Coroutine[Any, Any, _T]) -> _T:
    """What `work` returns or raises; TimeoutError, and `work` cancelled, if it takes longer."""
    task = asyncio.ensure_future(work)
    try:
        if await done_in(moment, seconds, task):
            return task.result()
        raise TimeoutError
    finally:
        await dropped(task)


async def done_in(moment: clock.Clock, seconds: float, task: asyncio.Future[Any]) -> bool:
    """Whether `task` ends within `seconds`; goes on running if not."""
    nap = asyncio.ensure_future(moment.sleep(seconds))
    try:
        await asyncio.wait({task, nap}, return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    finally:
        nap.cancel()


async def dropped(task: asyncio.Future[Any]) -> None:
    """Cancel it and see it end; whatever it still raised is nobody's."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
