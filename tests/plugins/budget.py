"""Pytest plugin: how many seconds each suite took, against its budget in tests/budgets.toml.

A suite is a folder below tests/, at most two deep, or a file right below it. Over budget is said,
never failed. With `--budget-json PATH` the figures are also written, for `make check`.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import pytest

BUDGETS_FILE = Path(__file__).resolve().parent.parent / "budgets.toml"


@dataclass(kw_only=True, slots=True)
class Suite:
    """What one suite took so far."""

    budget_s: float
    seconds: float = 0.0
    tests: int = 0
    failed: int = 0
    skipped: int = 0


def suite_of(nodeid: str) -> str:
    """`bot/policy` for tests/bot/policy/test_delay.py, `test_docs` for tests/test_docs.py."""
    parts = PurePosixPath(nodeid.partition("::")[0]).parts
    inner = parts[1:] if parts[:1] == ("tests",) else parts
    return "/".join(inner[:-1][:2]) or (inner[-1].removesuffix(".py") if inner else "tests")


class Clock:
    """Adds up the durations that the reports carry."""

    def __init__(self, budgets: dict[str, float], default_s: float) -> None:
        self._budgets = budgets
        self._default_s = default_s
        self.suites: dict[str, Suite] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of one test."""
        name = suite_of(report.nodeid)
        budget_s = self._budgets.get(name, self._default_s)
        suite = self.suites.setdefault(name, Suite(budget_s=budget_s))
        suite.seconds += report.duration
        suite.tests += report.when == "setup"
        suite.failed += report.failed
        suite.skipped += report.skipped and not hasattr(report, "wasxfail")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --budget-json."""
    group = parser.getgroup("budget")
    group.addoption("--budget-json", metavar="PATH", help="where to write each suite's figures")


def pytest_configure(config: pytest.Config) -> None:
    """Start the clock."""
    read = tomllib.loads(BUDGETS_FILE.read_text("utf-8"))
    config.pluginmanager.register(Clock(read["suites"], read["default_s"]), "budget-clock")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print a line a suite, slowest first."""
    clock = config.pluginmanager.get_plugin("budget-clock")
    if not isinstance(clock, Clock) or not clock.suites:
        return
    terminalreporter.section("seconds per suite")
    for name, suite in sorted(clock.suites.items(), key=lambda pair: -pair[1].seconds):
        over = "  OVER BUDGET" if suite.seconds > suite.budget_s else ""
        spent = f"{suite.seconds:>7.1f} of {suite.budget_s:>5.0f} s"
        terminalreporter.line(f"{name:<24} {spent} {suite.tests:>6} tests{over}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the figures where they were asked for."""
    target = session.config.getoption("--budget-json")
    clock = session.config.pluginmanager.get_plugin("budget-clock")
    if target and isinstance(clock, Clock):
        path = session.config.rootpath / target
        path.parent.mkdir(parents=True, exist_ok=True)
        figures = {name: asdict(suite) for name, suite in sorted(clock.suites.items())}
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
