"""The table of states, the choice of a route, and the names of periods."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy import lifecycle, periods, routing, settings
from bot.policy.lifecycle import State

PARIS = zoneinfo.ZoneInfo("Europe/Paris")


def test_every_state_is_in_the_table_and_reachable() -> None:
    assert set(lifecycle.MOVES) == set(State)
    reached = {State.HELD, State.SCHEDULED}
    while more := {s for r in reached for s in lifecycle.MOVES[r]} - reached:
        reached |= more
    assert reached == set(State)


@pytest.mark.case("C04")
def test_what_may_have_gone_out_is_never_scheduled_again() -> None:
    seen, todo = set(), [State.UNKNOWN, State.SENT]
    while todo:
        state = todo.pop()
        seen.add(state)
        todo += [s for s in lifecycle.MOVES[state] if s not in seen]
    assert State.SCHEDULED not in seen
    assert State.SENDING not in seen
    assert State.UNKNOWN not in lifecycle.GIVES_BACK
    with pytest.raises(lifecycle.IllegalMoveError, match="unknown reply cannot become scheduled"):
        lifecycle.check(State.UNKNOWN, State.SCHEDULED)


def _offer(channel: str, micros: int, parts: int = 1) -> routing.Offer:
    return routing.Offer(channel=channel, own_address="x", micros=micros, parts=parts)


@pytest.mark.case("C43")
def test_same_takes_nothing_but_the_channel_written_to() -> None:
    offers = [_offer("sim", 0), _offer("twilio", 80_000)]
    rules = settings.Reply(route="same")
    ranked = routing.ranked(offers, written_to="twilio", rules=rules, ceiling_micros=150_000)
    assert ranked == [offers[1]]
    assert not routing.ranked(offers[:1], written_to="twilio", rules=rules, ceiling_micros=150_000)


def test_cheapest_prefers_price_then_the_channel_written_to() -> None:
    rules = settings.Reply(route="cheapest")
    offers = [_offer("a", 80_000), _offer("b", 70_000), _offer("c", 70_000)]
    a, b, c = offers
    for written_to, order in (("c", [c, b, a]), ("a", [b, c, a])):
        ranked = routing.ranked(offers, written_to=written_to, rules=rules, ceiling_micros=150_000)
        assert ranked == order


@pytest.mark.case("C19")
@given(st.integers(0, 10**7), st.integers(1, 5))
def test_no_part_above_the_ceiling(micros: int, parts: int) -> None:
    ranked = routing.ranked(
        [_offer("a", micros, parts)],
        written_to="a",
        rules=settings.Reply(),
        ceiling_micros=150_000,
    )
    assert (not ranked) == (micros / parts > 150_000)


def _ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.case("C32")
@pytest.mark.parametrize(
    ("moment", "day", "hour"),
    [
        ("2026-10-31T22:59:59+00:00", "2026-10-31", "2026-10-31T23+0100"),
        ("2026-10-31T23:00:00+00:00", "2026-11-01", "2026-11-01T00+0100"),
        # Summer time ends: two different hours that both show 02.
        ("2026-10-25T00:30:00+00:00", "2026-10-25", "2026-10-25T02+0200"),
        ("2026-10-25T01:30:00+00:00", "2026-10-25", "2026-10-25T02+0100"),
        # And begins: 02 does not exist.
        ("2026-03-29T01:00:00+00:00", "2026-03-29", "2026-03-29T03+0200"),
    ],
)
def test_periods_follow_the_budgets_zone(moment: str, day: str, hour: str) -> None:
    assert periods.day(_ms(moment), PARIS) == day
    assert periods.hour(_ms(moment), PARIS) == hour
    assert periods.month(_ms(moment), PARIS) == day[:7]


@pytest.mark.case("C32")
@given(
    st.datetimes(
        dt.datetime(2015, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None),
        dt.datetime(2040, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None),
    ),
    st.sampled_from(
        ["Europe/Paris", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Kolkata"]
    ),
)
def test_names_agree_with_the_calendar(naive: dt.datetime, zone: str) -> None:
    moment = naive.replace(tzinfo=dt.UTC)
    info = zoneinfo.ZoneInfo(zone)
    local = moment.astimezone(info)
    moment_ms = int(moment.timestamp()) * 1000
    assert periods.day(moment_ms, info) == local.date().isoformat()
    assert periods.hour(moment_ms, info) == local.strftime("%Y-%m-%dT%H%z")


def test_the_next_periods() -> None:
    assert periods.next_day("2026-12-31") == "2027-01-01"
    assert periods.next_month("2026-12") == "2027-01"
    assert periods.next_month("2026-01") == "2026-02"
    assert periods.day_start_ms("2026-10-25", PARIS) == _ms("2026-10-24T22:00:00+00:00")
