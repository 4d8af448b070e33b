"""The recorded floods through the real rooms, judged by the script that came with them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import gzip
import json
import subprocess
import sys
import zoneinfo
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot import simulate
from bot.policy import settings

NAMES = ("seed-2017", "viral", "bait", "rotating")
CAP_MICROS = 100_000_000
# What one part to each number that may be answered costs.
SEED_2017_MOST = Decimal(1033)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Played:
    """One recording after its run: the report, the replies written, and the script's words."""

    report: simulate.Report
    replies: list[dict[str, Any]]
    score: dict[str, Any]
    start: dt.datetime
    messages: int


Play = Callable[[str, int | None], Played]


@pytest.fixture(scope="module")
def play(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Run a recording, each only once in this file."""
    goal = tmp_path_factory.mktemp("replies")

    @functools.cache
    def run(name: str, cap_micros: int | None) -> Played:
        scenarios = shared_dir / "scenarios"
        trace, truth = scenarios / f"{name}.jsonl.gz", scenarios / f"{name}.truth.csv"
        replies = goal / f"{name}-{cap_micros}.jsonl"
        budget = settings.Budget(cap_day_micros=cap_micros, cap_month_micros=None)
        report = simulate.run(trace, settings.Core(budget=budget), replies=replies)
        told = subprocess.run(
            [sys.executable, scenarios / "score.py", trace, truth, replies],
            check=True,
            capture_output=True,
        ).stdout
        with gzip.open(trace, "rt", encoding="utf-8") as file:
            world = json.loads(next(file))
            messages = sum(1 for _ in file)
        return Played(
            report=report,
            replies=[json.loads(line) for line in replies.read_text().splitlines()],
            score=json.loads(told),
            start=dt.datetime.fromisoformat(world["start"]),
            messages=messages,
        )

    return run


@pytest.mark.slow
@pytest.mark.case("C08", "C12", "C13", "C15", "C16")
@pytest.mark.parametrize("name", NAMES)
def test_nobody_twice_nobody_early_no_robot_no_stop(play: Play, name: str) -> None:
    score = play(name, None).score
    assert (score["twice"], score["too_early"], score["to_robots_or_stops"]) == (0, 0, 0)
    assert score["replies"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_message_and_every_cent_is_accounted_for(play: Play, name: str) -> None:
    played = play(name, None)
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
    played = play("seed-2017", CAP_MICROS)
    zone = zoneinfo.ZoneInfo("Europe/Paris")
    spent: Counter[dt.date] = Counter()
    for one in played.replies:
        moment = played.start + dt.timedelta(seconds=one["at"])
        spent[moment.astimezone(zone).date()] += int(Decimal(one["cost"]) * 1_000_000)
    assert max(spent.values()) <= CAP_MICROS
    # The cap binds here, so it is the cap that was seen at work.
    assert sum(micros > CAP_MICROS * 0.99 for micros in spent.values()) >= 2
    assert played.report.reserved_day_max_micros <= CAP_MICROS
    assert played.report.faults == []
    assert sum(played.report.fates.values()) == played.messages
    assert (played.score["twice"], played.score["too_early"]) == (0, 0)
