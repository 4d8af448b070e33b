"""Ids in blocks: rows know theirs before they are written, and a batch needs no RETURNING.

Blocks are taken in a transaction of their own, ahead of need, so that a transaction that is
rolled back and run again leaves a gap and nothing worse.
"""

from __future__ import annotations

import functools
import threading
from typing import Final

import sqlalchemy as sa

from bot.store import database, statements, tables

BLOCK: Final = 4_096
NAMES: Final = ("persons", "replies")

_ENSURE = (
    statements.upsert(tables.sequences)
    .values(name=sa.bindparam("name"), next=1)
    .on_conflict_do_nothing(index_elements=["name"])
)
_TAKE = (
    sa.update(tables.sequences)
    .where(tables.sequences.c.name == sa.bindparam("of"))
    .values(next=tables.sequences.c.next + sa.bindparam("count"))
    .returning(tables.sequences.c.next)
)


class Ids:
    """Ids of `persons` and `replies`. `top_up` before a transaction, `take` inside it."""

    def __init__(self) -> None:
        """No block yet."""
        self._lock = threading.Lock()
        self._blocks: dict[str, list[range]] = {name: [] for name in NAMES}

    async def top_up(self, store: database.Store, count: int) -> None:
        """At least `count` ids of each kind are at hand. Raises StoreAwayError."""
        for name in NAMES:
            if sum(map(len, self._blocks[name])) < count:
                fresh = await store.write(
                    functools.partial(_block, name=name, count=max(BLOCK, count)), together=True
                )
                with self._lock:
                    self._blocks[name].append(fresh)

    def take(self, name: str) -> int:
        """One id. LookupError if `top_up` was forgotten."""
        with self._lock:
            blocks = self._blocks[name]
            while not blocks[0]:
                blocks.pop(0)
            first = blocks[0]
            blocks[0] = first[1:]
            return first[0]


def _block(tx: sa.Connection, name: str, count: int) -> range:
    tx.execute(_ENSURE, {"name": name})
    end: int = tx.execute(_TAKE, {"of": name, "count": count}).scalar_one()
    return range(end - count, end)
