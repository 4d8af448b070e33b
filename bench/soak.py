"""`make soak`: the long loops that do not fit into `make check`; each is a test with more rounds.

    python -m bench.soak [--rounds 500]

Prints what it does and ends with 1 if any loop failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer
from rich import console

_SUITES = {
    "kill -9 while messages pour in": ("tests/e2e/test_kill.py", "-s"),
    "properties, many more examples": (
        "tests/bot/policy",
        "tests/bot/contract",
        "tests/bot/inbox",
        "tests/bot/test_ledger_machine.py",
    ),
}


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Kills in the kill -9 loop.")] = 500,
) -> None:
    """Run the long loops. Example: python -m bench.soak --rounds 2000."""
    out = console.Console()
    told = {"ANTIRELOU_KILL_ROUNDS": str(rounds), "HYPOTHESIS_PROFILE": "soak"}
    failed = []
    out.rule("20,000 simulated runs with crashes and faults")
    seeds = [sys.executable, "-m", "tests.dst", "--seeds", "20000", "--first", "100000"]
    if subprocess.run(seeds, check=False).returncode:
        failed.append("simulated runs")
    for name, suite in _SUITES.items():
        out.rule(name)
        command = [sys.executable, "-m", "pytest", "-q", *suite]
        if subprocess.run(command, env=os.environ | told, check=False).returncode:
            failed.append(name)
    out.rule(f"failed: {', '.join(failed)}" if failed else "all loops passed")
    raise typer.Exit(1 if failed else 0)


if __name__ == "__main__":
    typer.run(main)
