"""Names of the periods that caps count in, in the budget's own time zone (C32)."""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo

_QUARTER_MS = 900_000


def hour_ms(moment_ms: int) -> int:
    """Start of the UTC hour."""
    return moment_ms - moment_ms % 3_600_000


def day(moment_ms: int, zone: zoneinfo.ZoneInfo) -> str:
    """Calendar day, `2026-11-22`."""
    return _names(moment_ms // _QUARTER_MS, zone)[0]


def month(moment_ms: int, zone: zoneinfo.ZoneInfo) -> str:
    """Calendar month, `2026-11`."""
    return day(moment_ms, zone)[:7]


def hour(moment_ms: int, zone: zoneinfo.ZoneInfo) -> str:
    """Hour with its offset, so that the doubled hour in autumn is two: `2026-10-25T02+0200`."""
    return _names(moment_ms // _QUARTER_MS, zone)[1]


def next_day(name: str) -> str:
    """The day after `2026-10-31` is `2026-11-01`."""
    return (dt.date.fromisoformat(name) + dt.timedelta(days=1)).isoformat()


def next_month(name: str) -> str:
    """The month after `2026-12` is `2027-01`."""
    year, number = map(int, name.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02d}"


# All zones in use are whole quarters of an hour off UTC, so a quarter lies in one day and hour.
@functools.lru_cache(4_096)
def _names(quarter: int, zone: zoneinfo.ZoneInfo) -> tuple[str, str]:
    local = dt.datetime.fromtimestamp(quarter * (_QUARTER_MS // 1000), zone)
    return local.strftime("%Y-%m-%d"), local.strftime("%Y-%m-%dT%H%z")


def day_start_ms(name: str, zone: zoneinfo.ZoneInfo) -> int:
    """When that calendar day begins."""
    midnight = dt.datetime.fromisoformat(name).replace(tzinfo=zone)
    return int(midnight.timestamp() * 1000)
