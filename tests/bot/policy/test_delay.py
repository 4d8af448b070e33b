"""The delay: never before the hour, never past the range, asleep at night (C16, C32)."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy import delay, settings

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
RULES = settings.Reply()
_TIMES = st.integers(1_500_000_000_000, 1_900_000_000_000)
_DRAWS = st.floats(0, 1, exclude_max=True)


@pytest.mark.case("C16")
@given(_TIMES, _DRAWS)
def test_first_due_lies_in_the_range_on_the_grid(first_ms: int, draw: float) -> None:
    due_ms = delay.first(first_ms, RULES, draw)
    assert first_ms + 3_600_000 <= due_ms <= first_ms + 6_300_000
    assert due_ms % delay.GRID_MS == 0 or due_ms == first_ms + 6_300_000


@given(_TIMES, _DRAWS, st.lists(st.integers(0, 1_000_000), max_size=30))
def test_writing_on_only_delays_and_never_past_the_range(
    first_ms: int, draw: float, gaps: list[int]
) -> None:
    due_ms, now_ms = delay.first(first_ms, RULES, draw), first_ms
    for gap in gaps:
        now_ms += gap
        if now_ms >= due_ms:
            break
        later_ms = delay.again(first_ms, due_ms, now_ms, RULES)
        assert due_ms <= later_ms <= first_ms + 6_300_000
        due_ms = later_ms


def test_he_who_writes_on_near_the_end_gets_some_quiet() -> None:
    first_ms = 1_800_000_000_000
    due_ms = delay.first(first_ms, RULES, 0.0)
    assert delay.again(first_ms, due_ms, due_ms - 1_000, RULES) >= due_ms + 590_000


@pytest.mark.parametrize("minimum", [0, 3600])
def test_a_fixed_delay_is_fixed(minimum: int) -> None:
    rules = settings.Reply(delay_min_s=minimum, delay_max_s=minimum)
    assert delay.first(1_000, rules, 0.9) == 1_000 + minimum * 1000
    assert delay.again(1_000, 5_000, 4_000, rules) == 5_000


def _ms(text: str, zone: dt.tzinfo = PARIS) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


NIGHT = settings.Reply(night_hold=True)


@pytest.mark.parametrize(
    ("now", "morning"),
    [
        ("2026-11-22T23:59:59", None),
        ("2026-11-23T00:00:00", "2026-11-23T08:00:00"),
        ("2026-11-23T07:59:59", "2026-11-23T08:00:00"),
        ("2026-11-23T08:00:00", None),
        # The nights in which clocks change are seven and nine hours long.
        ("2026-03-29T01:30:00", "2026-03-29T08:00:00"),
        ("2026-10-25T01:30:00", "2026-10-25T08:00:00"),
    ],
)
@pytest.mark.case("C32")
def test_the_night_ends_in_the_morning(now: str, morning: str | None) -> None:
    until_ms = delay.after_night(_ms(now), NIGHT, PARIS, 0.0)
    assert until_ms == (None if morning is None else _ms(morning))


def test_a_night_over_midnight_and_its_spread() -> None:
    rules = settings.Reply(night_hold=True, night_from_hour=22, night_to_hour=7)
    until_ms = delay.after_night(_ms("2026-11-22T22:10:00"), rules, PARIS, 0.5)
    assert until_ms == _ms("2026-11-23T07:15:00")
    assert delay.after_night(_ms("2026-11-22T21:59:00"), rules, PARIS, 0.5) is None


@given(_TIMES, _DRAWS, st.integers(0, 23), st.integers(0, 23))
def test_the_morning_is_later_and_outside_the_night(
    now_ms: int, draw: float, begin: int, end: int
) -> None:
    rules = settings.Reply(night_hold=True, night_from_hour=begin, night_to_hour=end)
    until_ms = delay.after_night(now_ms, rules, PARIS, draw)
    if until_ms is None:
        return
    assert now_ms < until_ms <= now_ms + 26 * 3_600_000
    early_ms = delay.after_night(now_ms, rules, PARIS, 0.0)
    assert early_ms is not None
    assert delay.after_night(early_ms, rules, PARIS, 0.0) is None


def test_no_night_hold_unless_asked_for() -> None:
    assert delay.after_night(_ms("2026-11-23T03:00:00"), RULES, PARIS, 0.3) is None
