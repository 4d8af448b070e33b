"""A database in which so many replies wait for their time, made by SQLite itself and kept.

All are of different people, who wrote one after the other, evenly over the time that a reply
waits; each is due as `policy.delay` would have it: an hour later, and up to 27 minutes by lot, on
its grid.
Only those that `make_due` makes due before a measurement get an address that can be opened: the
others are never read, only as long as true ones. Ten million take a minute to make and lie in
.cache/bench with 2.7 gigabytes, so large ones are used where they lie, each reply once.
"""

from __future__ import annotations

import asyncio
import functools
import json
import pathlib
import shutil
import time
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from bench import million
from bot import outbox
from bot.contract import clock
from bot.policy import delay, settings
from bot.store import database, prepared, schema, tables, vault

OURS: Final = "00000000-0000-4000-8000-000000000001"
REPLIES: Final = 2_000
"""Made due at once."""
_RECIPE: Final = 4
_SLICE: Final = 500_000
_LARGE: Final = 1_000_000
_OLDEST_S: Final = 7 * 86_400
_DAY_MS: Final = 86_400_000


def lent(
    folder: pathlib.Path, waiting: int, turns: int, told: million.Told
) -> tuple[pathlib.Path, int]:
    """The folder of the database and its key, and the first of so many turns to make due."""
    source = million.CACHE / f"pending-{waiting}-{schema.HEAD}-{_RECIPE}"
    kept = source / "turn"
    turn = int(kept.read_text(encoding="ascii")) if kept.exists() else 0
    used_up = waiting >= _LARGE and (turn + turns) * REPLIES > waiting
    if used_up or not _fresh(source):
        _make(source, waiting, told)
        turn = 0
    if waiting >= _LARGE:
        kept.write_text(str(turn + turns), encoding="ascii")
        return source, turn
    for name in ("antirelou.db", "antirelou.key"):
        shutil.copyfile(source / name, folder / name)
    (folder / "antirelou.key").chmod(0o600)
    return folder, 0


def _fresh(source: pathlib.Path) -> bool:
    made = source / "antirelou.key"
    return made.exists() and time.time() - made.stat().st_mtime < _OLDEST_S


def _make(source: pathlib.Path, waiting: int, told: million.Told) -> None:
    """In a folder beside it, so that what is cut off is never taken for whole."""
    for old in million.CACHE.glob(f"*pending-{waiting}-*"):
        shutil.rmtree(old)
    fresh = source.with_name("making-" + source.name)
    fresh.mkdir(parents=True)
    asyncio.run(_fill(fresh, waiting, told))
    fresh.rename(source)


async def _fill(fresh: pathlib.Path, waiting: int, told: million.Told) -> None:
    store = database.Store(fresh / "antirelou.db")
    await store.open()
    keys = await schema.prepare(store, fresh / "antirelou.key", "EUR")
    now_ms = clock.to_ms(clock.SystemClock().now())
    rules = settings.Reply()
    given = {
        "now": now_ms,
        "later": now_ms + 30 * _DAY_MS,
        "day": _DAY_MS,
        "ours": OURS,
        "sealed": len(keys.seal(_recipient(1), outbox.place(1))),
        "waiting": waiting,
        "over": rules.delay_max_s * 1_000,
        "least": rules.delay_min_s * 1_000,
        "span": (delay.first(0, rules, 0.999_999) - rules.delay_min_s * 1_000),
        "grid": delay.GRID_MS,
    }
    for first in range(1, waiting + 1, _SLICE):
        told(f"{waiting:,} pending replies, {first - 1:,} made")
        last = min(first + _SLICE - 1, waiting)
        await store.write(functools.partial(_rows, given=given | {"first": first, "last": last}))
        await store.checkpoint()
    await store.close()


def _rows(tx: sa.Connection, given: dict[str, object]) -> None:
    for statement in (_PEOPLE, _REPLIES):
        tx.exec_driver_sql(f"WITH RECURSIVE {_NUMBERS} {statement}", given)


_NUMBERS: Final = (
    "numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)"
)
_PEOPLE: Final = (
    "INSERT INTO persons (id, created_ms, last_ms, messages, blocked_until_ms) "
    "SELECT n, :now, :now, 1, :later + n + 30 * :day FROM numbers"
)
_REPLIES: Final = (
    "INSERT INTO replies (id, person_id, automatic, state, reason, network, channel, own_address, "
    "language, address_enc, first_ms, due_ms, window_ms, attempts, approved) "
    "SELECT n, n, 1, 'scheduled', 'first_contact', 'signal', 'signal', :ours, 'fr', "
    "randomblob(:sealed), :later + n * :over / :waiting, "
    "((:later + n * :over / :waiting + :least + abs(random()) % :span) / :grid + 1) * :grid, "
    ":later + n + 30 * :day, 0, 0 FROM numbers"
)


def _recipient(number: int) -> str:
    return f"00000000-0000-4000-9000-{number:012d}"


def next_due(tx: sa.Connection) -> list[int]:
    """Those whose turn is next, as time would have it."""
    return list(tx.exec_driver_sql(_NEXT, (REPLIES,)).scalars())


def scattered(tx: sa.Connection, waiting: int, turn: int) -> list[int]:
    """So many of those that wait, as far from each other as can be; others each turn."""
    step = waiting // REPLIES
    if turn >= step:
        raise ValueError(f"{waiting} pending replies bear {step} turns of {REPLIES}")
    wanted = json.dumps([place * step + turn + 1 for place in range(REPLIES)])
    return list(tx.exec_driver_sql(_STILL, (wanted,)).scalars())


_NEXT: Final = "SELECT id FROM replies WHERE state = 'scheduled' ORDER BY due_ms, id LIMIT ?"
_STILL: Final = (
    "SELECT id FROM replies WHERE id IN (SELECT value FROM json_each(?)) AND state = 'scheduled'"
)


def make_due(tx: sa.Connection, keys: vault.Vault, numbers: Sequence[int], now_ms: int) -> None:
    """These are due, in this order, and can be sent to."""
    due = prepared.Prepared(
        sa.update(tables.replies)
        .where(tables.replies.c.id == sa.bindparam("of"))
        .values(
            due_ms=sa.bindparam("due"),
            first_ms=now_ms - 7_200_000,
            address_enc=sa.bindparam("sealed"),
        )
    )
    due.many(
        tx,
        [
            {
                "of": n,
                "due": now_ms - 2 * REPLIES + place,
                "sealed": keys.seal(_recipient(n), outbox.place(n)),
            }
            for place, n in enumerate(numbers)
        ],
    )


def sent(tx: sa.Connection, numbers: Sequence[int]) -> int:
    """How many of these really left."""
    counted = (
        "SELECT count(*) FROM replies WHERE sent_ms IS NOT NULL "
        "AND id IN (SELECT value FROM json_each(?))"
    )
    return int(tx.exec_driver_sql(counted, (json.dumps(list(numbers)),)).scalar_one())
