"""What every bench gives back, and the list that they put themselves on.

A bench runs a thing of ours and, in turns with it in the same run, a reference that everybody
understands: machines differ and are noisy, the ratio of the two much less so.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

ROUNDS: Final = 3
QUICK_ROUNDS: Final = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One line of the table. `ratio`: ours to the reference, in how many times its time."""

    name: str
    figure: str
    ratio: float | None
    reference: str
    detail: dict[str, Any]


Told = Callable[[str], None]
"""What a bench does now, for whoever waits."""
Bench = Callable[[bool, Told], Iterator[Result]]


def in_turns(
    ours: Callable[[], object], reference: Callable[[], object], *, quick: bool
) -> tuple[float, float]:
    """Median seconds of each, run one after the other, again and again."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        for work, into in zip((ours, reference), times, strict=True):
            started = time.perf_counter()
            work()
            into.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": list(os.getloadavg()),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def _processor() -> str:
    try:
        with pathlib.Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
