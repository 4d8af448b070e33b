"""The breaker to the last figure: what it wants, when it turns, what it says and what it keeps."""

from __future__ import annotations

import dataclasses

import pytest

from bot.policy import settings
from bot.policy.flood import breaker
from bot.policy.flood.breaker import Setting
from bot.policy.flood.snapshot import Mode

NOW_MS = 1_800_000_000_000
CALM = breaker.Sight(now_ms=NOW_MS, senders=0.0, topical=0.0, surging=False, spent=None)
LEAST = breaker._TOPICAL_LEAST


def sight(**change: object) -> breaker.Sight:
    return dataclasses.replace(CALM, **change)  # type: ignore[arg-type]


SPENT = (Mode.FREE_ONLY, "100% of the day's money is used")
CROWD = max(LEAST, 100) * 2.0


@pytest.mark.parametrize(
    ("told", "mode", "reason"),
    [
        ({}, Mode.NORMAL, ""),
        ({"spent": breaker.SPENT}, *SPENT),
        ({"spent": breaker.SPENT - 0.001}, Mode.NORMAL, ""),
        (
            {"senders": CROWD, "topical": CROWD * breaker.TOPICAL},
            Mode.TIGHT,
            f"{breaker.TOPICAL:.0%} of new senders write about one new topic",
        ),
        ({"senders": CROWD, "topical": CROWD * breaker.TOPICAL - 0.5}, Mode.NORMAL, ""),
        ({"senders": LEAST - 0.5, "topical": float(LEAST)}, Mode.NORMAL, ""),
        (
            {"senders": float(LEAST), "topical": float(LEAST)},
            Mode.TIGHT,
            "100% of new senders write about one new topic",
        ),
        (
            {"senders": 12.4, "surging": True},
            Mode.TIGHT,
            "12 new senders in an hour, far more than usual",
        ),
        # Money first, then the topic, then the surge.
        ({"spent": 1.0, "senders": CROWD, "topical": CROWD, "surging": True}, *SPENT),
    ],
)
def test_what_a_look_calls_for(told: dict[str, object], mode: Mode, reason: str) -> None:
    assert breaker.wanted(sight(**told)) == (mode, reason)


THEN_MS = NOW_MS - 60_000
SURGE = {"senders": 50.0, "surging": True}
WHY = "50 new senders in an hour, far more than usual"


@pytest.mark.parametrize(
    ("before", "told", "after"),
    [
        # It begins with its reason, and goes on with the first one as long as it is stirred.
        (
            Setting(),
            SURGE,
            Setting(mode=Mode.TIGHT, since_ms=NOW_MS, stirred_ms=NOW_MS, reason=WHY),
        ),
        (
            Setting(mode=Mode.TIGHT, since_ms=5, stirred_ms=THEN_MS, reason="first"),
            SURGE,
            Setting(mode=Mode.TIGHT, since_ms=5, stirred_ms=NOW_MS, reason="first"),
        ),
        # From one to another, either way.
        (
            Setting(mode=Mode.TIGHT, since_ms=5, stirred_ms=THEN_MS, reason="first"),
            {"spent": 1.0},
            Setting(mode=Mode.FREE_ONLY, since_ms=NOW_MS, stirred_ms=NOW_MS, reason=SPENT[1]),
        ),
        (
            Setting(mode=Mode.FREE_ONLY, since_ms=5, stirred_ms=THEN_MS, reason="first"),
            SURGE,
            Setting(mode=Mode.TIGHT, since_ms=NOW_MS, stirred_ms=NOW_MS, reason=WHY),
        ),
        # There is money again, at once below nine tenths; at nine tenths not yet.
        (
            Setting(mode=Mode.FREE_ONLY, since_ms=5, stirred_ms=THEN_MS),
            {"spent": 0.89},
            Setting(since_ms=NOW_MS, stirred_ms=NOW_MS, reason="there is money"),
        ),
        (
            Setting(mode=Mode.FREE_ONLY, since_ms=5, stirred_ms=THEN_MS),
            {},
            Setting(since_ms=NOW_MS, stirred_ms=NOW_MS, reason="there is money"),
        ),
        (
            Setting(mode=Mode.FREE_ONLY, since_ms=5, stirred_ms=THEN_MS),
            {"spent": breaker.MONEY_BACK},
            None,
        ),
        # Calm for an hour, to the millisecond; money does not hurry a tight one.
        (
            Setting(mode=Mode.TIGHT, since_ms=5, stirred_ms=NOW_MS - breaker.CALM_MS),
            {},
            Setting(since_ms=NOW_MS, stirred_ms=NOW_MS, reason="calm for an hour"),
        ),
        (Setting(mode=Mode.TIGHT, since_ms=5, stirred_ms=NOW_MS - breaker.CALM_MS + 1), {}, None),
        (Setting(since_ms=5, stirred_ms=6, reason="calm for an hour"), {}, None),
        # What people set stays until they change it.
        (Setting(mode=Mode.REVIEW, since_ms=5, stirred_ms=6), {"spent": 1.0}, None),
        (Setting(mode=Mode.RECEIVE_ONLY, since_ms=5, stirred_ms=6), {}, None),
    ],
)
def test_it_turns_only_for_a_reason(
    before: Setting, told: dict[str, object], after: Setting | None
) -> None:
    assert breaker.turn(before, sight(**told)) == (before if after is None else after)


def test_a_surge_is_measured_against_the_busiest_hour_around() -> None:
    rules = settings.Flood()
    usual = tuple(float(10 * (hour == 3)) + 1 for hour in range(24))
    line = rules.surge_factor * 11
    least = breaker.SURGE_LEAST

    def surges(senders: float, hour: int, share: float = 1.0, topical: float = 0.0) -> bool:
        return breaker.surging(senders, topical, usual, hour, share, rules)

    high = max(line, least)
    for hour in (2, 3, 4):
        assert surges(high, hour)
        assert not surges(high - 0.5, hour)
        assert surges(high / 2, hour, share=0.5)
        assert not surges(high / 2 - 0.5, hour, share=0.5)
    # A quiet night needs a least number all the same, also over midnight.
    quiet = max(rules.surge_factor, least)
    for hour in (0, 12, 23):
        assert surges(quiet, hour)
        assert not surges(quiet - 0.5, hour)
        # Who writes about the topic is no surge, but a raid.
        assert not surges(quiet, hour, topical=0.5)
        assert surges(quiet + 5, hour, topical=5)
    never = dataclasses.replace(rules, surges=False)
    assert not breaker.surging(1e6, 0.0, usual, 3, 1.0, never)
    assert not breaker.surging(1e6, 0.0, None, 3, 1.0, rules)
