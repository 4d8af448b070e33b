"""The page as a folder of files, for any host: no server of ours is needed to show it."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from typing import Final

from bot.web.public import site, state

MARK: Final = ".antirelou-page"
_WHY: Final = "Made by antirelou page export; the next export replaces this folder.\n"


class NotOursError(Exception):
    """The folder holds files that were not exported; nothing was changed."""


def write(files: site.Site, seen: state.Seen, folder: pathlib.Path) -> int:
    """Write all files and put the folder in the place of the last one; how many bytes they are.

    A page that is being fetched meanwhile is the old one or the new one, but for the moment in
    which the folders change places. Raises NotOursError, OSError.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise NotOursError(f"{folder} holds files that are not an exported page; name another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        total = _fill(files, seen, fresh)
        fresh.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(fresh, folder)  # noqa: PTH105 (one name for both kinds of path)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return total


def _fill(files: site.Site, seen: state.Seen, folder: pathlib.Path) -> int:
    total = 0
    for path in files.paths(seen):
        made = files.file(path, files.setup.language, seen)
        if made is None:
            continue
        name = f"{path}index.html" if not path or path.endswith("/") else path
        where = folder / name
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(made.body)
        total += len(made.body)
    (folder / MARK).write_text(_WHY, encoding="utf-8")
    return total
