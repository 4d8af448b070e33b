"""The recorded floods through the real rooms, judged by the script that came with them."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from decimal import Decimal

import pytest

from tests.scenarios.conftest import Play

CAP_MICROS = 120_000_000
RUNS = (("seed-2017", None), ("viral", None), ("bait", None), ("rotating", CAP_MICROS))
# What one part to each number that may be answered costs.
SEED_2017_MOST = Decimal(1033)


@pytest.mark.slow
@pytest.mark.case("C08", "C12", "C13", "C15", "C16")
@pytest.mark.parametrize(("name", "cap"), RUNS)
def test_nobody_twice_nobody_early_no_robot_no_stop(play: Play, name: str, cap: int | None) -> None:
    score = play(name, cap).score
    assert (score["twice"], score["too_early"], score["to_robots_or_stops"]) == (0, 0, 0)
    assert score["replies"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "cap"), RUNS)
def test_every_message_and_every_cent_is_accounted_for(
    play: Play, name: str, cap: int | None
) -> None:
    played = play(name, cap)
    report = played.report
    assert report.faults == []
    assert sum(report.fates.values()) == report.messages == played.messages
    assert report.fates["answered"] == report.replies == len(played.replies)
    assert sum(Decimal(one["cost"]) for one in played.replies) == Decimal(played.score["spend"])
    assert Decimal(report.bill_micros) / 1_000_000 == Decimal(played.score["spend"])
    assert Decimal(report.naive_2017_micros) / 1_000_000 == Decimal(played.score["naive_2017"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seed-2017", "viral"])
def test_people_are_answered_on_time(play: Play, name: str) -> None:
    assert play(name, None).score["answered_on_time"] >= 0.99


@pytest.mark.slow
def test_the_bill_of_2017_is_one_part_to_each_number_at_the_most(play: Play) -> None:
    score = play("seed-2017", None).score
    assert Decimal(score["spend"]) <= SEED_2017_MOST
    assert Decimal(score["spend"]) * 3 < Decimal(score["naive_2017"])


@pytest.mark.slow
@pytest.mark.case("C06")
def test_a_capped_day_never_costs_a_cent_more(play: Play) -> None:
    played = play("rotating", CAP_MICROS)
    zone = zoneinfo.ZoneInfo("Europe/Paris")
    spent: Counter[dt.date] = Counter()
    for one in played.replies:
        moment = played.start + dt.timedelta(seconds=one["at"])
        spent[moment.astimezone(zone).date()] += int(Decimal(one["cost"]) * 1_000_000)
    assert max(spent.values()) <= CAP_MICROS
    # The cap binds here, so it is the cap that was seen at work.
    assert max(spent.values()) > CAP_MICROS * 0.98
    assert played.report.reserved_day_max_micros <= CAP_MICROS
    assert played.report.faults == []
    assert sum(played.report.fates.values()) == played.messages
    assert (played.score["twice"], played.score["too_early"]) == (0, 0)
