"""What the store writes is for its owner alone, whatever the umask of whoever starts it."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from bot.store import database, schema


@pytest.mark.case("C33")
async def test_a_new_database_and_its_log_are_private(tmp_path: pathlib.Path) -> None:
    before = os.umask(0)
    try:
        store = database.Store(tmp_path / "a.db")
        await store.open()
        await store.write(schema.create)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        await store.close()
    finally:
        os.umask(before)
    assert "a.db-wal" in modes
    assert set(modes.values()) == {0o600}
