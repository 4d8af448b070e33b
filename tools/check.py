"""Everything that CI does, one step after the other, then a table of seconds against budgets.

A step that fails does not stop the others, so that one run shows all faults. Ends with 1 if any
step failed. `python tools/check.py lint types` runs only the steps named.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
SUITES = ROOT / ".cache" / "suites.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that must hold, and the seconds it may take on two cores."""

    name: str
    command: tuple[str, ...]
    budget_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """How a step ended."""

    step: Step
    seconds: float
    code: int


PYTEST = (f"{BIN}/python", "-m", "pytest", f"--budget-json={SUITES}")
STEPS = (
    Step(name="format", command=(f"{BIN}/ruff", "format", "--check", "."), budget_s=10),
    Step(name="lint", command=(f"{BIN}/ruff", "check", "."), budget_s=10),
    Step(name="types", command=(f"{BIN}/mypy",), budget_s=180),
    Step(
        name="floors",
        command=(f"{BIN}/lint-imports", "--no-logo", "--cache-dir=.cache/import-linter"),
        budget_s=20,
    ),
    Step(name="house", command=(f"{BIN}/python", "tools/house_rules.py"), budget_s=20),
    Step(name="docs", command=(f"{BIN}/python", "-m", "tools.docs_site"), budget_s=30),
    # Where the list cannot be had it says SKIPPED; that is printed, and no pass.
    Step(name="audit", command=(f"{BIN}/python", "tools/audit.py"), budget_s=60),
    Step(name="chromium", command=("bash", "tools/chromium.sh"), budget_s=240),
    Step(name="peers", command=("bash", "tools/peers.sh"), budget_s=240),
    Step(name="tests", command=(*PYTEST, "--cases-json=.cache/cases.json"), budget_s=1900),
)


def run(step: Step) -> Done:
    """Run one step in the open and time it."""
    print(f"\n=== {step.name}: {' '.join(step.command).replace(f'{ROOT}/', '')}", flush=True)
    begun = time.monotonic()
    code = subprocess.run(step.command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode
    return Done(step=step, seconds=time.monotonic() - begun, code=code)


def table(done: list[Done], suites: dict[str, dict[str, float]]) -> Table:
    """Steps, then the suites inside the tests, each against its budget."""
    drawn = Table("step", "seconds", "budget", "result", title="make check")
    for each in done:
        result = "ok" if each.code == 0 else f"FAILED ({each.code})"
        drawn.add_row(*cells(each.step.name, each.seconds, each.step.budget_s, result))
    for name, suite in sorted(suites.items()):
        counts = f"{suite['tests']} tests, {suite['failed']} failed, {suite['skipped']} skipped"
        drawn.add_row(*cells(f"  {name}", suite["seconds"], suite["budget_s"], counts))
    return drawn


def cells(name: str, seconds: float, budget_s: float, result: str) -> tuple[str, str, str, str]:
    """One row; a row over its budget says so."""
    over = ", OVER BUDGET" if seconds > budget_s else ""
    return name, f"{seconds:.1f}", f"{budget_s:.0f}", result + over


def main() -> int:
    """Run the steps and print what they took."""
    chosen = [step for step in STEPS if not sys.argv[1:] or step.name in sys.argv[1:]]
    SUITES.unlink(missing_ok=True)
    done = [run(step) for step in chosen]
    suites = json.loads(SUITES.read_text("utf-8")) if SUITES.exists() else {}
    budget_s = tomllib.loads((ROOT / "tests" / "budgets.toml").read_text("utf-8"))["check_s"]
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table(done, suites))
    seconds = sum(each.seconds for each in done)
    failed = [each.step.name for each in done if each.code != 0]
    over = " (OVER BUDGET)" if seconds > budget_s else ""
    print(f"check: {seconds:.0f} of {budget_s} s{over}; failed: {', '.join(failed) or 'nothing'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
