"""A copy of the tree to spoil: what is committed or about to be, in a folder of its own.

The copy shares `.venv` by the interpreter it is run with. The project is installed editable, so
its root is on the path of that interpreter; `environment` puts the copy before it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
# The peers' programs and compiled modules are found where the tree itself keeps them.
_SHARED: Final = ("peers",)


def files(root: Path = ROOT) -> list[str]:
    """Every file that is committed, or new and not ignored; the machinery's own are left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    names = {name for name in listed.split("\0") if name and not name.startswith(".ci/")}
    return sorted(name for name in names if (root / name).is_file())


def make(into: Path, root: Path = ROOT) -> None:
    """Bring the copy up to date: changed files are written, vanished ones are taken away.

    Times of files are kept, so that mutmut sees which sources did not change.
    """
    into.mkdir(parents=True, exist_ok=True)
    names = files(root)
    for name in names:
        source, target = root / name, into / name
        if _same(source, target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    for folder in ("bot", "bridges", "tests"):
        for found in (into / folder).rglob("*.py"):
            if str(found.relative_to(into)) not in set(names):
                found.unlink()
    cache = into / ".cache"
    cache.mkdir(exist_ok=True)
    for name in _SHARED:
        if (root / ".cache" / name).exists() and not (cache / name).exists():
            (cache / name).symlink_to(root / ".cache" / name)


def _same(source: Path, target: Path) -> bool:
    if not target.is_file():
        return False
    here, there = source.stat(), target.stat()
    return here.st_mtime_ns == there.st_mtime_ns and here.st_size == there.st_size


def environment(copy: Path, **more: str) -> Mapping[str, str]:
    """For commands in the copy: it comes first on the path, the shared files are found."""
    told = {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ANTIRELOU_SHARED": os.environ.get("ANTIRELOU_SHARED") or str(ROOT.parent / "shared"),
        "HYPOTHESIS_PROFILE": "ci",
    }
    return {**os.environ, **told, **more}
