"""When a reply falls due: an hour and some, later while he goes on writing, asleep at night."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Final

from bot.policy import settings

# Replies fall due on a grid, so that one durable transaction sends many of them.
GRID_MS: Final = 120_000
_FIRST_SHARE: Final = 0.6
_QUIET_MS: Final = 600_000
_NIGHT_SPREAD_MS: Final = 1_800_000


def _on_grid(moment_ms: int, latest_ms: int) -> int:
    return min(-(-moment_ms // GRID_MS) * GRID_MS, latest_ms)


def latest_ms(first_ms: int, rules: settings.Reply) -> int:
    """The last moment a reply to a first message at `first_ms` is due."""
    return first_ms + rules.delay_max_s * 1000


def first(first_ms: int, rules: settings.Reply, draw: float) -> int:
    """Due time after a first message; `draw` in [0, 1) spreads it over the range's first part.

    The last part of the range is left for people who go on writing.
    """
    span_ms = (rules.delay_max_s - rules.delay_min_s) * 1000
    due_ms = first_ms + rules.delay_min_s * 1000 + int(span_ms * _FIRST_SHARE * draw)
    return _on_grid(due_ms, latest_ms(first_ms, rules))


def again(first_ms: int, due_ms: int, now_ms: int, rules: settings.Reply) -> int:
    """Due time after a further message at `now_ms`: some minutes of quiet, within the range."""
    if rules.delay_max_s == rules.delay_min_s:
        return due_ms
    wanted = _on_grid(max(due_ms, now_ms + _QUIET_MS), latest_ms(first_ms, rules))
    return max(due_ms, wanted)


def after_night(
    now_ms: int, rules: settings.Reply, zone: zoneinfo.ZoneInfo, draw: float
) -> int | None:
    """None if a reply may leave now, else when the night is over (spread over half an hour)."""
    if not rules.night_hold or rules.night_from_hour == rules.night_to_hour:
        return None
    now = dt.datetime.fromtimestamp(now_ms / 1000, zone)
    begin, end = rules.night_from_hour, rules.night_to_hour
    inside = begin <= now.hour < end if begin < end else now.hour >= begin or now.hour < end
    if not inside:
        return None
    morning = now.replace(hour=end % 24, minute=0, second=0, microsecond=0)
    if morning <= now:
        morning = (morning + dt.timedelta(days=1)).replace(hour=end % 24)
    # Through UTC: adding hours to a local time would be an hour off on the nights clocks change.
    return int(morning.timestamp() * 1000) + int(_NIGHT_SPREAD_MS * draw)
