from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from pathlib import Path

import pytest
from rich import console

from bot import simulate
from bot.policy import settings
from bot.simulate import made


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> simulate.Report:
    path = tmp_path_factory.mktemp("made") / "week.jsonl.gz"
    made.write(path, made.Plan(people=200, pests=2, pest_messages=40), 9)
    core = settings.Core(budget=settings.Budget(cap_day_micros=5_000_000, cap_month_micros=None))
    return simulate.run(path, core)


def _shown(report: simulate.Report) -> str:
    terminal = console.Console(width=120, no_color=True)
    with terminal.capture() as seen:
        terminal.print(report.table())
    return seen.get()


def test_the_table_says_what_matters(report: simulate.Report) -> None:
    shown = _shown(report)
    for words in (
        "week.jsonl.gz",
        f"{report.messages:,}",
        "by sms",
        "bill of the replies",
        "the 2017 way",
        "inbound",
        "What became of each message",
        "cap of a day",
        "5.00 EUR",
        "2017-10-28",
        "Nobody twice, nobody early",
    ):
        assert words in shown


def test_what_is_wrong_is_said_instead(report: simulate.Report) -> None:
    wrong = dataclasses.replace(report, twice=3, faults=("billed 1.00, booked 2.00",))
    shown = _shown(wrong)
    assert "3 replies went to somebody who had one already" in shown
    assert "billed 1.00, booked 2.00" in shown
    assert "Nobody twice" not in shown


def test_json_is_plain_and_its_sums_match(report: simulate.Report) -> None:
    found = json.loads(json.dumps(report.as_json()))
    assert sum(found["fates"].values()) == found["messages"]
    assert found["bill"].replace(".", "").isdecimal()
    assert found["faults"] == []
    assert found["currency"] == "EUR"


def test_the_course_adds_up_to_the_whole(report: simulate.Report) -> None:
    assert sum(one.messages for one in report.course) == report.messages
    assert sum(one.replies for one in report.course) == report.replies
    assert report.course[-1].bill_micros == report.bill_micros
    hours = [one.from_ms for one in report.course]
    assert {b - a for a, b in itertools.pairwise(hours)} == {3_600_000}


@pytest.mark.parametrize(("name", "start"), [("c.png", b"\x89PNG"), ("c.svg", b"<?xml")])
def test_a_chart_is_drawn(report: simulate.Report, tmp_path: Path, name: str, start: bytes) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'charts' is not installed")
    report.chart(tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_modes_that_change_are_drawn(report: simulate.Report, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'charts' is not installed")
    course = [
        dataclasses.replace(one, mode="flood" if i > len(report.course) / 2 else "normal")
        for i, one in enumerate(report.course)
    ]
    dataclasses.replace(report, course=course).chart(tmp_path / "c.svg")
    report.chart(tmp_path / "d.svg")
    assert (tmp_path / "c.svg").read_bytes() != (tmp_path / "d.svg").read_bytes()


def test_a_chart_that_cannot_be_drawn_says_why(
    report: simulate.Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(simulate.NoChartError, match="cannot write"):
        report.chart(tmp_path / "missing" / "c.png")
    with pytest.raises(simulate.NoChartError, match="nothing to draw"):
        dataclasses.replace(report, course=()).chart(tmp_path / "c.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(simulate.NoChartError, match=r"antirelou\[charts\]"):
        report.chart(tmp_path / "c.png")
