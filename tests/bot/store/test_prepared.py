"""Prepared statements say what SQLAlchemy itself says, on the driver and off it."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from bot.store import database, prepared, statements, tables
from tests.bot.store import rows

_c, _p = tables.counters, tables.persons
_BY_NAME = (
    sa.select(_c.c.name, _c.c.n).where(_c.c.n >= sa.bindparam("least")).order_by(_c.c.name).limit(2)
)
_LISTED = sa.select(_c.c.name).where(_c.c.name.in_(sa.bindparam("names", expanding=True)))
_ROWS = [{"hour_ms": 0, "name": name, "n": n} for n, name in enumerate("abcde", 1)]


async def _kept(work: Callable[[sa.Connection], Any], *, filled: bool = True) -> Any:  # noqa: ANN401 (whatever work gives)
    async with rows.memory() as store:
        if filled:
            await store.write(lambda tx: prepared.Insert(_c).many(tx, _ROWS))
        return await store.write(work)


@pytest.fixture(params=["driver", "sqlalchemy"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "sqlalchemy":
        # As on any other database, or behind an async adaptor.
        monkeypatch.setattr(prepared, "_driver", lambda _tx: None)


@pytest.mark.usefixtures("_way")
async def test_a_select_gives_its_rows_with_its_fixed_values() -> None:
    statement = prepared.Prepared(_BY_NAME)
    assert await _kept(lambda tx: statement.rows(tx, {"least": 2})) == [("b", 2), ("c", 3)]


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("names", [[], ["a"], ["a", "b", "c"], [*"abcde"], ["a", "x"]])
async def test_a_list_of_any_length_finds_each_row_once(names: list[str]) -> None:
    listed = prepared.Listed(_LISTED, "names")
    found = await _kept(lambda tx: listed.rows(tx, names))
    assert sorted(row[0] for row in found) == sorted({*names} & {*"abcde"})


@pytest.mark.usefixtures("_way")
async def test_updates_say_how_many_rows_changed() -> None:
    update = prepared.Prepared(
        sa.update(_c).where(_c.c.name == sa.bindparam("of")).values(n=sa.bindparam("to"))
    )
    changes = [{"of": "a", "to": 10}, {"of": "e", "to": 50}]
    assert await _kept(lambda tx: update.many(tx, changes)) == 2
    if prepared._last[1] is not None:
        assert await _kept(lambda tx: update.many(tx, [{"of": "x", "to": 1}])) == 0


@pytest.mark.usefixtures("_way")
async def test_upserts_add_to_what_is_there() -> None:
    bump = prepared.Prepared(statements.bump(_c, "n"))

    def work(tx: sa.Connection) -> list[prepared.Row]:
        bump.many(tx, [{"hour_ms": 0, "name": "a", "n": 5}, {"hour_ms": 0, "name": "z", "n": 1}])
        return prepared.Listed(_LISTED.add_columns(_c.c.n), "names").rows(tx, ["a", "z"])

    assert sorted(await _kept(work)) == [("a", 6), ("z", 1)]


@pytest.mark.usefixtures("_way")
async def test_no_rows_insert_nothing() -> None:
    def work(tx: sa.Connection) -> int:
        prepared.Insert(_c).many(tx, [])
        return len(tx.execute(sa.select(_c)).all())

    assert await _kept(work, filled=False) == 0


@pytest.mark.usefixtures("_way")
async def test_booleans_are_booleans() -> None:
    flag = prepared.Prepared(sa.select(sa.literal(True, sa.Boolean), sa.null()))
    (row,) = await _kept(flag.rows)
    assert row == (True, None)
    assert row[0] is True


async def test_two_stores_do_not_mix_up_their_connections() -> None:
    read = prepared.Prepared(sa.select(sa.func.count()).select_from(_c))
    async with rows.memory() as one, rows.memory() as other:
        await one.write(lambda tx: prepared.Insert(_c).many(tx, _ROWS))
        for _ in range(2):
            assert await one.read(read.rows) == [(5,)]
            assert await other.read(read.rows) == [(0,)]


@pytest.mark.parametrize("first", ["driver", "sqlalchemy"])
async def test_whoever_wrote_first_a_failed_transaction_leaves_nothing(first: str) -> None:
    async with rows.memory() as store:

        def work(tx: sa.Connection) -> None:
            insert = prepared.Insert(_c)
            if first == "driver":
                insert.many(tx, _ROWS[:1])
            tx.execute(sa.insert(_c), _ROWS[1:2])
            insert.many(tx, _ROWS[2:3])
            raise LookupError

        with pytest.raises(LookupError):
            await store.write(work)
        count = sa.select(sa.func.count()).select_from(_c)
        assert await store.read(lambda tx: tx.execute(count).scalar_one()) == 0
        await store.write(lambda tx: prepared.Insert(_c).many(tx, _ROWS))
        assert await store.read(lambda tx: tx.execute(count).scalar_one()) == 5


async def test_a_conflict_in_a_prepared_statement_runs_again_and_ends_as_one() -> None:
    tries = 0

    def work(tx: sa.Connection) -> None:
        nonlocal tries
        tries += 1
        prepared.Insert(_c).many(tx, [*_ROWS, _ROWS[0]])

    async with rows.memory() as store:
        with pytest.raises(database.AgainstError):
            await store.write(work)
        assert tries == database.TRIES
        assert await store.read(lambda tx: tx.execute(sa.select(_c)).all()) == []


async def test_what_is_alike_in_all_rows_of_one_call_may_differ_in_the_next() -> None:
    move = prepared.Prepared(
        sa.update(_p)
        .where(_p.c.id == sa.bindparam("of"))
        .values(messages=sa.bindparam("n"), opted_out_ms=sa.bindparam("out"))
    )
    insert, columns = prepared.Insert(_p), ("id", "created_ms", "last_ms", "messages")

    def person(of: int, at_ms: int) -> dict[str, int]:
        return {**dict(zip(columns, (of, at_ms, at_ms, 1), strict=True)), "blocked_until_ms": 0}

    def change(of: int, n: int, out: int | None) -> dict[str, int | None]:
        return {"of": of, "n": n, "out": out}

    def work(tx: sa.Connection) -> list[tuple[Any, ...]]:
        insert.many(tx, [person(1, 5), person(2, 5)])
        insert.many(tx, [person(3, 6), person(4, 7)])
        insert.many(tx, [person(5, 8), person(6, 8)])
        assert move.many(tx, [change(1, 9, None), change(2, 9, None)]) == 2
        assert move.many(tx, [change(3, 9, None), change(4, 8, 77), change(99, 7, None)]) == 2
        assert move.many(tx, [change(5, 4, 66), change(6, 4, 66)]) == 2
        kept = sa.select(_p.c.id, _p.c.created_ms, _p.c.messages, _p.c.opted_out_ms)
        return [tuple(row) for row in tx.execute(kept.order_by(_p.c.id))]

    assert await _kept(work, filled=False) == [
        (1, 5, 9, None),
        (2, 5, 9, None),
        (3, 6, 9, None),
        (4, 7, 8, 77),
        (5, 8, 4, 66),
        (6, 8, 4, 66),
    ]
