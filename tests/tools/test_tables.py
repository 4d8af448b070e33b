"""What `make cases` and `make check` conclude from what they saw."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tools import cases, check

TITLES = {"C01": "one", "C02": "two"}


def printed(table: Table) -> str:
    """The table as text."""
    console = Console(file=io.StringIO(), width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([], "missing"),
        (["skipped"], "skipped"),
        (["xfailed", "not run"], "skipped"),
        (["passed", "skipped"], "passed"),
        (["passed", "failed"], "failed"),
        (["passed", "error"], "failed"),
    ],
)
def test_a_case_holds_when_a_test_passed_and_none_failed(outcomes: list[str], verdict: str) -> None:
    assert cases.verdict({f"t{n}": outcome for n, outcome in enumerate(outcomes)}) == verdict


@pytest.mark.parametrize(
    ("second", "strict", "code"),
    [
        ({"t": "passed"}, True, 0),
        ({"t": "failed"}, False, 1),
        ({"t": "skipped"}, False, 0),
        ({"t": "skipped"}, True, 1),
        ({}, False, 0),
        ({}, True, 1),
    ],
)
def test_what_is_missing_fails_only_when_strict(
    second: dict[str, str],
    strict: bool,
    code: int,
) -> None:
    report = {"C01": {"t": "passed"}, "C02": second}
    line, ended = cases.conclude(TITLES, report, strict=strict)
    assert ended == code
    assert ("no passing test: C02" in line) == (second.get("t") not in {"passed", "failed"})


def test_every_case_is_in_the_table_with_its_tests() -> None:
    report = {"C01": {"tests/a.py::t[1]": "passed", "tests/a.py::t[2]": "failed"}}
    text = printed(cases.table(TITLES, report))
    assert "a.py::t  1 failed, 1 passed" in text or "a.py::t  failed, passed" in text
    assert "missing" in text


def test_a_failing_step_fails_the_check_and_the_next_ones_still_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def step(name: str, code: str, budget_s: float) -> check.Step:
        return check.Step(name=name, command=(sys.executable, "-c", code), budget_s=budget_s)

    steps = (step("first", "raise SystemExit(3)", 60), step("second", "print('went on')", 0))
    monkeypatch.setattr(check, "STEPS", steps)
    monkeypatch.setattr(check, "SUITES", tmp_path / "suites.json")
    monkeypatch.setattr(sys, "argv", ["check"])
    assert check.main() == 1
    output = capfd.readouterr().out
    assert "FAILED (3)" in output
    assert "went on" in output
    assert "ok, OVER BUDGET" in output
    assert "failed: first" in output
