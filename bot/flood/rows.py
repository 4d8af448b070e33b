"""The flood's rows: counts by bucket and word, the leader's memory, and what waits for money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from bot.flood import memory
from bot.policy.decision import Reason
from bot.policy.flood import words
from bot.store import prepared, statements, tables

_f, _s, _r = tables.flood, tables.storage, tables.replies
# In a quarter with so many new senders a word that one of them used says nothing, and there may
# be as many such words as senders.
_CROWD: Final = 5_000
_SENDERS_OF = prepared.Prepared(
    sa.select(_f.c.bucket_ms, _f.c.n)
    .where(_f.c.bucket_ms >= sa.bindparam("since"))
    .where(_f.c.word == words.SENDERS)
)
_COUNTS_OF = prepared.Prepared(
    sa.select(_f.c.word, _f.c.n)
    .where(_f.c.bucket_ms == sa.bindparam("start"))
    .where(_f.c.n >= sa.bindparam("least"))
)
_FORGET = prepared.Prepared(sa.delete(_f).where(_f.c.bucket_ms < sa.bindparam("before")))
_KEY: Final = {"channel": "", "key": "flood"}
_LOAD = sa.select(_s.c.value).where(_s.c.channel == "", _s.c.key == "flood")
_KEEP = statements.upsert(_s).on_conflict_do_update(
    index_elements=["channel", "key"], set_={"value": statements.upsert(_s).excluded.value}
)
_HELD = sa.literal_column("replies.state") == sa.literal_column("'held'")
_WAITING = prepared.Prepared(
    sa.select(_r.c.id, _r.c.first_ms, _r.c.due_ms, _r.c.quoted_micros, _r.c.reason, _r.c.opinion)
    .where(_HELD, sa.or_(_r.c.reason == Reason.PACE.value, _r.c.reason == Reason.MODE.value))
    .where(_r.c.due_ms >= sa.bindparam("since"))
    .where(sa.func.coalesce(_r.c.quoted_micros, 0) <= sa.bindparam("most"))
    .order_by(_r.c.due_ms, _r.c.id)
    .limit(sa.bindparam("limit"))
)
_WAITING_NAMES: Final = ("id", "first_ms", "due_ms", "quoted_micros", "reason", "opinion")


def buckets(tx: sa.Connection, since_ms: int) -> dict[int, memory.Bucket]:
    """Counts of all buckets from `since_ms` on."""
    out: dict[int, memory.Bucket] = {}
    for start_ms, senders in _SENDERS_OF.rows(tx, {"since": since_ms}):
        least = 2 if senders > _CROWD else 1
        counts: dict[int, int] = dict(_COUNTS_OF.rows(tx, {"start": start_ms, "least": least}))
        counts.pop(words.SENDERS, None)
        topical = counts.pop(words.TOPICAL, 0)
        out[start_ms] = memory.Bucket(senders, topical, counts)
    return out


def forget(tx: sa.Connection, before_ms: int) -> None:
    """Drop counts that nobody looks at any more."""
    _FORGET.many(tx, [{"before": before_ms}])


def load(tx: sa.Connection) -> memory.Memory:
    """The memory as last kept."""
    return memory.read(tx.execute(_LOAD).scalar_one_or_none())


def keep(tx: sa.Connection, kept: memory.Memory) -> None:
    """Keep the memory."""
    tx.execute(_KEEP, {**_KEY, "value": kept.text()})


def waiting(tx: sa.Connection, in_time_ms: int, limit: int, most: int) -> list[Mapping[str, Any]]:
    """Who is held for their turn or by a mode, at a price of `most` at most.

    First those due since `in_time_ms`, up to the limit; then, if all of them are named, the others,
    who are late anyway.
    """
    found = _waiting(tx, 0, limit, most)
    if len(found) < limit:
        in_time = [row for row in found if row["due_ms"] >= in_time_ms]
        return in_time + [row for row in found if row["due_ms"] < in_time_ms]
    in_time = _waiting(tx, in_time_ms, limit, most)
    if len(in_time) == limit:
        return in_time
    ids = {row["id"] for row in in_time}
    return in_time + [row for row in found if row["id"] not in ids]


def _waiting(tx: sa.Connection, since_ms: int, limit: int, most: int) -> list[Mapping[str, Any]]:
    told = {"since": since_ms, "limit": limit, "most": most}
    return [dict(zip(_WAITING_NAMES, row, strict=True)) for row in _WAITING.rows(tx, told)]
