"""`python -m tests.dst`: many seeds, progress, and what was injected."""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog
from rich import progress

from tests.dst import books, check, felt, people, places, shrink, told
from tests.dst import run as runs
from tools import figures as stamping

FIGURES: Final = Path(".cache/reliability/dst.json")
PLACES_FIGURES: Final = FIGURES.with_name("places.json")
SOAK_FIGURES: Final = FIGURES.with_name("soak.json")
SOAKED: Final = FIGURES.with_name("dst-soak.json")
SOAK_FIRST: Final = 100_001
SOAK: Final = 20_000
SLICE: Final = 500
# With so many seeds a kind of trouble that nobody met, or felt, is a fault of the simulation.
ENOUGH: Final = 200
TRIES: Final = 120


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One seed's figures, as they travel between processes."""

    seed: int
    found: list[str]
    counts: dict[str, int]
    places: dict[str, int]


def play(seed: int) -> Played:
    """One seed, judged."""
    quiet()
    run = runs.play(seed)
    found = check.faults(run)
    faults = run.faults + run.outside.faults
    if run.points.deaths < runs.CRASHES or faults.total() < runs.FAULTS:
        found.append(f"{run.points.deaths} crashes, {faults.total()} faults: too few to prove much")
    counts = {
        "messages": len(run.letters),
        "sends": len(run.outside.calls),
        "answered": check.answered(run),
        "crashes": run.points.deaths,
        "faults": faults.total(),
        "pauses": len(run.pauses),
        "fewest crashes": run.points.deaths,
        "fewest faults": faults.total(),
        **books.how_it_ended(run),
        **{f"seeds with {name}": 1 for name in run.channels},
        **{f"fault {name}": n for name, n in faults.items()},
        **{f"effect {name}": n for name, n in felt.effects(run).items()},
    }
    return Played(seed=seed, found=found, counts=counts, places=dict(run.points.crashed))


def history_hash(run: told.Run) -> str:
    """The same for two runs in which the same happened."""
    return hashlib.sha256(check.shown(run, check.faults(run)).encode()).hexdigest()


def enumerate_places(names: Sequence[str], tries: int) -> int:
    """Each of them is the end of a process once; 1 if one was missed or a promise broke.

    A run dies at several, one after the other, wherever it comes to one that is still missing.
    """
    quiet()
    left, broken, deaths, seed = set(names), 0, 0, 0
    while left - set(places.UNREACHED) and seed < tries:
        seed += 1
        run = runs.play(seed, _deadly(seed, frozenset(left)))
        found = check.faults(run)
        hit = left & set(run.points.crashed)
        deaths += run.points.deaths
        broken += bool(found)
        left -= hit
        for place in sorted(hit):
            print(f"{'broken' if found else 'kept':<12}{place}", flush=True)
        if found:
            print(check.shown(run, found))
    for place in sorted(left):
        print(f"{'not reached' if place in places.UNREACHED else 'never hit':<12}{place}")
    # An excuse that does not hold is none.
    untrue = (set(names) & set(places.UNREACHED)) - left
    missed = left - set(places.UNREACHED)
    for place in sorted(untrue):
        print(f"hit all the same, and excused: {place}")
    figures: dict[str, object] = {
        "places": len(names),
        "places died at": len(names) - len(left),
        "places excused": len(left) - len(missed),
        "places missed": len(missed),
        "places' runs": seed,
        "places' deaths": deaths,
        "places' runs broken": broken,
    }
    for name, n in figures.items():
        print(f"{name:<24}{n!s:>6}")
    keep(figures, PLACES_FIGURES)
    return 1 if broken or missed or untrue else 0


