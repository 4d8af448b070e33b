"""What channels kept that are no longer configured: nobody is left to look it through.

A bridge forgets by age what it keeps of people (Signal's look-ups, say), for 30 days at the most.
That long after its channel was taken out of the settings everything of it is too old, and all of it
goes. A channel that comes back in time finds what it left.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Final

import sqlalchemy as sa

from bot.store import database, keyvalue, tables

KEPT_DAYS: Final = 30
_DAY_MS: Final = 86_400_000
# Since when a channel is seen to be gone; a key among its own.
_SINCE: Final = "core:gone_ms"

_s = tables.storage
# The core's own rows stand under no name, or one with a dot: no channel may have it.
_NAMED: Final = sa.and_(_s.c.channel != "", ~_s.c.channel.contains("."))
_NAMES = sa.select(_s.c.channel).where(_NAMED).distinct()


async def forget(store: database.Store, configured: Collection[str], now_ms: int) -> dict[str, int]:
    """How many rows went."""
    work = functools.partial(_forget, configured=configured, now_ms=now_ms)
    return {"gone_channels": await store.write(work)}


def _forget(tx: sa.Connection, configured: Collection[str], now_ms: int) -> int:
    rows = 0
    for name in tx.execute(_NAMES).scalars().all():
        since = keyvalue.get(tx, name, _SINCE)
        if name in configured:
            if since is not None:
                keyvalue.put(tx, name, _SINCE, None)
        elif since is None:
            keyvalue.put(tx, name, _SINCE, str(now_ms))
        elif now_ms - int(since) >= KEPT_DAYS * _DAY_MS:
            rows += tx.execute(sa.delete(_s).where(_s.c.channel == name)).rowcount
    return rows
