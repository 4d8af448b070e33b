"""Messages and replies by the hour as a picture for the room; matplotlib is an extra."""

from __future__ import annotations

import datetime as dt
import io
import zoneinfo
from typing import Any, Final

import sqlalchemy as sa

from bot.contract import room
from bot.store import tables

DAYS: Final = 7
HOUR_MS: Final = 3_600_000
_NAMES: Final = ("messages", "sent")
# Shown about 400 wide on a phone: the letters are to be read there.
_SIZE: Final = (5.0, 2.8)
_DPI: Final = 160
_c = tables.counters


def hours(tx: sa.Connection, now_ms: int, days: int) -> dict[int, tuple[int, int]]:
    """Start of each hour -> messages and replies; hours without any are left out."""
    query = sa.select(_c.c.hour_ms, _c.c.name, _c.c.n).where(
        _c.c.hour_ms >= now_ms - days * 24 * HOUR_MS, _c.c.name.in_(_NAMES)
    )
    found: dict[int, list[int]] = {}
    for hour_ms, name, n in tx.execute(query):
        found.setdefault(hour_ms, [0, 0])[_NAMES.index(name)] = n
    return {hour_ms: (n[0], n[1]) for hour_ms, n in found.items()}


def draw(
    of: dict[int, tuple[int, int]], zone: zoneinfo.ZoneInfo, *, now_ms: int, days: int, french: bool
) -> room.Image | None:
    """A PNG; None where matplotlib is missing. Takes a second: not for the event loop."""
    try:
        from matplotlib import dates, figure  # noqa: PLC0415 (an extra, and a second to import)
    except ImportError:
        return None
    names = ("messages reçus", "réponses") if french else ("messages in", "replies")
    picture = figure.Figure(figsize=_SIZE, layout="constrained")
    axes = picture.subplots()
    listed = sorted(of)
    times: list[Any] = [dt.datetime.fromtimestamp(ms / 1000, dt.UTC) for ms in listed]
    hour: Any = dt.timedelta(hours=1)
    axes.bar(times, [of[ms][0] for ms in listed], width=hour, align="edge", color="#b8c4d6",
             label=names[0])  # fmt: skip
    axes.bar(times, [of[ms][1] for ms in listed], width=hour / 2, align="edge", color="#1f5f8b",
             label=names[1])  # fmt: skip
    start: Any = dt.datetime.fromtimestamp((now_ms - days * 24 * HOUR_MS) / 1000, dt.UTC)
    end: Any = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC) + hour
    axes.set_xlim(start, end)
    axes.set_ylim(bottom=0)
    locator = dates.AutoDateLocator(tz=zone, maxticks=8)  # type: ignore[no-untyped-call]  # theirs
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(locator, tz=zone)  # type: ignore[no-untyped-call]  # theirs
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    held = io.BytesIO()
    picture.savefig(held, format="png", dpi=_DPI)
    total = [sum(n[i] for n in of.values()) for i in (0, 1)]
    return room.Image(
        png=held.getvalue(),
        name="stats.png",
        width=int(_SIZE[0] * _DPI),
        height=int(_SIZE[1] * _DPI),
        alt=f"{total[0]} {names[0]}, {total[1]} {names[1]}",
    )
