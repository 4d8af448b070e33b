"""Runs every bench on the list, shows progress, then a table; JSON too, if a file is named."""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib

from rich import box, console, progress, table

from bench import (
    dispatching,
    flooding,
    measure,
    page,
    paint,
    postgres,
    serving,
    simulating,
    small,
)

# Each gives its lines one by one; `--quick` is passed on. A new bench is a new entry here.
BENCHES: tuple[tuple[str, measure.Bench], ...] = (
    ("simulate", simulating.bench),
    ("small", small.bench),
    ("flood", flooding.bench),
    ("start", serving.starting),
    ("intake", serving.taking_in),
    ("dispatch", dispatching.bench),
    ("postgres", postgres.bench),
    ("page", page.bench),
    ("paint", paint.bench),
)


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, small sizes")
    parser.add_argument("--only", choices=[name for name, _ in BENCHES], action="append")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the results here")
    asked = parser.parse_args()
    where = measure.machine()
    results: list[measure.Result] = []
    terminal = console.Console(highlight=False)
    with progress.Progress(console=console.Console(stderr=True), transient=True) as bar:
        chosen = [(n, b) for n, b in BENCHES if not asked.only or n in asked.only]
        task = bar.add_task("", total=len(chosen))
        for name, bench in chosen:
            bar.update(task, description=name)
            for result in bench(asked.quick):
                results.append(result)
                bar.update(task, description=f"{name}: {result.figure}")
            bar.advance(task)
    terminal.print(_table(results, where))
    if asked.json is not None:
        told = {"machine": where, "results": [dataclasses.asdict(one) for one in results]}
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _table(results: list[measure.Result], where: dict[str, object]) -> table.Table:
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
    for one in results:
        ratio = (
            "-"
            if one.ratio is None
            else f"{one.ratio:.2f} x"
            if one.ratio < 10
            else f"{one.ratio:.0f} x"
        )
        sheet.add_row(ratio, one.name, one.figure, one.reference)
    return sheet


if __name__ == "__main__":
    main()
