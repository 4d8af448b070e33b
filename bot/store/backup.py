"""A copy of a SQLite database while programs work on it, and bringing one back to its place.

The copy is one consistent moment (VACUUM INTO: it keeps no writer waiting, and no remains of what
was deleted are in it). It is readable by nobody else, and stands under its name only when it is
whole, checked and on disk. The key file is never part of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import pathlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from typing import Final

from bot.store import schema

MADE: Final = "backup_ms"
"""In `meta` of a backup: when it was made."""
_BUSY_S: Final = 10.0
_LEFT: Final = ("-wal", "-shm", "-journal")


# What file systems answer that know one name for a file only.
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
)
Link = Callable[[pathlib.Path, pathlib.Path], None]


class BackupError(Exception):
    """Nothing was written; the message says why and what to do."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a file is. `made_ms`: None for a plain copy, whose time nobody noted."""

    made_ms: int | None
    revision: str
    replies: int
    n_bytes: int


def take(source: pathlib.Path, target: pathlib.Path, now_ms: int) -> Backup:
    """Copy the database of `source` to the new file `target`. Raises BackupError."""
    if target.exists():
        raise BackupError(f"{target} is there already; name a new file")
    with _staged(target) as part:
        try:
            _copy(source, part, now_ms)
        except sqlite3.Error as error:
            raise BackupError(f"cannot copy {source} to {target}: {error}") from None
        found = look(part)
        publish(part, target)
    return found


def _copy(source: pathlib.Path, part: pathlib.Path, now_ms: int) -> None:
    where = f"{source.absolute().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(where, uri=True, timeout=_BUSY_S)) as connection:
        connection.execute("VACUUM INTO ?", (str(part),))
    with contextlib.closing(sqlite3.connect(part, timeout=_BUSY_S)) as copy, copy:
        copy.execute("DELETE FROM meta WHERE key = ?", (MADE,))
        copy.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (MADE, str(now_ms)))


def look(path: pathlib.Path) -> Backup:
    """Check a backup from its first page to its last. Raises BackupError."""
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    try:
        with contextlib.closing(_reading(path)) as copy:
            faults = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
            if faults != ["ok"]:
                raise BackupError(f"{path} is damaged ({faults[0]}); take another backup")
            (revision,) = copy.execute("SELECT version_num FROM alembic_version").fetchone()
            made = copy.execute("SELECT value FROM meta WHERE key = ?", (MADE,)).fetchone()
            moved = copy.execute("SELECT 1 FROM meta WHERE key = ?", (schema.MOVED,)).fetchone()
            (replies,) = copy.execute("SELECT count(*) FROM replies").fetchone()
    except (sqlite3.Error, TypeError) as error:
        raise BackupError(f"{path} is damaged, or no database of antirelou ({error})") from None
    if moved is not None:
        raise BackupError(f"{path} was moved to PostgreSQL; back that up with pg_dump")
    return Backup(
        made_ms=None if made is None else int(made[0]),
        revision=revision,
        replies=replies,
        n_bytes=path.stat().st_size,
    )


def _reading(path: pathlib.Path) -> sqlite3.Connection:
    # Nobody works on a backup, so it needs no log and its folder may be read-only.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


@contextlib.contextmanager
def bring(source: pathlib.Path, target: pathlib.Path) -> Iterator[pathlib.Path]:
    """A copy of the backup beside `target`, to be made ready; it takes its place at the end.

    Nothing stands at `target` before. Raises BackupError.
    """
    look(source)
    _refuse_live(target)
    with _staged(target) as part:
        try:
            shutil.copyfile(source, part)
        except OSError as error:
            raise BackupError(f"cannot copy {source} to {part}: {error.strerror}") from None
        yield part
        for end in _LEFT:
            part.with_name(part.name + end).unlink(missing_ok=True)
        look(part)
        _refuse_live(target)
        publish(part, target)


def fold(part: pathlib.Path) -> None:
    """Move the write-ahead log into the file, which is then whole by itself. Raises BackupError."""
    try:
        with contextlib.closing(sqlite3.connect(part, timeout=_BUSY_S)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE").fetchall()
    except sqlite3.Error as error:
        raise BackupError(f"cannot write {part}: {error}") from None


def _refuse_live(target: pathlib.Path) -> None:
    """Nothing is ever overwritten; and a log that was left would be read into the new file."""
    there = [p for end in ("", *_LEFT) if (p := target.with_name(target.name + end)).exists()]
    if there:
        names = " ".join(map(str, there))
        raise BackupError(
            f"there is a database at {target}; end antirelou and move these away first: {names}"
        )


@contextlib.contextmanager
def _staged(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """An empty file beside the target that nobody else can read, ours until the end.

    What a kill left there is taken over.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BackupError(f"cannot write {part}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BackupError(f"another command writes {part} now; wait for it") from None
        try:
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
        except OSError as error:
            raise BackupError(f"cannot make {part} ours alone: {error.strerror}") from None
        try:
            yield part
        finally:
            for end in ("", *_LEFT):
                part.with_name(part.name + end).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def publish(part: pathlib.Path, target: pathlib.Path, link: Link = os.link) -> None:
    """On disk first, then under its name, and never over another file. Raises BackupError."""
    try:
        descriptor = os.open(part, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _named(part, target, link)
        folder = os.open(target.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise BackupError(f"{target} is there already; name a new file") from None
    except OSError as error:
        raise BackupError(f"cannot write {target}: {error.strerror}") from None


def _named(part: pathlib.Path, target: pathlib.Path, link: Link) -> None:
    try:
        link(part, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A stick (FAT, exFAT) or a share. Whoever else makes a backup of this name is kept out by
        # the part, which is locked.
        if target.exists():
            raise FileExistsError from None
        part.rename(target)
