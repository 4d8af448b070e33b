"""What `check` says of our own addresses: which had better rest, which must be kept, until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from bot import config
from bot.console import pool
from bot.contract import bridge, clock


def warnings(
    own: Sequence[pool.Own], settings: config.Settings, now_ms: int | None = None
) -> Iterator[str]:
    """One line an address that something is to be done about, with its day."""
    now_ms = clock.to_ms(clock.SystemClock().now()) if now_ms is None else now_ms
    zone = settings.core.budget.timezone
    for one in own:
        if one.due_ms is None:
            continue
        day = dt.datetime.fromtimestamp(one.due_ms / 1000, zone).date().isoformat()
        over = one.due_ms <= now_ms
        if one.state == bridge.State.OFFERED and over:
            yield (
                f"addresses: {one.value} had been on offer for {pool.OFFERED_DAYS} days on {day} "
                "and gets known; offer another one, then: antirelou addresses rest "
                f"{one.value}"
            )
        elif one.state == bridge.State.RETIRED and over:
            yield (
                f"addresses: {one.value} was kept for a year on {day}; look whether anybody still "
                "writes to it, then it may be given back"
            )
        elif one.state == bridge.State.RETIRED and one.channel not in settings.channels:
            yield (
                f"addresses: {one.value} is retired and its channel {one.channel} is gone from the "
                f"settings; keep the number paid until {day}, or it goes to a private person"
            )
