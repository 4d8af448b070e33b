import asyncio
import pathlib

import pytest
import sqlalchemy as sa

from bot.store import database, ids
from tests.bot.store import rows


async def test_two_takers_on_one_database_never_meet(tmp_path: pathlib.Path) -> None:
    async with rows.on_file(tmp_path) as one:
        other = database.Store(tmp_path / "bot.db")
        await other.open()
        takers = [(ids.Ids(), one), (ids.Ids(), other)]
        taken: list[int] = []
        for _ in range(3):
            await asyncio.gather(*(taker.top_up(store, 5_000) for taker, store in takers))
            for taker, _store in takers:
                taken += [taker.take("replies") for _ in range(4_000)]
        await other.close()
    assert len(taken) == len(set(taken))
    assert min(taken) == 1


async def test_a_restart_goes_on_above(tmp_path: pathlib.Path) -> None:
    async with rows.on_file(tmp_path) as store:
        first = ids.Ids()
        await first.top_up(store, 1)
        before = first.take("persons")
    async with rows.on_file(tmp_path) as store:
        second = ids.Ids()
        await second.top_up(store, 1)
        assert second.take("persons") > before


async def test_a_rollback_leaves_a_gap_and_nothing_worse() -> None:
    async with rows.memory() as store:
        taker = ids.Ids()
        await taker.top_up(store, 10)
        taken = []

        def work(tx: sa.Connection) -> None:
            taken.append(taker.take("persons"))
            if len(taken) < 3:
                raise database.ConflictError("another was faster")

        await store.write(work)
    assert len(set(taken)) == 3


async def test_forgetting_to_top_up_is_told() -> None:
    with pytest.raises(LookupError):
        ids.Ids().take("persons")


async def test_kinds_count_apart_and_blocks_are_used_up() -> None:
    async with rows.memory() as store:
        taker = ids.Ids()
        await taker.top_up(store, ids.BLOCK + 1)
        taken = [taker.take("persons") for _ in range(ids.BLOCK + 1)]
        assert taken == list(range(1, ids.BLOCK + 2))
        assert taker.take("replies") == 1
        await taker.top_up(store, 1)
        assert taker.take("persons") == ids.BLOCK + 2
