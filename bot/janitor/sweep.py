"""What came in while nobody listened: bridges that can list it hand it in again (C09).

Intake knows what it has seen, so an overlap costs a look-up and nothing else.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
import structlog

from bot.contract import bridge, clock, intake
from bot.store import database, statements, tables

_log = structlog.get_logger(__name__)

LIMIT_S: Final = 300.0
# Providers list late and date by the day; after a start, and once an hour, look that far back.
OVERLAP_MS: Final = 2 * 86_400_000
_SHORT_OVERLAP_MS: Final = 3_600_000
_LONG_EVERY_MS: Final = 3_600_000
_KEY: Final = "core:swept_ms"

_t = tables.storage
_READ = sa.select(_t.c.value).where(_t.c.channel == sa.bindparam("of"), _t.c.key == _KEY)
_insert = statements.upsert(_t)
_WRITE = _insert.on_conflict_do_update(
    index_elements=["channel", "key"], set_={"value": _insert.excluded.value}
)


class Sweeps:
    """When each channel was swept last outlives a restart; an outage is swept as a whole."""

    def __init__(self, bridges: Mapping[str, bridge.Bridge], door: intake.Intake) -> None:
        """Nothing is swept yet."""
        self._ways = {n: b for n, b in bridges.items() if isinstance(b, bridge.SweepsInbound)}
        self._door = door
        self._long_ms: dict[str, int] = {}

    async def step(self, store: database.Store, now_ms: int) -> dict[str, int]:
        """Sweep each channel once; a sweep that failed is taken up from where it began."""
        out = {"swept": 0, "sweeps_failed": 0}
        for name, way in self._ways.items():
            since_ms = await self._since(store, name, now_ms)
            # One bridge's trouble must not keep the others from being swept.
            (listed,) = await asyncio.gather(self._listed(way, since_ms), return_exceptions=True)
            if isinstance(listed, BaseException):
                out["sweeps_failed"] += 1
                _log.warning("sweep_failed", channel=name, error=type(listed).__name__)
                self._long_ms.pop(name, None)
                continue
            out["swept"] += listed
            row = {"channel": name, "key": _KEY, "value": str(now_ms)}
            await store.write(functools.partial(_remember, row=row))
        return out

    async def _listed(self, way: bridge.SweepsInbound, since_ms: int) -> int:
        """The sweep begins only where it is awaited: a cancelled step leaves none behind."""
        async with asyncio.timeout(LIMIT_S):
            return await way.sweep(self._door, clock.from_ms(since_ms))

    async def _since(self, store: database.Store, name: str, now_ms: int) -> int:
        def work(tx: sa.Connection) -> str | None:
            value: str | None = tx.execute(_READ, {"of": name}).scalar_one_or_none()
            return value

        kept = await store.read(work)
        # A clock that was ahead must not make a gap.
        last_ms = min(int(kept), now_ms) if kept is not None else now_ms
        long_ms = self._long_ms.get(name)
        if long_ms is None or now_ms - long_ms >= _LONG_EVERY_MS:
            self._long_ms[name] = now_ms
            return last_ms - OVERLAP_MS
        return last_ms - _SHORT_OVERLAP_MS


def _remember(tx: sa.Connection, row: Mapping[str, str]) -> None:
    tx.execute(_WRITE, dict(row))
