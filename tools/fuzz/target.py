"""What every target promises, and how one input is judged."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import random
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final, Protocol

LIMIT_S: Final = 20.0
"""One input may take that long on a busy machine; an honest one takes a thousandth of it."""


class FaultError(Exception):
    """A promise was broken: a wrong row, a wrong answer, too much time."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """`rows`: stored by this input; `signed`: whether that was right; `refused`: said no."""

    rows: int = 0
    signed: bool = False
    refused: bool = False


class Target(Protocol):
    """Something that reads."""

    name: str

    async def one(self, draw: random.Random) -> Tried:
        """Make one input and try it. Raises what the reader should not have raised."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Count:
    """How it went. `exceptions` and `rows` (without a signature) must stay 0."""

    inputs: int = 0
    exceptions: int = 0
    rows: int = 0
    seconds: float = 0.0
    refused: int = 0
    taken: int = 0
    slowest_s: float = 0.0
    first: str = ""

    def told(self) -> dict[str, object]:
        """For fuzz.json."""
        told = dataclasses.asdict(self)
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in told.items()}


def drawn(name: str, seed: int, number: int) -> random.Random:
    """The randomness of one input: any of them can be made again alone."""
    return random.Random(f"{name}:{seed}:{number}")  # noqa: S311 (a seed that repeats)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """End what does not end by itself."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise FaultError(f"took more than {LIMIT_S:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


async def _tried(one: Target, draw: random.Random) -> Tried:
    with bounded():
        return await one.one(draw)


async def attempt(one: Target, seed: int, number: int, count: Count) -> None:
    """Try input `number` and count it."""
    began = time.perf_counter()
    count.inputs += 1
    # A task keeps whatever it raised: the fuzzer is here to see them all.
    task = asyncio.ensure_future(_tried(one, drawn(one.name, seed, number)))
    await asyncio.wait({task})
    error = task.exception()
    if error is not None:
        count.exceptions += 1
        count.first = count.first or f"input {number}: {type(error).__name__}: {error}"[:300]
    else:
        tried = task.result()
        count.rows += 0 if tried.signed else tried.rows
        count.taken += tried.rows if tried.signed else 0
        count.refused += tried.refused
        if tried.rows and not tried.signed:
            count.first = count.first or f"input {number}: a row without a signature"
    spent = time.perf_counter() - began
    count.seconds += spent
    count.slowest_s = max(count.slowest_s, spent)


def written(counts: dict[str, Count]) -> str:
    """The page fuzz.json."""
    return json.dumps({name: one.told() for name, one in counts.items()}, indent=2) + "\n"
