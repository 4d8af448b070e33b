"""Every message that was answered with 200 is in the database, though the program was killed.

`kill -9` under the full load, twice from a fresh copy; then the database is opened as at any start
and each acknowledged id is looked up. Anything missing is an error, not a figure.
"""

from __future__ import annotations

import pathlib
import sqlite3
import tempfile
import threading
from typing import Final

from bench import forms, intake, million
from bot.store import vault

_RUNS: Final = (901, 902)
_CONNECTIONS: Final = 64
_KILLED_AFTER_S: Final = 2.5


def measure(told: million.Told = lambda _what: None) -> dict[str, int]:
    """How many were acknowledged before the kills, and how many of those are missing."""
    acknowledged = missing = 0
    for run in _RUNS:
        told(f"killed under load, run {run}")
        with tempfile.TemporaryDirectory(prefix="antirelou-bench-") as name:
            folder = pathlib.Path(name)
            path = million.copied(folder, told)
            ids = _killed(folder, run)
            acknowledged += len(ids)
            missing += len(ids - _found(path, folder / "antirelou.key", ids))
    if missing or not acknowledged:
        raise RuntimeError(f"{missing} of {acknowledged} acknowledged messages are not stored")
    return {"acknowledged": acknowledged, "missing": missing, "kills": len(_RUNS)}


def _killed(folder: pathlib.Path, run: int) -> set[str]:
    """The ids that were answered with 200 before the end."""
    kept = folder / "ids"
    with (
        intake.ours(folder) as served,
        intake.loading(
            served.port, run, _CONNECTIONS, _KILLED_AFTER_S + 1, ids=str(kept), most_per_s=9_000
        ) as go,
    ):
        timer = threading.Timer(_KILLED_AFTER_S, served.process.kill)
        timer.start()
        cut = go()["cut"]
        served.process.wait()
        timer.join()
    if not cut:
        raise RuntimeError("the kill met no request under way")
    return set(kept.read_text(encoding="ascii").split())


def _found(path: pathlib.Path, key: pathlib.Path, ids: set[str]) -> set[str]:
    """Those of the ids that the database has seen."""
    keys = vault.load(key)
    connection = sqlite3.connect(path)
    query = "SELECT 1 FROM seen WHERE hash = ?"
    found = {
        sid
        for sid in ids
        if connection.execute(query, (keys.hash("seen", f"sms\x00{sid}"),)).fetchone()
    }
    known = connection.execute("SELECT count(*) FROM inbound").fetchone()[0]
    connection.close()
    if known < forms.PEOPLE + len(found):
        raise RuntimeError("seen, but the message itself is not there")
    return found


if __name__ == "__main__":
    print(measure(print))
