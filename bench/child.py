"""One simulation in a process of its own, so that its peak memory is nobody else's.

usage: python -m bench.child TRACE     prints one JSON object
"""

from __future__ import annotations

import json
import pathlib
import resource
import sys
import time

from bot import simulate
from bot.policy import settings


def main() -> None:
    """Run it with the defaults and no cap."""
    budget = settings.Budget(cap_day_micros=None, cap_month_micros=None)
    started = time.perf_counter()
    busy = time.process_time()
    report = simulate.run(pathlib.Path(sys.argv[1]), settings.Core(budget=budget))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    told = {
        "messages": report.messages,
        "seconds": time.perf_counter() - started,
        "busy_s": time.process_time() - busy,
        "peak_mb": peak / (1024 * 1024 if sys.platform == "darwin" else 1024),
        "faults": list(report.faults),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
