"""A scarce free quota goes to the dearest destinations first (route `cheapest`).

Each reply that went out while two channels could have taken it is counted by what the channel
with the quota would have saved. From thirty days of that follows below which saving the quota is
kept for others. Counters of the database hold it, so a restart forgets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from bot import ledger
from bot.policy import periods, routing, settings
from bot.store import tables

_FRESH_MS: Final = 600_000
_DAY_MS: Final = 86_400_000
_SPAN_MS: Final = routing.HISTORY_DAYS * _DAY_MS
_PREFIX: Final = "saves:"

_c = tables.counters
_WANTED = (
    sa.select(_c.c.name, sa.func.sum(_c.c.n))
    .where(_c.c.name.startswith(_PREFIX), _c.c.hour_ms > sa.bindparam("from_ms"))
    .group_by(_c.c.name)
)


def counter(channel: str, micros: int) -> str:
    """The counter of people to whom this channel would have saved so much."""
    return f"{_PREFIX}{channel}:{micros}"


class Savings:
    """What is known of savings; read anew every ten minutes."""

    def __init__(self, budget: settings.Budget) -> None:
        self._budget = budget
        self._wanted: dict[str, dict[int, int]] = {}
        self._read_ms: int | None = None
        self.scarce: Final = frozenset(
            name
            for name, quota in budget.quotas.items()
            if quota.recipients_per_month is not None or quota.parts_per_day is not None
        )

    def least(self, tx: sa.Connection, now_ms: int) -> Mapping[str, int]:
        """Channel with a quota -> the saving in micros below which it is kept for others."""
        if not self.scarce:
            return {}
        if self._read_ms is None or not 0 <= now_ms - self._read_ms < _FRESH_MS:
            self._wanted = _read(tx, now_ms)
            self._read_ms = now_ms
        return {channel: self._of(tx, channel, now_ms) for channel in self.scarce}

    def _of(self, tx: sa.Connection, channel: str, now_ms: int) -> int:
        wanted = self._wanted.get(channel, {})
        quota, zone = self._budget.quotas[channel], self._budget.timezone
        day = periods.day(now_ms, zone)
        month = day[:7]
        least = 0
        for scope, limit, end in (
            (f"recipients:{channel}:{month}", quota.recipients_per_month, _first(month)),
            (f"parts:{channel}:{day}", quota.parts_per_day, periods.next_day(day)),
        ):
            if limit is None:
                continue
            left = limit - ledger.used(tx, scope)
            if left > 0:
                share = (periods.day_start_ms(end, zone) - now_ms) / _SPAN_MS
                least = max(least, routing.least_saving(wanted, left, share))
        return least


def _first(month: str) -> str:
    """The first day of the month after this."""
    return f"{periods.next_month(month)}-01"


def _read(tx: sa.Connection, now_ms: int) -> dict[str, dict[int, int]]:
    out: dict[str, dict[int, int]] = {}
    for name, n in tx.execute(_WANTED, {"from_ms": now_ms - _SPAN_MS}):
        channel, _, micros = name.removeprefix(_PREFIX).rpartition(":")
        out.setdefault(channel, {})[int(micros)] = int(n)
    return out
