"""A backup that looks whole and is not; a database that appears while one is put back."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3

import pytest

from bot.store import backup

MARK = b"a-key-of-its-own"


@pytest.fixture
def saved(tmp_path: pathlib.Path) -> pathlib.Path:
    """The least that a backup is."""
    path = tmp_path / "b.db"
    with contextlib.closing(sqlite3.connect(path)) as made, made:
        made.execute("CREATE TABLE alembic_version (version_num TEXT)")
        made.execute("INSERT INTO alembic_version VALUES ('0001')")
        made.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
        made.execute("INSERT INTO meta VALUES (?, '1')", (MARK.decode(),))
        made.execute("CREATE TABLE replies (id INTEGER PRIMARY KEY)")
    assert backup.look(path).revision == "0001"
    return path


def test_an_index_that_tells_another_story_is_damage(saved: pathlib.Path) -> None:
    """Every page can be read, every table too: only the whole check sees it."""
    held = saved.read_bytes()
    assert held.count(MARK) == 2
    at = held.rindex(MARK)
    saved.write_bytes(held[:at] + MARK.swapcase() + held[at + len(MARK) :])
    with pytest.raises(backup.BackupError, match="is damaged"):
        backup.look(saved)


@pytest.mark.parametrize("end", ["", "-wal", "-journal"])
def test_what_appears_meanwhile_is_neither_overwritten_nor_read_into_it(
    saved: pathlib.Path, tmp_path: pathlib.Path, end: str
) -> None:
    target = tmp_path / "antirelou.db"
    appeared = tmp_path / f"antirelou.db{end}"
    with pytest.raises(backup.BackupError, match="move these away first"):  # noqa: SIM117 (its end raises)
        with backup.bring(saved, target):
            appeared.write_bytes(b"of a program that was started")
    assert appeared.read_bytes() == b"of a program that was started"
    assert end == "" or not target.exists()
    assert not list(tmp_path.glob("*.part*"))
