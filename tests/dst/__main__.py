"""`python -m tests.dst`: many seeds, progress, and what was injected."""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import logging
import os
import sys
import time

import structlog
from rich import progress

from tests.dst import check
from tests.dst import run as runs


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One seed's figures, as they travel between processes."""

    seed: int
    found: list[str]
    history: str
    counts: dict[str, int]
    places: dict[str, int]


def play(seed: int) -> Played:
    """One seed, judged."""
    quiet()
    run = runs.play(seed)
    found = check.faults(run)
    faults = run.faults + run.outside.faults
    counts = {
        "messages": len(run.letters),
        "sends": len(run.outside.calls),
        "answered": check.answered(run),
        "crashes": run.points.crashed.total(),
        "pauses": len(run.pauses),
        **{f"fault {name}": n for name, n in faults.items()},
    }
    return Played(
        seed=seed,
        found=found,
        history=check.told(run, found) if found else "",
        counts=counts,
        places=dict(run.points.crashed),
    )


TRIES = 40


def die(place: str) -> tuple[str, str, str]:
    """One place: its name, what came of it, the history if a promise was broken."""
    quiet()
    run = runs.died_at(place, TRIES)
    if run is None:
        return place, "never hit", ""
    found = check.faults(run)
    return place, "broken" if found else "kept", check.told(run, found) if found else ""


def enumerate_places(jobs: int) -> int:
    """Each commit, read and send is the end of a process once; 1 if one was missed or broke."""
    quiet()
    names = runs.places(range(1, 9))
    bad = 0
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        for place, verdict, history in pool.map(die, names):
            print(f"{verdict:<10}{place}")
            bad += verdict != "kept"
            if history:
                print(history)
    print(f"{len(names)} places, {bad} missed or broken")
    return 1 if bad else 0


def quiet() -> None:
    """The program's own log lines are about faults that we make."""
    logging.disable(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[])


def main() -> int:
    """Exit code 1 if any promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.dst", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="play this one alone, with its history")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--places", action="store_true", help="die once at each place, by name")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    if told.seed is not None:
        quiet()
        run = runs.play(told.seed)
        print(check.told(run, check.faults(run)))
        return 1 if check.faults(run) else 0
    if told.places:
        return enumerate_places(told.jobs)
    started = time.monotonic()
    counts: collections.Counter[str] = collections.Counter()
    places: collections.Counter[str] = collections.Counter()
    broken: list[Played] = []
    seeds = range(told.first, told.first + told.seeds)
    with (
        concurrent.futures.ProcessPoolExecutor(told.jobs) as pool,
        progress.Progress(disable=not sys.stderr.isatty()) as bar,
    ):
        task = bar.add_task("seeds", total=told.seeds)
        for one in pool.map(play, seeds, chunksize=4):
            counts.update(one.counts)
            places.update(one.places)
            broken += [one] if one.found else []
            bar.advance(task)
    figures = {
        "seeds": told.seeds,
        "broken": len(broken),
        "seconds": round(time.monotonic() - started),
        **dict(sorted(counts.items())),
        "crash places": len(places),
    }
    for one in broken[:3]:
        print(one.history, end="\n\n")
    if told.json:
        print(json.dumps({**figures, "crashed at": dict(places.most_common())}, indent=2))
    else:
        for name, n in figures.items():
            print(f"{name:<24}{n:>10}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
