"""Dispatch: claim, route, reserve, send through a bridge in memory, record; a reply at a time.

With few and with many replies that wait for later. In turns with the delayed jobs of two libraries
that everybody knows: huey on SQLite (as it comes, which is not synced; ours is) and procrastinate
on PostgreSQL, both with 100,000 jobs that wait. Theirs do nothing at all; ours pass all caps and
are recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import functools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from bench import beside, measure, pending
from bot import build
from bot.contract import clock
from bot.store import database, schema
from tests.peers import postgres

SIZES: Final = (10_000, 1_000_000)
LARGEST: Final = 10_000_000
OTHERS: Final = 100_000
_TURN_S: Final = 15.0
"""What a turn of theirs may take: where each job waits for the disk, not all get done in it."""
_FILLING_S: Final = 60.0
"""What filling their queues may take; how many wait then is told."""
_PROCRASTINATE: Final = 200
_ROUNDS: Final = 3
_TURNS: Final = 3
"""Of ours in each round, whose median counts: one takes half a second, theirs up to a quarter of a
minute."""
_CONCURRENCY: Final = 10
_APART: Final = "apart"
_THEIRS: Final = ("huey", "procrastinate")


def bench(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Replies a second, and what many pending cost."""
    sizes = SIZES[:1] if quick else (*SIZES, LARGEST)
    rounds = 1 if quick else _ROUNDS
    with contextlib.ExitStack() as held:
        folder = pathlib.Path(held.enter_context(tempfile.TemporaryDirectory()))
        ways: dict[str, Way] = {}
        for waiting in sizes:
            fresh = folder / str(waiting)
            fresh.mkdir()
            place, first = pending.lent(fresh, waiting, 2 * rounds * _TURNS, told)
            ways[f"{waiting:,}"] = Way(waiting, functools.partial(ours, fresh, waiting, told))
            if waiting == LARGEST:
                ways[_APART] = Way(waiting, functools.partial(apart, place, waiting, first))
        others = OTHERS // 10 if quick else OTHERS
        told("huey's pending jobs")
        ways["huey"] = held.enter_context(huey(folder / "huey.db", others))
        if postgres.missing() is None:
            told("procrastinate's pending jobs")
            ways["procrastinate"] = held.enter_context(procrastinate(others))
        each: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds):
            found: dict[str, list[float]] = {name: [] for name in ways}
            for again in range(_TURNS):
                for name, way in ways.items():
                    if again == 0 or name not in _THEIRS:
                        told(f"round {turn + 1} of {rounds}: {name}")
                        found[name].append(way.run(turn * _TURNS + again))
            for name, took in found.items():
                each[name].append(statistics.median(took))
    yield from _results(sizes, ways, each)


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """`run`: a turn's number -> seconds a reply, with `waiting` more that are not due."""

    waiting: int
    run: Callable[[int], float]


def _results(
    sizes: tuple[int, ...], ways: dict[str, Way], each: dict[str, list[float]]
) -> Iterator[measure.Result]:
    median = {name: statistics.median(found) for name, found in each.items()}
    first = f"{sizes[0]:,}"
    for name in [name for name in _THEIRS if name in each]:
        yield measure.Result(
            name=f"dispatch, {first} pending",
            figure=f"{1 / median[first]:,.0f} replies/s",
            ratio=statistics.median(b / a for a, b in zip(each[first], each[name], strict=True)),
            reference=(
                f"{name}, {ways[name].waiting:,} pending: "
                f"{1 / median[name]:,.0f} jobs/s (faster by)"
            ),
            detail={"seconds_each": each, "pending": {n: w.waiting for n, w in ways.items()}},
        )
    many_of = {f"{waiting:,}": f"{waiting:,} pending" for waiting in sizes[1:]}
    if _APART in each:
        many_of[_APART] = f"{LARGEST:,} pending, each due one on pages of its own"
    for many, said in many_of.items():
        yield measure.Result(
            name=f"time of a reply, {said}",
            figure=f"{median[many] * 1e6:,.0f} µs",
            ratio=statistics.median(a / b for a, b in zip(each[many], each[first], strict=True)),
            reference=f"{first} pending: {median[first] * 1e6:,.0f} µs",
            detail={"seconds_each": each},
        )


def ours(folder: pathlib.Path, waiting: int, told: measure.Told, _turn: int) -> float:
    """Seconds a reply. A small database is a fresh copy each time, or few would wait in the end."""
    place, _ = pending.lent(folder, waiting, 0, told)
    return asyncio.run(_ours(place, pending.next_due))


