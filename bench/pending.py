"""A database in which so many replies wait for their time, made set-wise and kept in .cache/bench.

All are of different people. A copy is made due in part by `make_due` before each measurement.
"""

from __future__ import annotations

import asyncio
import functools
import pathlib
import shutil
import time
from typing import Any, Final

import sqlalchemy as sa

from bench import million
from bot import outbox
from bot.contract import address, clock
from bot.store import database, prepared, schema, tables, vault

OURS: Final = "00000000-0000-4000-8000-000000000001"
_RECIPE: Final = 2
_SLICE: Final = 50_000
_OLDEST_S: Final = 7 * 86_400
_DAY_MS: Final = 86_400_000


def copied(folder: pathlib.Path, waiting: int, told: million.Told) -> pathlib.Path:
    """A copy of the database and its key in `folder`."""
    source = million.CACHE / f"pending-{waiting}-{schema.HEAD}-{_RECIPE}"
    made = source / "antirelou.db"
    if not made.exists() or time.time() - made.stat().st_mtime > _OLDEST_S:
        for old in million.CACHE.glob(f"*pending-{waiting}-*"):
            shutil.rmtree(old)
        fresh = source.with_name("making-" + source.name)
        fresh.mkdir(parents=True)
        asyncio.run(_fill(fresh, waiting, told))
        fresh.rename(source)
    for name in ("antirelou.db", "antirelou.key"):
        shutil.copyfile(source / name, folder / name)
    (folder / "antirelou.key").chmod(0o600)
    return folder / "antirelou.db"


async def _fill(fresh: pathlib.Path, waiting: int, told: million.Told) -> None:
    store = database.Store(fresh / "antirelou.db")
    await store.open()
    keys = await schema.prepare(store, fresh / "antirelou.key", "EUR")
    now_ms = clock.to_ms(clock.SystemClock().now())
    for first in range(1, waiting + 1, _SLICE):
        told(f"{waiting:,} pending replies: {first - 1:,}")
        last = min(first + _SLICE, waiting + 1)
        rows = functools.partial(_rows, keys=keys, of=range(first, last), now_ms=now_ms)
        await store.write(rows)
        await store.checkpoint()
    await store.close()


def _rows(tx: sa.Connection, keys: vault.Vault, of: range, now_ms: int) -> None:
    later_ms = now_ms + 30 * _DAY_MS
    people, replies = [], []
    for number in of:
        people.append(
            {
                "id": number,
                "created_ms": now_ms,
                "last_ms": now_ms,
                "messages": 1,
                "blocked_until_ms": later_ms + number + 30 * _DAY_MS,
            }
        )
        replies.append(_reply(number, keys, now_ms, later_ms + number))
    prepared.Insert(tables.persons).many(tx, people)
    prepared.Insert(tables.replies).many(tx, replies)


def _reply(number: int, keys: vault.Vault, now_ms: int, due_ms: int) -> dict[str, Any]:
    value = f"00000000-0000-4000-9000-{number:012d}"
    return {
        "id": number,
        "person_id": number,
        "automatic": True,
        "state": "scheduled",
        "reason": "first_contact",
        "network": address.SIGNAL,
        "channel": "signal",
        "own_address": OURS,
        "language": "fr",
        "address_enc": keys.seal(value, outbox.place(number)),
        "first_ms": now_ms - 3_600_000,
        "due_ms": due_ms,
        "window_ms": due_ms + 30 * _DAY_MS,
        "attempts": 0,
        "approved": False,
    }


def make_due(tx: sa.Connection, waiting: int, count: int, turn: int, now_ms: int) -> None:
    """So many of those that wait, spread over all of them, are due now; others each turn."""
    step = waiting // count
    if turn >= step:
        raise ValueError(f"{waiting} pending replies bear {step} turns of {count}")
    due = prepared.Prepared(
        sa.update(tables.replies)
        .where(tables.replies.c.id == sa.bindparam("of"))
        .values(due_ms=now_ms - 1_000, first_ms=now_ms - 7_200_000)
    )
    due.many(tx, [{"of": place * step + turn + 1} for place in range(count)])
