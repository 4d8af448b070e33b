"""What an error of the store says: the driver's own words, and nothing of what was asked."""

from __future__ import annotations

import functools
import pathlib

import pytest
import sqlalchemy as sa

from bot.store import database

CANARY = "canarikanari"
_NOWHERE = sa.table("nowhere", sa.column("address"))
ASKED = (
    sa.select(_NOWHERE).where(_NOWHERE.c.address == CANARY),
    sa.text("SELECT 'canarikanari' FROM nowhere"),
)


@pytest.mark.case("C33")
@pytest.mark.parametrize("statement", ASKED, ids=["parameter", "literal"])
@pytest.mark.parametrize("way", ["read", "short", "write", "together"])
async def test_neither_statement_nor_value(
    tmp_path: pathlib.Path, statement: sa.Executable, way: str
) -> None:
    store = database.Store(tmp_path / "a.db")
    await store.open()

    def work(tx: sa.Connection) -> None:
        tx.execute(statement)

    asked = {
        "read": functools.partial(store.read, work),
        "short": functools.partial(store.read, work, short=True),
        "write": functools.partial(store.write, work),
        "together": functools.partial(store.write, work, together=True),
    }
    with pytest.raises(database.StoreAwayError) as caught:
        await asked[way]()
    await store.close()
    said = str(caught.value)
    assert "no such table" in said
    assert CANARY not in said
    assert "SELECT" not in said
    assert CANARY not in repr(store.condition.tell())
