"""Throws odd inputs at every reader until the time is over; ends with 1 at any fault.

    python -m tools.fuzz --minutes 5
    python -m tools.fuzz --only trace --seed 7 --at 1234

Half of the webhooks are signed. The promise: no exception but a reader's own documented error, no
row from something unsigned, and an end within seconds; of the connection also that nothing is cut
apart otherwise than h11 does it. The counts go to
.cache/reliability/fuzz.json as well. `--at` tries one input again, with its traceback.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import pathlib
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Final

import rich.console
import rich.progress
import rich.table

from tools.fuzz import hooks, readers, target, wire

ROOT: Final = pathlib.Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / ".cache" / "reliability" / "fuzz.json"
MEMORY_MB: Final = 600.0
"""More resident than that, and some reader takes what it is given."""
_TURN_S: Final = 0.5


def targets(folder: pathlib.Path, only: Sequence[str] = ()) -> list[target.Target]:
    """All of them, or those named; `folder` is theirs meanwhile."""
    found: list[target.Target] = [wire.Connection(), *hooks.all_of(), *readers.all_of(folder)]
    return [one for one in found if not only or one.name in only]


async def run(
    chosen: Sequence[target.Target], seed: int, minutes: float
) -> dict[str, target.Count]:
    """Turns of half a second each, until the time is over."""
    counts = {one.name: target.Count() for one in chosen}
    end_s = time.monotonic() + minutes * 60
    with rich.progress.Progress(transient=True) as bar:
        task = bar.add_task("fuzz", total=minutes * 60)
        while (left_s := end_s - time.monotonic()) > 0:
            for one in chosen:
                bar.update(task, completed=minutes * 60 - left_s, description=one.name)
                turn_s = time.monotonic() + min(_TURN_S, left_s)
                while time.monotonic() < turn_s:
                    await target.attempt(one, seed, counts[one.name].inputs, counts[one.name])
    return counts


async def tried(chosen: Sequence[target.Target], seed: int, inputs: int) -> dict[str, target.Count]:
    """So many inputs each."""
    counts = {one.name: target.Count() for one in chosen}
    for one in chosen:
        for number in range(inputs):
            await target.attempt(one, seed, number, counts[one.name])
    return counts


def show(counts: dict[str, target.Count], seed: int, peak_mb: float) -> bool:
    """Print the table; whether every promise was kept."""
    sheet = rich.table.Table(title=f"fuzz, seed {seed}, {peak_mb:.0f} MB at the most")
    for name in ("target", "inputs", "exceptions", "unsigned rows", "refused", "rows", "slowest"):
        sheet.add_column(name, justify="left" if name == "target" else "right")
    for name, one in counts.items():
        cells = (one.inputs, one.exceptions, one.rows, one.refused, one.taken)
        sheet.add_row(name, *(f"{n:,}" for n in cells), f"{one.slowest_s:.2f} s")
    rich.console.Console(width=None if sys.stdout.isatty() else 100).print(sheet)
    for name, one in counts.items():
        if one.first:
            print(f"fuzz: {name}: {one.first}")
    fine = not any(one.exceptions or one.rows for one in counts.values())
    if peak_mb > MEMORY_MB:
        print(f"fuzz: {peak_mb:.0f} MB of memory, {MEMORY_MB:.0f} are allowed")
    return fine and peak_mb <= MEMORY_MB


def main() -> int:
    """From the command line."""
    told = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    told.add_argument("--minutes", type=float, default=2.0)
    told.add_argument("--inputs", type=int, help="so many inputs each, instead of minutes")
    told.add_argument("--only", action="append", default=[], metavar="TARGET")
    told.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    told.add_argument("--json", type=pathlib.Path, default=RESULT, metavar="FILE")
    told.add_argument("--at", type=int, metavar="N", help="only this input, with its traceback")
    asked = told.parse_args()
    # It says of each refused request that it was refused.
    logging.getLogger("uvicorn.error").disabled = True
    with tempfile.TemporaryDirectory(prefix="antirelou-fuzz-") as folder:
        chosen = targets(pathlib.Path(folder), asked.only)
        if not chosen:
            told.error("no such target")
        return _do(asked, chosen)


def _do(asked: argparse.Namespace, chosen: Sequence[target.Target]) -> int:
    if asked.at is not None:
        for one in chosen:
            print(one.name, asyncio.run(_again(one, asked.seed, asked.at)))
        return 0
    going = (
        tried(chosen, asked.seed, asked.inputs)
        if asked.inputs
        else run(chosen, asked.seed, asked.minutes)
    )
    counts = asyncio.run(going)
    peak_mb = _peak_mb()
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(target.written(counts), encoding="utf-8")
    return 0 if show(counts, asked.seed, peak_mb) else 1


def _peak_mb() -> float:
    """Of this program alone: ru_maxrss begins with that of whoever started it."""
    status = pathlib.Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text("ascii"))):
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _again(one: target.Target, seed: int, number: int) -> target.Tried:
    with target.bounded():
        return await one.one(target.drawn(one.name, seed, number))


if __name__ == "__main__":
    sys.exit(main())