def apart(place: pathlib.Path, waiting: int, first: int, turn: int) -> float:
    """Seconds a reply, were each of somebody whose neighbours in the tables are not due."""
    which = functools.partial(pending.scattered, waiting=waiting, turn=first + turn)
    return asyncio.run(_ours(place, which))


async def _ours(place: pathlib.Path, which: Callable[[sa.Connection], list[int]]) -> float:
    store = database.Store(place / "antirelou.db")
    await store.open()
    keys = await schema.prepare(store, place / "antirelou.key", "EUR")
    moment = clock.SystemClock()
    rooms = build.rooms(
        store=store,
        core=beside.core(),
        keys=keys,
        bridges={"signal": beside.Memory()},
        moment=moment,
    )
    now_ms = clock.to_ms(moment.now())
    numbers = await store.write(which)
    await store.write(
        functools.partial(pending.make_due, keys=keys, numbers=numbers, now_ms=now_ms)
    )
    await store.checkpoint()
    started = time.perf_counter()
    await beside.dispatch(rooms)
    took = time.perf_counter() - started
    # Only what really left counts.
    done = await store.read(functools.partial(pending.sent, numbers=numbers))
    await store.close()
    if done != len(numbers):
        raise RuntimeError(f"{done} of {len(numbers)} replies were sent")
    return took / done


@contextlib.contextmanager
def huey(path: pathlib.Path, waiting: int) -> Iterator[Way]:
    """Its own storage, scheduler and execution, in this process as ours."""
    import huey as library  # type: ignore[import-untyped]  # noqa: PLC0415 (a reference only)

    made = library.SqliteHuey("bench", filename=str(path), results=False)

    @made.task()  # type: ignore[untyped-decorator]
    def send(_number: int) -> None:
        """Nothing."""

    def fill(count: int, at: dt.datetime) -> None:
        """As `add_schedule` would, but in one transaction: or it takes an hour on a slow disk."""
        data = made.serialize_task(send.s(0))
        with made.storage.db(commit=True) as cursor:
            cursor.executemany(
                "insert into schedule (queue, data, timestamp) values (?, ?, ?)",
                ((made.name, data, at.timestamp()) for _ in range(count)),
            )

    fill(waiting, dt.datetime.now(dt.UTC) + dt.timedelta(days=30))

    def run(_turn: int) -> float:
        fill(pending.REPLIES, dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1))
        started = time.perf_counter()
        done, took = 0, 0.0
        for task in made.read_schedule(dt.datetime.now(dt.UTC)):
            made.enqueue(task)
        while took < _TURN_S and (task := made.dequeue()) is not None:
            made.execute(task)
            done += 1
            took = time.perf_counter() - started
        made.storage.flush_queue()
        if not done:
            raise RuntimeError("huey did nothing")
        return took / done

    yield Way(waiting, run)
    made.storage.close()


@contextlib.contextmanager
def procrastinate(waiting: int) -> Iterator[Way]:
    """Its own worker with ten jobs at once."""
    import procrastinate as library  # noqa: PLC0415 (a reference, see above)

    done = 0
    with postgres.running(fsync=True) as cluster:
        url = cluster.url(cluster.fresh())
        app = library.App(connector=library.PsycopgConnector(conninfo=url))

        @app.task(name="send")
        async def send(number: int) -> None:
            nonlocal done
            done += number >= 0

        async def fill() -> int:
            async with app.open_async():
                await app.schema_manager.apply_schema_async()
                far = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
                later = send.configure(schedule_at=far)
                started = time.perf_counter()
                for first in range(0, waiting, 1_000):
                    if time.perf_counter() - started > _FILLING_S:
                        return first
                    some: list[Any] = [{"number": first + one} for one in range(1_000)]
                    await later.batch_defer_async(*some)
            return waiting

        async def work() -> float:
            nonlocal done
            done = 0
            async with app.open_async():
                past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
                due: list[Any] = [{"number": one} for one in range(_PROCRASTINATE)]
                await send.configure(schedule_at=past).batch_defer_async(*due)
                started = time.perf_counter()
                await app.run_worker_async(
                    wait=False,
                    concurrency=_CONCURRENCY,
                    install_signal_handlers=False,
                    listen_notify=False,
                )
                took = time.perf_counter() - started
            if done != _PROCRASTINATE:
                raise RuntimeError(f"procrastinate did {done} of {_PROCRASTINATE}")
            return took / done

        yield Way(asyncio.run(fill()), lambda _turn: asyncio.run(work()))
