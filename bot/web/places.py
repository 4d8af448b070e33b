"""How many connections fit: a descriptor each, and the rest of the program needs its own.

Without a descriptor left nobody new is heard, whoever makes place, and nothing is sent or stored.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable
from typing import Final

# The database, its readers, providers, the loop, files of a command.
KEPT: Final = 256
LEAST: Final = 64
_USUAL: Final = 1_024


def fit(
    wanted: int,
    *,
    ask: Callable[[int], tuple[int, int]] = resource.getrlimit,
    change: Callable[[int, tuple[int, int]], None] = resource.setrlimit,
) -> int:
    """So many connections at the most, after raising this process's own limit as it may.

    A sandbox may forbid asking and raising; then the usual limit is counted with.
    """
    try:
        soft, hard = ask(resource.RLIMIT_NOFILE)
    except OSError:
        return within(wanted, _USUAL)
    needed = wanted + KEPT
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(OSError, ValueError):
            change(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    return within(wanted, soft)


def within(wanted: int, allowed: int) -> int:
    """Of so many descriptors."""
    return max(LEAST, min(wanted, allowed - KEPT))
