"""What the page shows that changes: what is on offer, whether replies go out, last month's figure.

Open or paused is live. The one figure is of a whole calendar month that ended a day ago or more,
rounded down to tens, and not told under fifty: it changes once a month, so that nobody can find
out by writing himself whether somebody else wrote (C40). It counts replies, which are capped,
and never messages: who floods the number sees no score.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import enum
import time
import zoneinfo
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import sqlalchemy as sa

from bot.contract import clock
from bot.dispatcher import claim
from bot.policy import periods
from bot.store import database, events, pool, tables

LEAST: Final = 50
"""A month with fewer replies is told as "fewer than"."""
_TENS: Final = 10
_OLD_MS: Final = 86_400_000
_c = tables.counters


class Going(enum.StrEnum):
    """Whether replies go out."""

    OPEN = "open"
    PARTLY = "partly"
    PAUSED = "paused"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Replies of a whole month: `about` in tens, None for fewer than LEAST."""

    month: dt.date
    about: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look. `offered`: (channel, address) in the order they are shown; `paused`: channels."""

    offered: tuple[tuple[str, str], ...] = ()
    paused: frozenset[str] = frozenset()
    known: bool = True
    figure: Figure | None = None

    @property
    def going(self) -> Going:
        """Of all that is offered."""
        if not self.known:
            return Going.UNKNOWN
        channels = {channel for channel, _ in self.offered}
        if not channels & self.paused:
            return Going.OPEN
        return Going.PAUSED if channels <= self.paused else Going.PARTLY


def look(
    tx: sa.Connection, *, channels: Iterable[str], zone: zoneinfo.ZoneInfo, now_ms: int
) -> Seen:
    """Read all of it. `channels`: those configured; a database may know former ones."""
    controls = events.controls(tx)
    offered = pool.offered(tx)
    names = [name for name in channels if name in offered]
    return Seen(
        offered=tuple((name, value) for name in names for value in offered[name]),
        paused=_paused(controls, names, now_ms),
        figure=_figure(tx, zone, now_ms),
    )


def _paused(controls: Mapping[str, str], names: Iterable[str], now_ms: int) -> frozenset[str]:
    everything = claim.paused(controls, None, now_ms)
    return frozenset(name for name in names if everything or claim.paused(controls, name, now_ms))


def told_month(now_ms: int, zone: zoneinfo.ZoneInfo) -> str:
    """The last month that ended at least a day ago, `2026-10`."""
    current = dt.date.fromisoformat(periods.month(now_ms - _OLD_MS, zone) + "-01")
    return (current - dt.timedelta(days=1)).isoformat()[:7]


def _figure(tx: sa.Connection, zone: zoneinfo.ZoneInfo, now_ms: int) -> Figure:
    """Also of a month without any reply: that it is told must not tell that there was one."""
    month = told_month(now_ms, zone)
    from_ms = periods.day_start_ms(f"{month}-01", zone)
    until_ms = periods.day_start_ms(f"{periods.next_month(month)}-01", zone)
    within = (_c.c.name == "sent", _c.c.hour_ms >= from_ms, _c.c.hour_ms < until_ms)
    n = tx.execute(sa.select(sa.func.sum(_c.c.n)).where(*within)).scalar()
    about = int(n or 0) // _TENS * _TENS
    return Figure(
        month=dt.date.fromisoformat(f"{month}-01"), about=about if about >= LEAST else None
    )


class Live:
    """The last look, at most `age_s` old; asked for by readers, so nothing runs without any.

    Whoever comes after a quiet time waits for a new look; while one is under way the others get
    the last. A database that is away is told as not known.
    """

    AGE_S: Final = 2.0
    TOO_OLD_S: Final = 10.0
    _WAIT_S: Final = 1.0

    def __init__(
        self,
        store: database.Store,
        *,
        channels: Iterable[str],
        zone: zoneinfo.ZoneInfo,
        moment: clock.Clock,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tick`: seconds that only grow, for the age of a look."""
        self._store, self._channels, self._zone = store, tuple(channels), zone
        self._clock, self._tick = moment, tick
        self._seen = Seen(known=False)
        self._at_s = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def fresh(self) -> Seen | None:
        """The last look if it is young enough: the common case, without a coroutine."""
        return self._seen if self._tick() - self._at_s < self.AGE_S else None

    async def __call__(self) -> Seen:
        """What is so now, or was a moment ago."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="page-look")
        elif self._tick() - self._at_s < self.TOO_OLD_S:
            return self._seen
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._WAIT_S):
                await asyncio.shield(self._task)
        if self._tick() - self._at_s >= self.TOO_OLD_S:
            return dataclasses.replace(self._seen, known=False)
        return self._seen

    async def _look(self) -> None:
        try:
            self._seen = await self._store.read(self._read)
        except database.StoreAwayError:
            self._seen = dataclasses.replace(self._seen, known=False)
        self._at_s = self._tick()

    def _read(self, tx: sa.Connection) -> Seen:
        now_ms = clock.to_ms(self._clock.now())
        return look(tx, channels=self._channels, zone=self._zone, now_ms=now_ms)


Look = Callable[[], Awaitable[Seen]]
