"""Run the tests that are marked with a case and print each case with its tests and results.

Ends with 1 when a marked test failed, with `--strict` also when a case has no passing test.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / ".cache" / "cases.json"
PYTEST_ENDS_WELL = frozenset({0, 1, 5})  # passed, some failed, none chosen
BAD = frozenset({"failed", "error"})
STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow", "missing": "magenta"}

Tests = dict[str, str]  # test -> outcome


def verdict(tests: Tests) -> str:
    """What all tests of one case say together; skipped ones hold nothing up."""
    outcomes = set(tests.values())
    if outcomes & BAD:
        return "failed"
    if "passed" in outcomes:
        return "passed"
    return "skipped" if outcomes else "missing"


def by_function(tests: Tests) -> dict[str, Counter[str]]:
    """The outcomes of each test function, all its parameters together."""
    functions: dict[str, Counter[str]] = {}
    for nodeid, outcome in sorted(tests.items()):
        functions.setdefault(nodeid.partition("[")[0], Counter())[outcome] += 1
    return functions


def describe(tests: Tests) -> Text:
    """One line a test function."""
    lines = []
    for name, outcomes in by_function(tests).items():
        counts = ", ".join(o if n == 1 else f"{n} {o}" for o, n in sorted(outcomes.items()))
        lines.append(f"{name.removeprefix('tests/')}  {counts}")
    return Text("\n".join(lines), overflow="fold")


def table(titles: dict[str, str], report: dict[str, Tests]) -> Table:
    """Every case of the list, also those that no test names."""
    drawn = Table("case", "what must hold", "result", "tests", title="Cases")
    for case, title in titles.items():
        tests = report.get(case, {})
        result = verdict(tests)
        drawn.add_row(case, Text(title), Text(result, style=STYLES[result]), describe(tests))
    return drawn


def conclude(titles: dict[str, str], report: dict[str, Tests], *, strict: bool) -> tuple[str, int]:
    """The closing line and the exit code."""
    verdicts = {case: verdict(report.get(case, {})) for case in titles}
    counts = Counter(verdicts.values())
    line = ", ".join(f"{counts[name]} {name}" for name in STYLES if counts[name])
    unheld = [case for case, result in verdicts.items() if result in {"missing", "skipped"}]
    if unheld:
        line += f"\nno passing test: {' '.join(unheld)}"
    return line, int(counts["failed"] > 0 or (strict and bool(unheld)))


def run_tests() -> int:
    """Run the marked tests into a fresh report; pytest's own exit code."""
    REPORT.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "--cases", f"--cases-json={REPORT}", "-q"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Run, print, and say by the exit code whether the cases hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strict", action="store_true", help="a missing case fails too")
    strict: bool = parser.parse_args().strict
    ended = run_tests()
    if ended not in PYTEST_ENDS_WELL or not REPORT.exists():
        print(f"cases: pytest could not run the marked tests (exit code {ended})")
        return 1
    titles = tomllib.loads((ROOT / "tests" / "cases.toml").read_text("utf-8"))["cases"]
    report = json.loads(REPORT.read_text("utf-8"))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table(titles, report))
    line, code = conclude(titles, report, strict=strict)
    console.print(line, highlight=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
