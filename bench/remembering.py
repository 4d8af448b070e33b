"""Memory: at rest, after a load on a million people's database, with ten million pending replies.

Resident memory of the running program as the system counts it (Linux only: elsewhere no line).
Its peak is told too, since a small server has to hold that. Of the pending ones as many are due as
a turn of the dispatch bench has, so that it is measured after they were sent.
"""

from __future__ import annotations

import asyncio
import functools
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, Final

from bench import dispatching, intake, measure, pending, startup
from bot.contract import clock
from bot.store import database, schema

PEOPLE_MB: Final = 120
PENDING_MB: Final = 200
"""What issue 7 asks for."""
# Longer than a round of the gauges, of the flood's look and of the dispatcher's claims.
_SETTLED_S: Final = 15.0


def of_people(found: dict[str, Any]) -> Iterator[measure.Result]:
    """From the run that measured intake."""
    for name, key in (("at rest", "memory_at_rest_mb"), ("after the load", "memory_after_mb")):
        yield _line(f"memory {name}, a million people", found[key], PEOPLE_MB, {})


def bench(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """With as many pending replies as the largest dispatch bench has."""
    if sys.platform != "linux":
        return
    waiting = dispatching.SIZES[0] if quick else dispatching.LARGEST
    with tempfile.TemporaryDirectory(prefix="antirelou-bench-") as name:
        place, _ = pending.lent(pathlib.Path(name), waiting, 1, told)
        numbers = asyncio.run(_due(place))
        told(f"running with {waiting:,} pending")
        with startup.running(place) as served:
            time.sleep(_SETTLED_S)
            at = intake.Served(port=0, process=served)
            rest_mb, peak_mb = at.memory_mb(), at.memory_mb("VmHWM:")
        sent = asyncio.run(_sent(place, numbers))
    detail = {"rest_mb": rest_mb, "peak_mb": peak_mb, "pending": waiting, "sent": sent}
    yield _line(f"memory with {waiting:,} pending", rest_mb, PENDING_MB, detail)


async def _due(place: pathlib.Path) -> list[int]:
    store = database.Store(place / "antirelou.db")
    await store.open()
    keys = await schema.prepare(store, place / "antirelou.key", "EUR")
    numbers = await store.write(pending.next_due)
    now_ms = clock.to_ms(clock.SystemClock().now())
    await store.write(
        functools.partial(pending.make_due, keys=keys, numbers=numbers, now_ms=now_ms)
    )
    await store.close()
    return numbers


async def _sent(place: pathlib.Path, numbers: list[int]) -> int:
    store = database.Store(place / "antirelou.db")
    await store.open()
    sent = await store.read(functools.partial(pending.sent, numbers=numbers))
    await store.close()
    return sent


def _line(name: str, found_mb: float, limit_mb: float, detail: dict[str, Any]) -> measure.Result:
    return measure.Result(
        name=name,
        figure=f"{found_mb:.0f} MB",
        ratio=found_mb / limit_mb,
        reference=f"{limit_mb} MB, the most that is wanted",
        detail=detail,
    )
