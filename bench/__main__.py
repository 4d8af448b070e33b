"""Runs every bench on the list, shows progress, then a table; JSON, tables and charts if asked."""

from __future__ import annotations

import argparse
import json
import pathlib
import time
from collections.abc import Sequence
from typing import Final

from rich import box, console, progress, table

from bench import (
    dispatching,
    flooding,
    measure,
    page,
    paint,
    postgres,
    remembering,
    serving,
    simulating,
    small,
    telling,
)

# Each gives its lines one by one and says what it does; `--quick` is passed on. A new bench is a
# new entry here.
BENCHES: Final[tuple[tuple[str, measure.Bench], ...]] = (
    ("intake", serving.taking_in),
    ("dispatch", dispatching.bench),
    ("postgres", postgres.bench),
    ("memory", remembering.bench),
    ("start", serving.starting),
    ("simulate", simulating.bench),
    ("small", small.bench),
    ("flood", flooding.bench),
    ("page", page.bench),
    ("paint", paint.bench),
)


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, small sizes")
    parser.add_argument("--only", choices=[name for name, _ in BENCHES], action="append")
    parser.add_argument(
        "--json",
        type=pathlib.Path,
        metavar="FILE",
        help="write the results here; with --only, into what is there",
    )
    parser.add_argument("--from", type=pathlib.Path, metavar="FILE", dest="known", help="no run")
    parser.add_argument(
        "--write", type=pathlib.Path, metavar="PAGE", help="put tables and charts into this page"
    )
    asked = parser.parse_args()
    if asked.known is not None:
        found = telling.read(asked.known)
    else:
        where = measure.machine()
        results = _run([(n, b) for n, b in BENCHES if not asked.only or n in asked.only], asked)
        console.Console(highlight=False).print(_table(results, where))
        found = telling.kept(results, where, quick=asked.quick)
        if asked.only and asked.json is not None and asked.json.exists():
            found = telling.joined(telling.read(asked.json), found)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if asked.write is not None:
        telling.write(asked.write, found)


def _run(
    chosen: Sequence[tuple[str, measure.Bench]], asked: argparse.Namespace
) -> dict[str, list[measure.Result]]:
    """All of them, with a line for each that is done and one for what is under way."""
    results: dict[str, list[measure.Result]] = {}
    shown = console.Console(stderr=True, highlight=False)
    columns = (
        progress.SpinnerColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.description}"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=shown, transient=True) as bar:
        task = bar.add_task("", total=len(chosen))
        for name, bench in chosen:
            started = time.monotonic()

            def told(what: str, name: str = name) -> None:
                bar.update(task, description=f"{name}: {what}")

            told("")
            found = results[name] = []
            for result in bench(asked.quick, told):
                found.append(result)
                told(f"{result.name}: {result.figure}")
            bar.advance(task)
            bar.print(f"{name}: {time.monotonic() - started:.0f} s")
    return results


def _table(results: dict[str, list[measure.Result]], where: dict[str, object]) -> table.Table:
    sheet = table.Table(
        title=f"{where['processor']}, {where['cores']} cores, Python {where['python']}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        caption=(
            "ratio: how many times the reference's time (or, where it says so, its speed), "
            "measured in turns in the same run"
        ),
        caption_justify="left",
    )
    sheet.add_column("ratio", justify="right")
    sheet.add_column("bench")
    sheet.add_column("figure", justify="right")
    sheet.add_column("reference")
    for one in (one for found in results.values() for one in found):
        sheet.add_row(telling.ratio(one.ratio), one.name, one.figure, one.reference)
    return sheet


if __name__ == "__main__":
    main()
