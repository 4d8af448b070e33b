"""`simulate` beside a bare loop: the same file, JSON parsed, one row inserted a message."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from bench import measure
from bot.simulate import made

ROOT = pathlib.Path(__file__).resolve().parent.parent


def bench(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """A made-up flood, and the recorded one where it lies beside the clone."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "made.jsonl.gz"
        people = 1_000 if quick else 8_000
        made.write(path, made.Plan(people=people, pests=people // 100), 2017)
        told("a made-up flood")
        yield _one("simulate: a made-up flood", path, quick=quick)
    place = os.environ.get("ANTIRELOU_SHARED")
    shared = pathlib.Path(place) if place else ROOT.parent / "shared"
    recorded = shared / "scenarios" / "seed-2017.jsonl.gz"
    if recorded.exists() and not quick:
        told("seed-2017")
        yield _one("simulate: seed-2017", recorded, quick=quick)


def _one(name: str, path: pathlib.Path, *, quick: bool) -> measure.Result:
    runs: list[dict[str, Any]] = []
    ours_s, bare_s = measure.in_turns(
        lambda: runs.append(_child(path)), lambda: _bare(path), quick=quick
    )
    best = min(runs, key=lambda run: run["seconds"])
    speed, memory = best["messages"] / best["seconds"], max(run["peak_mb"] for run in runs)
    return measure.Result(
        name=name,
        figure=f"{speed:,.0f} messages/s, {memory:.0f} MB",
        ratio=best["seconds"] / bare_s,
        reference="a bare loop: parse, insert",
        detail={**best, "messages_per_s": speed, "with_start_s": ours_s, "bare_s": bare_s},
    )


def _child(path: pathlib.Path) -> dict[str, Any]:
    told = subprocess.run(
        [sys.executable, "-m", "bench.child", str(path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def _bare(path: pathlib.Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table m (id text primary key, at real, sender text, body text)")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        next(file)
        for line in file:
            one = json.loads(line)
            row = (one["id"], one["at"], one["from"], one["body"])
            connection.execute("insert into m values (?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
