"""What the kit says when a bridge breaks the contract: what is wrong, and which docstring says so.

Nothing here shows an address or a text: a failing test's output is a log like any other.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Awaitable
from typing import Generic, NoReturn, TypeVar
from unittest import SkipTest

T = TypeVar("T")


class ConformanceError(AssertionError):
    """The bridge breaks the contract; the message names the rule and where it is written."""


def fail(rule: object, wrong: str) -> NoReturn:
    """Raise ConformanceError: `wrong`, then the docstring of `rule` that asks otherwise."""
    source = rule.fget if isinstance(rule, property) else rule
    name = f"{getattr(source, '__module__', '?')}.{getattr(source, '__qualname__', '?')}"
    words = " ".join((inspect.getdoc(source) or "").split())
    raise ConformanceError(f"{wrong}. {name} says: {words}")


def check(holds: bool, rule: object, wrong: str) -> None:  # noqa: FBT001 (reads like an assert)
    """Raise ConformanceError unless `holds`."""
    if not holds:
        fail(rule, wrong)


def skip(reason: str) -> NoReturn:
    """Leave a check out in sight: pytest prints the reason, and never counts it as a pass."""
    raise SkipTest(reason)


@dataclasses.dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """How a call of the bridge ended: its value, its error, or by cancellation."""

    value: T | None
    error: BaseException | None
    cancelled: bool = False

    def got(self, rule: object, call: str) -> T:
        """The value; ConformanceError when the call raised or was cancelled instead."""
        if self.error is not None:
            fail(rule, f"{call} raised {type(self.error).__name__}")
        if self.cancelled:
            fail(rule, f"{call} ended by a cancellation nobody asked for")
        return self.value  # type: ignore[return-value]  # None is a value of T here


async def settled(call: Awaitable[T]) -> Ended[T]:
    """Run to the end and look at the result without catching: a task keeps its error."""
    task = asyncio.ensure_future(call)
    await asyncio.wait({task})
    return ended(task)


def ended(task: asyncio.Future[T]) -> Ended[T]:
    """Read a finished task."""
    if task.cancelled():
        return Ended(None, None, cancelled=True)
    error = task.exception()
    return Ended(None, error) if error is not None else Ended(task.result(), None)