def _deadly(seed: int, left: frozenset[str]) -> runs.Plan:
    """Every fourth run has a crowd, whose numbers are in doubt and cost money.

    Another has Signal beside a network of numbers, so that people are looked up.
    """
    of = ((people.TWILIO,), (people.SIGNAL, people.GATE), None, None)[seed % 4]
    return runs.Plan(places=left, crashes=seed // 2 % 2, channels=of, crowd=not seed % 4 or None)


def quiet() -> None:
    """The program's own log lines are about faults that we make."""
    logging.disable(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[])


def keep(figures: dict[str, object], file: Path = FIGURES) -> None:
    """What docs/reliability.md is written from."""
    file.parent.mkdir(parents=True, exist_ok=True)
    told = {**stamping.stamp(), **figures}
    file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


@dataclasses.dataclass(slots=True, kw_only=True)
class Sum:
    """Of many seeds."""

    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    places: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    broken: list[int] = dataclasses.field(default_factory=list)
    seeds: int = 0
    seconds: int = 0

    def join(self, other: Sum) -> None:
        """Those of another slice."""
        self._count(other.counts)
        self.places.update(other.places)
        self.broken += other.broken
        self.seeds += other.seeds

    def add(self, one: Played) -> None:
        self._count(one.counts)
        self.places.update(one.places)
        self.broken += [one.seed] if one.found else []
        self.seeds += 1

    def _count(self, counts: Mapping[str, int]) -> None:
        for name, n in counts.items():
            least = name.startswith("fewest") and self.seeds > 0
            self.counts[name] = min(self.counts[name], n) if least else self.counts[name] + n

    def wanting(self) -> list[str]:
        """Kinds of trouble that so many seeds should have met and felt, and did not."""
        if self.seeds < ENOUGH:
            return []
        named = {
            about: {
                name.removeprefix(about): n
                for name, n in self.counts.items()
                if name.startswith(about)
            }
            for about in ("fault ", "effect ")
        }
        return felt.wanting(named["fault "], named["effect "])

    @property
    def bad(self) -> bool:
        return bool(self.broken or self.wanting())

    def save(self, file: Path) -> None:
        """For the next call to go on from."""
        file.parent.mkdir(parents=True, exist_ok=True)
        # Not by `asdict`, which makes pairs of what a Counter holds.
        told = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        file.write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def kept(cls, file: Path) -> Sum:
        """As `save` wrote it, empty if nobody did."""
        if not file.exists():
            return cls()
        told = json.loads(file.read_text(encoding="utf-8"))
        for name in ("counts", "places"):
            told[name] = collections.Counter(told[name])
        return cls(**told)

    def figures(self, seconds: int) -> dict[str, object]:
        known = set(places.all_names())
        undrawn = sorted(known - set(self.places) - set(places.UNREACHED))
        return {
            "seeds": self.seeds,
            "broken": len(self.broken),
            "broken seeds": self.broken[:20],
            "kinds of fault": len(felt.KINDS),
            "kinds wanting": self.wanting(),
            "seconds": seconds,
            **dict(sorted(self.counts.items())),
            "crash places": len(known & set(self.places)),
            "crash places known": len(known),
            # No fault: `--places` dies at each, on purpose.
            "crash places not drawn": undrawn,
        }


def play_all(first: int, count: int, jobs: int) -> Sum:
    """All of them, with a bar for whoever looks."""
    found = Sum()
    with progress.Progress(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("seeds", total=count)
        with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
            for one in pool.map(play, range(first, first + count), chunksize=4):
                found.add(one)
                bar.advance(task)
    return found


Plays = Callable[[int, int, int], Sum]


def soak(whole: int, jobs: int, *, plays: Plays = play_all) -> int:
    """Slice by slice; whatever ends it, the next call goes on after the last whole slice."""
    done = Sum.kept(SOAKED)
    while done.seeds < whole:
        started = time.monotonic()
        done.join(plays(SOAK_FIRST + done.seeds, min(SLICE, whole - done.seeds), jobs))
        done.seconds += round(time.monotonic() - started)
        done.save(SOAKED)
        print(f"{done.seeds} of {whole} seeds, {len(done.broken)} broken", flush=True)
        # Also of a soak that somebody ends: so far it is true.
        keep(done.figures(done.seconds), SOAK_FIGURES)
    print(json.dumps(done.figures(done.seconds), indent=2))
    SOAKED.unlink()
    for seed in done.broken[:3]:
        one_alone(seed)
    return 1 if done.bad else 0


def one_alone(seed: int) -> int:
    """Its history, and the smallest plan that still breaks a promise."""
    quiet()
    run = runs.play(seed)
    found = check.faults(run)
    print(check.shown(run, found))
    print(f"hash {history_hash(run)}")
    if found:
        plan, small = shrink.shrunk(seed)
        print(f"\nsmallest: {plan}\n{check.shown(small, check.faults(small))}")
    return 1 if found else 0


def main() -> int:
    """Exit code 1 if any promise was broken; of `--places` also if a place was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.dst", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="play this one alone, with its history")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--places", action="store_true", help="die once at each place, by name")
    parser.add_argument("--soak", action="store_true", help="20,000 others, in slices")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.seed is not None:
        return one_alone(given.seed)
    if given.places:
        return enumerate_places(places.all_names(), TRIES)
    if given.soak:
        return soak(SOAK, given.jobs)
    started = time.monotonic()
    found = play_all(given.first, given.seeds, given.jobs)
    figures = found.figures(round(time.monotonic() - started))
    for seed in found.broken[:3]:
        one_alone(seed)
    if given.json:
        keep(figures)
        print(json.dumps({**figures, "crashed at": dict(found.places.most_common())}, indent=2))
    else:
        for name, told_ in figures.items():
            print(f"{name:<32}{told_!s:>10}")
    return 1 if found.bad else 0


if __name__ == "__main__":
    sys.exit(main())
