"""Dispatch: claim, route, reserve, send through a bridge in memory, record; a reply at a time.

With few and with many replies that wait for later. In turns with the delayed jobs of two libraries
that everybody knows: huey on SQLite (as it comes, which is not synced; ours is) and procrastinate
on PostgreSQL, both with 100,000 jobs that wait. Theirs do nothing at all; ours pass all caps and
are recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from bench import beside, measure, million, pending
from bot import build
from bot.contract import clock
from bot.store import database, schema, tables
from tests.peers import postgres

SIZES: Final = (10_000, 1_000_000)
LARGEST: Final = 10_000_000
OTHERS: Final = 100_000
_REPLIES: Final = 2_000
_PROCRASTINATE: Final = 200
_ROUNDS: Final = 3
_CONCURRENCY: Final = 10


def bench(quick: bool, told: million.Told = lambda _what: None) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Replies a second, and what many pending cost."""
    sizes = SIZES[:1] if quick else (*SIZES, *((LARGEST,) if _made(LARGEST) else ()))
    rounds = 1 if quick else _ROUNDS
    with contextlib.ExitStack() as held:
        folder = pathlib.Path(held.enter_context(tempfile.TemporaryDirectory()))
        ways: dict[str, Callable[[int], float]] = {}
        for waiting in sizes:
            place = folder / str(waiting)
            place.mkdir()
            pending.copied(place, waiting, told)
            ways[f"{waiting:,}"] = functools.partial(ours, place, waiting)
        others = OTHERS // 10 if quick else OTHERS
        told("huey's pending jobs")
        ways["huey"] = held.enter_context(huey(folder / "huey.db", others))
        if postgres.missing() is None:
            told("procrastinate's pending jobs")
            ways["procrastinate"] = held.enter_context(procrastinate(others))
        each: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds):
            for name, way in ways.items():
                told(f"round {turn + 1}: {name}")
                each[name].append(way(turn))
    yield from _results(sizes, others, each)


def _made(waiting: int) -> bool:
    """Ten million take ten minutes to make: `python -m bench.dispatching` does, once."""
    return any(million.CACHE.glob(f"pending-{waiting}-*"))


def _results(
    sizes: tuple[int, ...], others: int, each: dict[str, list[float]]
) -> Iterator[measure.Result]:
    median = {name: statistics.median(found) for name, found in each.items()}
    first = f"{sizes[0]:,}"
    for name in [name for name in ("huey", "procrastinate") if name in each]:
        yield measure.Result(
            name=f"dispatch, {first} pending",
            figure=f"{1 / median[first]:,.0f} replies/s",
            ratio=statistics.median(b / a for a, b in zip(each[first], each[name], strict=True)),
            reference=f"{name}, {others:,} pending: {1 / median[name]:,.0f} jobs/s (faster by)",
            detail={"seconds_each": each},
        )
    for waiting in sizes[1:]:
        name = f"{waiting:,}"
        yield measure.Result(
            name=f"time of a reply, {name} pending",
            figure=f"{median[name] * 1e6:,.0f} µs",
            ratio=statistics.median(a / b for a, b in zip(each[name], each[first], strict=True)),
            reference=f"{first} pending: {median[first] * 1e6:,.0f} µs",
            detail={"seconds_each": each},
        )


def ours(place: pathlib.Path, waiting: int, turn: int) -> float:
    """Seconds a reply."""
    return asyncio.run(_ours(place, waiting, turn))


async def _ours(place: pathlib.Path, waiting: int, turn: int) -> float:
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
    await store.write(
        functools.partial(
            pending.make_due, waiting=waiting, count=_REPLIES, turn=turn, now_ms=now_ms
        )
    )
    await store.checkpoint()
    before = await store.read(_sent)
    started = time.perf_counter()
    await beside.dispatch(rooms)
    took = time.perf_counter() - started
    done = await store.read(_sent) - before
    await store.close()
    if done != _REPLIES:
        raise RuntimeError(f"{done} of {_REPLIES} replies were sent")
    return took / done


def _sent(tx: sa.Connection) -> int:
    """Only what really left counts."""
    replies = tables.replies
    query = sa.select(sa.func.count()).where(replies.c.sent_ms.is_not(None))
    return int(tx.execute(query).scalar_one())


@contextlib.contextmanager
def huey(path: pathlib.Path, waiting: int) -> Iterator[Callable[[int], float]]:
    """Its own storage, scheduler and execution, in this process as ours."""
    import huey as library  # noqa: PLC0415 (a reference, which the program does not need)

    made = library.SqliteHuey("bench", filename=str(path), results=False)

    @made.task()
    def send(_number: int) -> None:
        """Nothing."""

    def schedule(count: int, at: dt.datetime) -> None:
        for number in range(count):
            made.add_schedule(send.s(number, eta=at))

    # Filled without a sync each, or it takes an hour on a slow disk.
    filling = made.storage
    with filling.db(commit=True) as cursor:
        far = (dt.datetime.now(dt.UTC) + dt.timedelta(days=30)).timestamp()
        data = made.serialize_task(send.s(0))
        cursor.executemany(
            "insert into schedule (queue, data, timestamp) values (?, ?, ?)",
            ((made.name, data, far) for _ in range(waiting)),
        )

    def run(_turn: int) -> float:
        schedule(_REPLIES, dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.timedelta(seconds=1))
        started = time.perf_counter()
        done = 0
        for task in made.read_schedule(dt.datetime.now(dt.UTC).replace(tzinfo=None)):
            made.enqueue(task)
        while (task := made.dequeue()) is not None:
            made.execute(task)
            done += 1
        took = time.perf_counter() - started
        if done != _REPLIES:
            raise RuntimeError(f"huey did {done} of {_REPLIES}")
        return took / done

    yield run
    made.storage.close()


@contextlib.contextmanager
def procrastinate(waiting: int) -> Iterator[Callable[[int], float]]:
    """Its own worker with ten jobs at once."""
    import procrastinate as library  # noqa: PLC0415 (a reference, see above)

    done = 0
    with postgres.running(fsync=True) as cluster:
        url = cluster.url(cluster.fresh())
        app = library.App(connector=library.PsycopgConnector(conninfo=url))

        @app.task(name="send")  # type: ignore[untyped-decorator]
        async def send(number: int) -> None:
            nonlocal done
            done += number >= 0

        async def fill() -> None:
            async with app.open_async():
                await app.schema_manager.apply_schema_async()
                far = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
                later = send.configure(schedule_at=far)
                for first in range(0, waiting, 1_000):
                    await later.batch_defer_async(
                        *({"number": first + one} for one in range(1_000))
                    )

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

        asyncio.run(fill())
        yield lambda _turn: asyncio.run(work())


if __name__ == "__main__":
    (million.CACHE).mkdir(parents=True, exist_ok=True)
    if not _made(LARGEST):
        with tempfile.TemporaryDirectory(dir=million.CACHE) as name:
            pending.copied(pathlib.Path(name), LARGEST, print)
    for one in bench(quick=False, told=print):
        print(one)
