"""Who did what: one row an act, chained by hash to the one before, and one event.

Holds ids, names of accounts and what was decided, never an address or a text. Whoever changes,
removes or slips in a row breaks the chain from there on; whoever rewrites all of it ends with
another `head`, and the room is told the head every day.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Final

import sqlalchemy as sa

from bot.store import events, tables

KIND: Final = "act"
_FIRST: Final = bytes(32)
_a = tables.audit
_LAST = sa.select(_a.c.hash).order_by(_a.c.id.desc()).limit(1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One act. `data`: its details as JSON."""

    id: int
    at_ms: int
    who: str
    act: str
    data: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """`broken_at`: id of the first row that does not follow the one before; None if all do.

    `head`: the first 16 hexadecimal digits of the last row's hash.
    """

    length: int
    head: str
    broken_at: int | None


def note(
    tx: sa.Connection, now_ms: int, who: str, act: str, **details: str | int | list[int] | None
) -> None:
    """Append the act in its own transaction.

    Two transactions that follow the same row conflict, and the later one runs again.
    """
    told = {key: value for key, value in details.items() if value is not None}
    events.append(tx, now_ms, KIND, {"act": act, "who": who, **told})
    before: bytes = tx.execute(_LAST).scalar_one_or_none() or _FIRST
    data = json.dumps(told, sort_keys=True)
    row = {"at_ms": now_ms, "who": who, "act": act, "data": data, "before": before}
    tx.execute(sa.insert(_a), {**row, "hash": _hash(before, now_ms, who, act, data)})


def _hash(before: bytes, at_ms: int, who: str, act: str, data: str) -> bytes:
    return hashlib.sha256(before + json.dumps([at_ms, who, act, data]).encode()).digest()


def verify(tx: sa.Connection) -> Chain:
    """Walk the whole chain."""
    before, length = _FIRST, 0
    for row in tx.execute(sa.select(_a).order_by(_a.c.id)).mappings():
        due = _hash(before, row["at_ms"], row["who"], row["act"], row["data"])
        if row["before"] != before or row["hash"] != due:
            return Chain(length=length, head=before.hex()[:16], broken_at=row["id"])
        before, length = due, length + 1
    return Chain(length=length, head=before.hex()[:16], broken_at=None)


def last(tx: sa.Connection, limit: int) -> list[Entry]:
    """The newest acts, newest first."""
    query = sa.select(_a.c.id, _a.c.at_ms, _a.c.who, _a.c.act, _a.c.data)
    rows = tx.execute(query.order_by(_a.c.id.desc()).limit(limit)).mappings()
    return [Entry(**row) for row in rows]
