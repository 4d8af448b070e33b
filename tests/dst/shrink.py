"""The smallest plan of a seed that still breaks a promise: fewer messages, people, crashes."""

from __future__ import annotations

import dataclasses

from tests.dst import check, told
from tests.dst import run as runs


def shrunk(seed: int) -> tuple[runs.Plan, told.Run]:
    """By trying; every plan of a seed is another run, so a smaller one must break by itself."""
    best = runs.Plan()
    run = runs.play(seed, best)
    for smaller in (
        {"messages": 4, "people": 2, "crashes": 0},
        {"messages": 8, "people": 3, "crashes": 0},
        {"messages": 12, "crashes": 0},
        {"messages": 12, "crashes": 1},
        {"messages": 25, "crashes": 1},
        {"messages": 25},
    ):
        plan = dataclasses.replace(best, **smaller)  # type: ignore[arg-type]  # of Plan's own fields
        made = runs.play(seed, plan)
        if check.faults(made):
            return plan, made
    return best, run
