"""The recordings beside the clone, each run only once in a session and judged by their script."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot import simulate
from bot.policy import settings

# When the raid of a recording is on, in hours, for the script alone.
WINDOWS = {"seed-2017": ("46", "58"), "rotating": ("46", "52")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Played:
    """One recording after its run: the report, the replies written, and the script's words."""

    report: simulate.Report
    replies: list[dict[str, Any]]
    score: dict[str, Any]
    start: dt.datetime
    messages: int


Play = Callable[[str, int | None], Played]


@pytest.fixture(scope="session")
def play(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Run a recording under a day's cap in micros, None for no cap."""
    goal = tmp_path_factory.mktemp("replies")

    @functools.cache
    def run(name: str, cap_micros: int | None) -> Played:
        scenarios = shared_dir / "scenarios"
        trace, truth = scenarios / f"{name}.jsonl.gz", scenarios / f"{name}.truth.csv"
        replies = goal / f"{name}-{cap_micros}.jsonl"
        budget = settings.Budget(cap_day_micros=cap_micros, cap_month_micros=None)
        report = simulate.run(trace, settings.Core(budget=budget), replies=replies)
        window = ["--window", *WINDOWS[name]] if name in WINDOWS else []
        told = subprocess.run(
            [sys.executable, scenarios / "score.py", trace, truth, replies, *window],
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
