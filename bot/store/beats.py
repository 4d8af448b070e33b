"""Signs of life of processes that send, for those that do not: a web process has none of its own.

Rows of `storage` under the empty channel; a name is a process (host and number), never a person.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from bot.store import keyvalue, tables

_PREFIX: Final = "beat:"
# What a killed process left behind.
_FORGET_MS: Final = 86_400_000

_t = tables.storage
_ALL = sa.select(_t.c.key, _t.c.value).where(_t.c.channel == "", _t.c.key.startswith(_PREFIX))


def put(tx: sa.Connection, name: str, now_ms: int) -> None:
    """`name` is alive."""
    keyvalue.put(tx, "", _PREFIX + name, str(now_ms))
    for key, value in tx.execute(_ALL).all():
        if now_ms - int(value) > _FORGET_MS:
            keyvalue.put(tx, "", key, None)


def end(tx: sa.Connection, name: str) -> None:
    """`name` ended as it should."""
    keyvalue.put(tx, "", _PREFIX + name, None)


def ages(tx: sa.Connection, now_ms: int) -> dict[str, float]:
    """Seconds since each process's last sign of life."""
    return {
        key.removeprefix(_PREFIX): (now_ms - int(value)) / 1000 for key, value in tx.execute(_ALL)
    }
