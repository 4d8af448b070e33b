"""The flood's rows: counts by bucket and word, the leader's memory, and what waits for money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from bot.flood import memory
from bot.policy.decision import Reason
from bot.store import statements, tables

# Words are positive; these two count senders.
SENDERS: Final = 0
TOPICAL: Final = -1

_f, _s, _r = tables.flood, tables.storage, tables.replies
_BUCKETS = sa.select(_f.c.bucket_ms, _f.c.word, _f.c.n).where(
    _f.c.bucket_ms >= sa.bindparam("since")
)
_FORGET = sa.delete(_f).where(_f.c.bucket_ms < sa.bindparam("before"))
_KEY: Final = {"channel": "", "key": "flood"}
_LOAD = sa.select(_s.c.value).where(_s.c.channel == "", _s.c.key == "flood")
_KEEP = statements.upsert(_s).on_conflict_do_update(
    index_elements=["channel", "key"], set_={"value": statements.upsert(_s).excluded.value}
)
_HELD = sa.literal_column("replies.state") == sa.literal_column("'held'")
_WAITING = (
    sa.select(_r.c.id, _r.c.first_ms, _r.c.quoted_micros, _r.c.reason)
    .where(_HELD, _r.c.reason.in_((Reason.PACE.value, Reason.MODE.value)))
    .where(_r.c.due_ms >= sa.bindparam("since"))
    .where(sa.func.coalesce(_r.c.quoted_micros, 0) <= sa.bindparam("most"))
    .order_by(_r.c.due_ms, _r.c.id)
    .limit(sa.bindparam("limit"))
)


def buckets(tx: sa.Connection, since_ms: int) -> dict[int, memory.Bucket]:
    """Counts of all buckets from `since_ms` on."""
    out: dict[int, memory.Bucket] = {}
    for start_ms, word, n in tx.execute(_BUCKETS, {"since": since_ms}):
        bucket = out.setdefault(start_ms, memory.Bucket())
        if word == SENDERS:
            bucket.senders = n
        elif word == TOPICAL:
            bucket.topical = n
        else:
            bucket.words[word] = n
    return out


def forget(tx: sa.Connection, before_ms: int) -> None:
    """Drop counts that nobody looks at any more."""
    tx.execute(_FORGET, {"before": before_ms})


def load(tx: sa.Connection) -> memory.Memory:
    """The memory as last kept."""
    return memory.read(tx.execute(_LOAD).scalar_one_or_none())


def keep(tx: sa.Connection, kept: memory.Memory) -> None:
    """Keep the memory."""
    tx.execute(_KEEP, {**_KEY, "value": kept.text()})


def waiting(tx: sa.Connection, since_ms: int, limit: int, most: int) -> list[Mapping[str, Any]]:
    """Replies held for their turn or by a mode, due since then, of a price of `most` at most."""
    told = {"since": since_ms, "limit": limit, "most": most}
    rows = tx.execute(_WAITING, told).mappings()
    return [dict(row) for row in rows]
