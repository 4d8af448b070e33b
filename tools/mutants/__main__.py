"""`make mutants`: run the slices, show the score of each file and every survivor unexplained.

    python -m tools.mutants [SLICE ...] [--again | --fresh] [--list] [--json]

What was tried stays as it ended until its function changes: a run goes on with those never tried.
`--again` tries the survivors too, with the tests of today; `--fresh` all; `--list` runs nothing.
Figures go to `.cache/reliability/mutants.json`. Ends with 1 if a mutant that was tried survived
without an explanation in `explained.toml`.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import fnmatch
import json
import os
import sys
import time
import tomllib
from collections.abc import Collection, Sequence
from typing import Any, Final

from rich import progress
from rich.console import Console
from rich.table import Table

from tools import figures
from tools.mutants import running

LIMIT_S: Final = 345.0
_LEFT: Final = ("survived", "no_test", "odd")
_ALL: Final = (*_LEFT, "killed", "timeout")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why mutants like this one change nothing that anybody could see.

    `function` and `now` are patterns as of the shell; `now` is matched against the changed lines.
    """

    file: str
    function: str
    now: str
    why: str

    def covers(self, mutant: running.Mutant, now: str) -> bool:
        """Whether this explanation is about that mutant."""
        return (
            self.file == mutant.file
            and fnmatch.fnmatchcase(mutant.function, self.function)
            and fnmatch.fnmatchcase(now, self.now)
        )


def explained() -> list[Explained]:
    """All of explained.toml."""
    read = tomllib.loads((running.HERE / "explained.toml").read_text("utf-8"))
    return [Explained(**one) for one in read.get("explained", ())]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A mutant that nobody killed; `why` None: it is not explained either."""

    mutant: running.Mutant
    was: str
    now: str
    why: str | None


def survivors(one: running.Slice, mutants: Sequence[running.Mutant]) -> list[Survivor]:
    """Those left over, with what they change and why that is harmless, if it is."""
    left = [mutant for mutant in mutants if mutant.end in _LEFT]
    if not left:
        return []
    known, lines = explained(), running.changed(one, left)
    out = []
    for mutant in left:
        was, now = lines[mutant.key]
        why = next((each.why for each in known if each.covers(mutant, now)), None)
        out.append(Survivor(mutant=mutant, was=was, now=now, why=why))
    return out


def score(mutants: Sequence[running.Mutant], left: Sequence[Survivor]) -> dict[str, dict[str, int]]:
    """File -> how its mutants ended; `explained` are taken out of the survivors."""
    out: dict[str, dict[str, int]] = {}
    harmless = {one.mutant.key for one in left if one.why is not None}
    for mutant in mutants:
        end = "explained" if mutant.key in harmless else mutant.end
        counts = out.setdefault(mutant.file, collections.Counter())
        counts["mutants"] += 1
        counts[end] += 1
    return {file: dict(counts) for file, counts in out.items()}


def tell(console: Console, scores: dict[str, dict[str, int]], left: Sequence[Survivor]) -> None:
    """A line a file, then each survivor that nobody explained."""
    names = ("mutants", "killed", "timeout", "explained", "survived", "no_test", "unchecked")
    table = Table("file", *names, "score", title="Mutants")
    for file, counts in sorted(scores.items()):
        table.add_row(file, *(str(counts.get(name, 0)) for name in names), percent(counts))
    console.print(table)
    for one in left:
        if one.why is None:
            where = f"{one.mutant.file} {one.mutant.function} [{one.mutant.end}]"
            console.print(where, style="yellow", markup=False)
            console.print("   " + running.near(one.was, one.now), markup=False, highlight=False)


def percent(counts: dict[str, int]) -> str:
    """Killed, or explained as harmless, of those that were tried."""
    tried = counts["mutants"] - counts.get("unchecked", 0)
    good = sum(counts.get(name, 0) for name in ("killed", "timeout", "explained"))
    return f"{100 * good / tried:.1f} %" if tried else "-"


def go(one: running.Slice, *, left: Collection[str], jobs: int) -> None:
    """One slice, with a bar."""
    with progress.Progress(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(one.name, total=None)
        code = running.run(
            one,
            left=left,
            jobs=jobs,
            limit_s=LIMIT_S,
            seen=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if code:
        raise SystemExit(f"mutants: pytest ended with {code}, see .cache/mutants/{one.name}")


def main() -> int:
    """Exit code 1 if a survivor is not explained."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    known = {one.name: one for one in running.slices()}
    parser.add_argument("slices", nargs="*", metavar="SLICE", help=f"of: {', '.join(known)}")
    parser.add_argument("--again", action="store_true", help="those too that nobody killed so far")
    parser.add_argument("--fresh", action="store_true", help="all of them, whatever is known")
    parser.add_argument("--list", action="store_true", help="run nothing, show the last results")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    told = parser.parse_args()
    if unknown := set(told.slices) - known.keys():
        parser.error(f"no slice {', '.join(sorted(unknown))}")
    chosen = [known[name] for name in told.slices] or list(known.values())
    started = time.monotonic()
    scores: dict[str, dict[str, int]] = {}
    left: list[Survivor] = []
    for one in chosen:
        if not told.list:
            go(one, left=_ALL if told.fresh else _LEFT if told.again else (), jobs=told.jobs)
        mutants = running.found(one)
        mine = survivors(one, mutants)
        left += mine
        scores |= score(mutants, mine)
    bare = [one for one in left if one.why is None]
    data: dict[str, Any] = {"files": scores, "seconds": round(time.monotonic() - started)}
    if told.json:
        print(json.dumps(data, indent=1))
    else:
        tell(Console(width=None if sys.stdout.isatty() else 140), scores, left)
        print(f"mutants: {len(bare)} left that nobody killed or explained")
    figures.merge("mutants", data, into=("files",))
    return 1 if bare else 0


if __name__ == "__main__":
    sys.exit(main())
