"""How many replies a channel may still send today by its ratio of sent to received (quotas).

Providers and carriers shut numbers that mostly send. Both are counted over thirty days: what came
in by the counters of intake, what went out by the caps' own rows, so that neither can be forgotten
by a restart.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable

import sqlalchemy as sa

from bot.policy import periods, scopes, settings
from bot.store import tables

DAYS = 30
_DAY_MS = 86_400_000

_c, _caps = tables.counters, tables.caps


def received(channel: str) -> str:
    """The counter of messages that came in by a channel with such a quota."""
    return f"in:{channel}"


def room(
    tx: sa.Connection, budget: settings.Budget, channels: Iterable[str], now_ms: int
) -> dict[str, int]:
    """Channel -> replies that its ratio leaves for today as a whole, those sent today included."""
    out: dict[str, int] = {}
    quotas = ((name, budget.quotas.get(name)) for name in channels)
    asked = [(n, q.sent_per_received) for n, q in quotas if q and q.sent_per_received is not None]
    if not asked:
        return out
    today = dt.date.fromisoformat(periods.day(now_ms, budget.timezone))
    before = [(today - dt.timedelta(days=n)).isoformat() for n in range(1, DAYS)]
    for channel, most in asked:
        came = tx.execute(
            sa.select(sa.func.coalesce(sa.func.sum(_c.c.n), 0)).where(
                _c.c.name == received(channel), _c.c.hour_ms > now_ms - DAYS * _DAY_MS
            )
        ).scalar_one()
        went = tx.execute(
            sa.select(sa.func.coalesce(sa.func.sum(_caps.c.used), 0)).where(
                _caps.c.scope.in_([scopes.sent(channel, day) for day in before])
            )
        ).scalar_one()
        out[channel] = max(math.floor(most * int(came)) - int(went), 0)
    return out
