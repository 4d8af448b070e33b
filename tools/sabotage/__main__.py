"""`make sabotage`: take out each guard in a copy of the tree, and show which test saw it.

    python -m tools.sabotage [--only NAME ...] [--room LIST] [--narrow] [--jobs N] [--json]

Figures go to `.cache/reliability/sabotage.json`. Ends with 1 if a sabotage was not seen, or does
not fit the source any more.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import itertools
import json
import os
import queue
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich import progress
from rich.console import Console
from rich.table import Table

from tools import copies, figures
from tools.sabotage import entries, trying

WORK: Final = copies.ROOT / ".cache" / "sabotage"


@contextlib.contextmanager
def alone(work: Path = WORK) -> Iterator[None]:
    """Two runs at once would spoil each other's copies: the second waits."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def keep(entry: entries.Entry, verdict: trying.Verdict) -> None:
    """Kept at once, so that a run that is cut has not been for nothing."""
    figures.merge("sabotage", data_of([entry], [verdict]), into=("sabotages",))


def run(
    chosen: Sequence[entries.Entry],
    *,
    jobs: int,
    narrow: bool,
    work: Path = WORK,
    seen: Callable[[entries.Entry, trying.Verdict], None] = lambda _entry, _verdict: None,
) -> list[trying.Verdict]:
    """Try all of them, each job in a copy of its own; `seen` is told of each."""
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for n in range(min(jobs, len(chosen))):
        copies.make(work / f"copy-{n}")
        free.put(work / f"copy-{n}")
    turns = itertools.count(int(time.time()) % 1_000_000)

    def one(entry: entries.Entry) -> trying.Verdict:
        copy = free.get()
        try:
            return trying.attempt(entry, copy, next(turns), narrow=narrow)
        finally:
            free.put(copy)

    with (
        concurrent.futures.ThreadPoolExecutor(max(jobs, 1)) as pool,
        progress.Progress(disable=not sys.stderr.isatty()) as bar,
    ):
        task = bar.add_task("sabotages", total=len(chosen))
        found = []
        for entry, verdict in zip(chosen, pool.map(one, chosen), strict=True):
            found.append(verdict)
            seen(entry, verdict)
            bar.advance(task)
        return found


def unsound(found: list[trying.Verdict], work: Path = WORK) -> set[str]:
    """Tests that saw a sabotage and fail without it too: they saw nothing."""
    named = sorted({one.caught_by for one in found if one.caught})
    return trying.red(work / "copy-0", named)


def tell(console: Console, chosen: Sequence[entries.Entry], found: list[trying.Verdict]) -> None:
    """A line a sabotage."""
    table = Table("sabotage", "promise", "seen by", "s", title="Sabotage")
    for entry, verdict in zip(chosen, found, strict=True):
        style = "" if verdict.caught else "bold red"
        seen = verdict.caught_by.removeprefix("tests/") or verdict.trouble or "NOBODY"
        wide = " (not one of its own)" if verdict.wide else ""
        table.add_row(entry.name, entry.promise, seen + wide, f"{verdict.seconds:.0f}", style=style)
    console.print(table)


def data_of(chosen: Sequence[entries.Entry], found: list[trying.Verdict]) -> dict[str, Any]:
    """What is written: entry -> promise, and the test that saw it."""
    rows = {
        entry.name: {
            "file": entry.file,
            "promise": entry.promise,
            "caught_by": verdict.caught_by,
            "seconds": round(verdict.seconds, 1),
            **({"trouble": verdict.trouble} if verdict.trouble else {}),
        }
        for entry, verdict in zip(chosen, found, strict=True)
    }
    return {"sabotages": rows}


def main() -> int:
    """Exit code 1 if one was not seen."""
    parser = argparse.ArgumentParser(prog="python -m tools.sabotage", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--file", help="those of this source file or folder")
    parser.add_argument("--left", action="store_true", help="those that no run so far saw caught")
    parser.add_argument("--quick", action="store_true", help="the few that make test tries too")
    parser.add_argument("--narrow", action="store_true", help="ask only each one's own tests")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    known = entries.all_of()
    if told.only and (unknown := set(told.only) - {one.name for one in known}):
        parser.error(f"no sabotage {', '.join(sorted(unknown))}")
    chosen = [
        one
        for one in known
        if (not told.only or one.name in told.only)
        and (not told.file or one.file.startswith(told.file))
        and (not told.quick or one.quick)
    ]
    if told.left:
        done = figures.read("sabotage").get("sabotages", {})
        chosen = [one for one in chosen if not done.get(one.name, {}).get("caught_by")]
    begun = time.monotonic()
    with alone():
        found = run(chosen, jobs=told.jobs, narrow=told.narrow, seen=keep)
        red = unsound(found)
    if red:
        found = [
            dataclasses.replace(one, caught_by="", trouble="fails without it too: " + one.caught_by)
            if one.caught_by in red
            else one
            for one in found
        ]
    data = data_of(chosen, found)
    if told.json:
        print(json.dumps(data, indent=1, ensure_ascii=False))
    else:
        tell(Console(width=None if sys.stdout.isatty() else 160), chosen, found)
    missed = [verdict.name for verdict in found if not verdict.caught]
    print(
        f"sabotage: {len(found)} tried in {time.monotonic() - begun:.0f} s, "
        f"not seen: {', '.join(missed) or 'none'}",
        file=sys.stderr if told.json else sys.stdout,
    )
    figures.merge("sabotage", data, into=("sabotages",))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
