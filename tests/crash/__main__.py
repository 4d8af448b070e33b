"""`python -m tests.crash`: kill -9, again and again, on SQLite and on PostgreSQL.

Each database has two runs: with phones that drop repeats (a torn send is made again), and with
phones that do not (a torn send is unknown, and the day's cap is low). On PostgreSQL one kill in
ten takes the database server with it. Figures go to `.cache/reliability/crash.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from rich import progress
from rich.console import Console
from rich.table import Table

from tests.e2e import books, kills
from tests.peers import postgres
from tools import figures

DATABASES: Final = ("sqlite", "postgresql")
# Of a database's rounds, so many are for phones that do not drop repeats: there each torn send
# stays unknown and holds its money, so a low cap is soon full and few sends are left to tear.
_UNREPEATABLE: Final = 6


class Trouble:
    """What becomes of the database server besides: one time in ten it crashes too."""

    def __init__(self, cluster: postgres.Cluster) -> None:
        """It has not crashed yet."""
        self.crashes = 0
        self._cluster = cluster

    async def __call__(self, draw: random.Random) -> None:
        """Perhaps end it at once, without a checkpoint; it recovers at its start."""
        if draw.random() < 0.1:
            await asyncio.to_thread(self._cluster.stop, signal.SIGQUIT)
            await asyncio.to_thread(self._cluster.start)
            self.crashes += 1


@contextlib.contextmanager
def server() -> Iterator[postgres.Cluster]:
    """A PostgreSQL that writes to the disk as in life."""
    reason = postgres.missing()
    if reason is not None:
        raise SystemExit(f"crash: {reason}")
    with postgres.running(fsync=True) as cluster:
        yield cluster


def loop(plan: kills.Plan, name: str, *, quiet: bool) -> kills.Run:
    """One run in a folder of its own, with a bar. The folder stays if a promise was broken."""
    folder = Path(tempfile.mkdtemp(prefix="antirelou-crash-"))
    print(f"crash: {name}: seed {plan.seed}, {plan.rounds} rounds", file=sys.stderr)
    with progress.Progress(disable=quiet or not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=plan.rounds)
        seen = functools.partial(bar.update, task)
        made = kills.Plan(
            seed=plan.seed,
            rounds=plan.rounds,
            idempotent=plan.idempotent,
            cap_day=plan.cap_day,
            server=plan.server,
            meanwhile=plan.meanwhile,
            seen=lambda done: seen(completed=done),
        )
        try:
            run = asyncio.run(kills.killed(folder, made))
            kills.check(run)
        except BaseException:
            print(f"crash: the files are kept in {folder}", file=sys.stderr)
            raise
    shutil.rmtree(folder, ignore_errors=True)
    return run


def both(database: str, rounds: int, seed: int, *, quiet: bool) -> dict[str, Any]:
    """Both runs of a database; run -> figures."""
    out: dict[str, Any] = {}
    for idempotent in (True, False):
        less = max(6, rounds // _UNREPEATABLE)
        name = f"{database}, repeats {'dropped' if idempotent else 'delivered'}"
        plan = kills.Plan(
            seed=seed,
            rounds=rounds - less if idempotent else less,
            idempotent=idempotent,
            cap_day="10000" if idempotent else "1",
        )
        begun = time.monotonic()
        if database == "sqlite":
            run, crashes = loop(plan, name, quiet=quiet), 0
        else:
            with server() as cluster:
                trouble = Trouble(cluster)
                made = kills.Plan(
                    seed=seed,
                    rounds=plan.rounds,
                    idempotent=idempotent,
                    cap_day=plan.cap_day,
                    server=books.Server(cluster, "postgres"),
                    meanwhile=trouble,
                )
                run, crashes = loop(made, name, quiet=quiet), trouble.crashes
        took = {"seconds": round(time.monotonic() - begun)}
        out[name] = {
            **run.figures(),
            "crashes of the server": crashes,
            **kills.broken(run),
            **took,
        }
        # Kept at once: a run that is cut later takes nothing of this one with it.
        figures.merge("crash", {"runs": {name: out[name]}}, into=("runs",))
    return out


def main() -> int:
    """Exit code 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=500, help="kills on each database")
    parser.add_argument("--on", choices=DATABASES, action="append", help="this database alone")
    parser.add_argument("--seed", type=int, help="repeat a run")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    # However it is ended, no process of ours is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = told.seed if told.seed is not None else random.SystemRandom().randrange(1 << 32)
    runs: dict[str, Any] = {}
    broken = 0
    for database in told.on or DATABASES:
        try:
            runs |= both(database, told.rounds, seed, quiet=told.json)
        except AssertionError as error:
            print(f"crash: BROKEN on {database}, seed {seed}: {error}", file=sys.stderr)
            broken += 1
    if told.json:
        print(json.dumps(runs, indent=1))
    else:
        table = Table("", *runs, title="kill -9")
        for figure in dict.fromkeys(name for one in runs.values() for name in one):
            table.add_row(figure, *(str(one.get(figure, "")) for one in runs.values()))
        Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
