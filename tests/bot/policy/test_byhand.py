"""What moderators set, as the claim and the leader read it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.flood import byhand, snapshot
from bot.policy.flood.snapshot import Mode

HOUR_MS = 3_600_000
NOW_MS = 1_795_000_000_000

modes = st.sampled_from(list(Mode))
moments = st.integers(0, 2 * NOW_MS)


def put(mode: Mode, until_ms: int | None = None, since_ms: int = NOW_MS) -> dict[str, str]:
    order = byhand.Order(mode=mode, since_ms=since_ms, until_ms=until_ms, who="anna")
    return {byhand.KEY: order.text()}


@given(modes, moments, st.none() | moments, st.text(max_size=40))
def test_an_order_comes_back_as_it_was(
    mode: Mode, since_ms: int, until_ms: int | None, who: str
) -> None:
    order = byhand.Order(mode=mode, since_ms=since_ms, until_ms=until_ms, who=who)
    assert byhand.read({byhand.KEY: order.text()}) == order


@pytest.mark.case("C20")
@given(modes, modes, st.none() | moments, moments)
def test_what_a_person_set_rules_until_its_end_and_not_a_moment_longer(
    by_hand: Mode, by_rules: Mode, until_ms: int | None, now_ms: int
) -> None:
    controls = put(by_hand, until_ms)
    over = until_ms is not None and now_ms >= until_ms
    assert byhand.mode(controls, by_rules, now_ms) is (by_rules if over else by_hand)
    assert byhand.mode({}, by_rules, now_ms) is by_rules


@given(st.text(max_size=60))
def test_what_nobody_can_read_lets_nothing_go(value: str) -> None:
    found = byhand.read({byhand.KEY: value})
    assert found is not None
    assert found.mode in byhand.HOLDING
    assert byhand.order({byhand.KEY: value}, NOW_MS) == found


@pytest.mark.parametrize(
    "value",
    [
        "",
        "[]",
        "{",
        '{"mode": "tight"}',
        '{"mode": "loose", "since_ms": 5, "until_ms": null, "who": ""}',
        '{"mode": "tight", "since_ms": null, "until_ms": null, "who": ""}',
        '{"mode": "tight", "since_ms": 5, "until_ms": "soon", "who": ""}',
    ],
)
def test_what_nobody_can_read_is_a_review_since_ever_without_an_end(value: str) -> None:
    assert byhand.read({byhand.KEY: value}) == byhand.Order(mode=Mode.REVIEW, since_ms=0)
    assert byhand.read({}) is None


def test_a_row_says_its_mode_by_its_word_and_nothing_else_than_an_order() -> None:
    kept = json.loads(put(Mode.FREE_ONLY, 9, 5)[byhand.KEY])
    assert kept == {"mode": "free-only", "since_ms": 5, "until_ms": 9, "who": "anna"}


def test_a_crowd_is_of_the_quarters_that_have_begun() -> None:
    quarter = snapshot.BUCKET_MS
    begin_ms = snapshot.bucket_ms(NOW_MS)
    controls = put(Mode.TIGHT, since_ms=begin_ms - quarter)
    both = {begin_ms - quarter, begin_ms}
    assert byhand.crowd(controls, begin_ms - 1) == {begin_ms - quarter}
    assert byhand.crowd(controls, begin_ms) == both
    assert byhand.crowd(controls, begin_ms + quarter - 1) == both


def test_in_tight_by_hand_everybody_since_counts_as_one_of_a_crowd() -> None:
    controls = put(Mode.TIGHT, NOW_MS + HOUR_MS, NOW_MS - HOUR_MS)
    seen = byhand.seen(snapshot.Snapshot(surges=frozenset({900_000})), controls, NOW_MS)
    assert seen.mode is Mode.TIGHT
    assert seen.in_surge(NOW_MS)
    assert seen.in_surge(NOW_MS - HOUR_MS)
    assert not seen.in_surge(NOW_MS - 2 * HOUR_MS)
    assert seen.in_surge(900_000)
    over = byhand.seen(snapshot.CALM, controls, NOW_MS + HOUR_MS)
    assert (over.mode, over.surges) == (Mode.NORMAL, frozenset())


def test_a_long_tight_mode_asks_for_no_endless_list() -> None:
    assert len(byhand.crowd(put(Mode.TIGHT, since_ms=0), NOW_MS)) <= 4 * 36 + 2
    for mode in set(Mode) - {Mode.TIGHT}:
        assert not byhand.crowd(put(mode), NOW_MS)


def test_fine_words_are_flagged_no_more() -> None:
    controls = {"topic:7": "fine", "topic:8": "other", "paused": "forever"}
    assert byhand.fine(controls) == {7}
    before = snapshot.Snapshot(flagged={7: 1, 8: 1})
    assert byhand.seen(before, controls, NOW_MS).flagged == {8: 1}
    assert byhand.seen(before, {"paused": "1"}, NOW_MS) is before
