"""The whole HTTP surface of the running program for longer, with its figures.

    python -m tests.fuzz --examples 300

The tests of tests/fuzz/test_surface.py with so many requests a description, over real sockets. The
figures go to .cache/reliability/http.json; ends with 1 if any promise broke.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import surface
from tools import figures

MANY = 300


def main() -> int:
    """From the command line."""
    told = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    told.add_argument("--examples", type=int, default=MANY, metavar="N")
    asked = told.parse_args()
    with tempfile.TemporaryDirectory(prefix="antirelou-fuzz-") as folder:
        file = Path(folder) / "figures"
        file.touch()
        more = {surface.EXAMPLES: str(asked.examples), surface.FIGURES: str(file)}
        words = [sys.executable, "-m", "pytest", "-q", "tests/fuzz/test_surface.py"]
        ended = subprocess.run(words, cwd=figures.ROOT, env=os.environ | more, check=False)
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    statuses = collections.Counter(status for one in lines for status in one["statuses"])
    told_of: dict[str, object] = {
        "descriptions tried": len({one["name"] for one in lines}),
        "requests": sum(statuses.values()),
        **{f"answered {status}": n for status, n in sorted(statuses.items())},
        "promises broken": int(ended.returncode != 0),
    }
    sys.stdout.write(f"{figures.write('http', told_of)}\n")
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
