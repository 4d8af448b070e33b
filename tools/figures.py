"""Where the proofs leave their figures: `.cache/reliability/NAME.json`, one file a proof.

Every file says when, where and on which commit it was made, so that docs/reliability.md can.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".cache" / "reliability"


def commit(root: Path = ROOT) -> str:
    """The commit that is checked out, `+` where the tree has changes; empty outside a clone."""
    ask = ["git", "rev-parse", "--short=10", "HEAD"]
    found = subprocess.run(ask, cwd=root, check=False, capture_output=True, text=True)
    if found.returncode:
        return ""
    dirty = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def machine() -> str:
    """What it ran on, without its name."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python " + (
        platform.python_version()
    )


def stamp() -> dict[str, str]:
    """Day, machine and commit."""
    day = dt.datetime.now(tz=dt.UTC).date().isoformat()
    return {"date": day, "machine": machine(), "commit": commit()}


def write(name: str, data: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Write a proof's figures with the stamp of now; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    text = json.dumps({**stamp(), **data}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """The last figures of a proof; empty if it never ran."""
    path = folder / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def merge(
    name: str, data: Mapping[str, Any], *, into: Sequence[str], folder: Path = FOLDER
) -> Path:
    """As `write`, but the tables named by `into` keep the rows that this run did not make."""
    before = read(name, folder)
    joined = {key: {**before.get(key, {}), **data.get(key, {})} for key in into}
    return write(name, {**data, **joined}, folder)
