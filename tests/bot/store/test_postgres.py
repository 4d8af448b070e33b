"""What only PostgreSQL can do wrong: transactions beside ours, and a server that goes away."""

from __future__ import annotations

import asyncio
import functools

import asyncpg
import pytest
import sqlalchemy as sa
from alembic import autogenerate
from alembic.runtime import migration
from sqlalchemy import exc

from bot import ledger, outbox
from bot.contract import clock
from bot.policy.lifecycle import State
from bot.store import database, events, holds, postgres, schema, setwise, tables
from tests.bot.store import rows
from tests.fakes import world as fake
from tests.peers import postgres as peers

NOW_MS = rows.NOW_MS
pytestmark = pytest.mark.usefixtures("_on_postgres")


# ---------------------------------------------------------------- as SQLite's store


async def test_a_transaction_is_all_or_nothing(store: postgres.Store) -> None:
    def work(tx: sa.Connection) -> None:
        rows.note(tx)
        raise LookupError

    for together in (False, True):
        with pytest.raises(LookupError):
            await store.write(work, together=together)
    assert await rows.kinds(store) == []
    await store.write(rows.note)
    assert await rows.kinds(store) == ["note"]


async def test_a_conflict_runs_the_work_again_from_the_start(store: postgres.Store) -> None:
    tries: list[int] = []

    def work(tx: sa.Connection) -> str:
        tries.append(len(tries))
        rows.note(tx)
        if len(tries) < 3:
            raise database.ConflictError("another was faster")
        return "done"

    assert await store.write(work) == "done"
    assert tries == [0, 1, 2]
    assert await rows.kinds(store) == ["note"]
    with pytest.raises(database.AgainstError):
        await store.write(rows_twice)
    assert await rows.kinds(store) == ["note"]


def rows_twice(tx: sa.Connection) -> None:
    rows.note(tx)
    for _ in range(2):
        tx.execute(sa.insert(tables.caps), {"scope": "a", "used": 1})


@pytest.mark.case("C33")
async def test_errors_hold_no_parameters_and_no_words_of_the_server(store: postgres.Store) -> None:
    secret = "+33639981234"

    def by_driver(tx: sa.Connection) -> None:
        tx.execute(sa.insert(tables.caps), {"scope": "a", "used": secret})

    def by_server(tx: sa.Connection) -> None:
        tx.execute(sa.text(f"SELECT CAST('{secret}x' AS BIGINT)"))

    for work in (by_driver, by_server):
        for run in (store.write, store.read):
            with pytest.raises((exc.DBAPIError, database.StoreAwayError)) as caught:
                await run(work)
            assert secret not in f"{caught.value!r} {caught.value}"
    await store.write(rows.note)


async def test_readers_cannot_write(store: postgres.Store) -> None:
    with pytest.raises(database.StoreAwayError, match="read-only"):
        await store.read(rows.note)
    assert await rows.kinds(store) == []


async def test_a_cancelled_caller_leaves_no_open_transaction(store: postgres.Store) -> None:
    task = asyncio.create_task(store.write(rows.note))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.write(rows.note)
    await store.close()
    await store.open()
    assert await rows.kinds(store) == ["note", "note"]


async def test_sums_and_averages_are_plain_numbers(store: postgres.Store) -> None:
    await rows.put(store, tables.caps, {"scope": "a", "used": 1}, {"scope": "b", "used": 2})
    used = tables.caps.c.used
    query = sa.select(sa.func.sum(used), sa.func.avg(used))
    (found,) = await store.read(lambda tx: tx.execute(query).all())
    assert [(type(value), value) for value in found] == [(int, 3), (float, 1.5)]


# ---------------------------------------------------------------- beside each other


async def test_the_hot_ones_run_together_and_all_others_alone(store: postgres.Store) -> None:
    # Each waits in the database for a sign of the other, so two end only if they ran together.
    def meets(tx: sa.Connection, mine: str, other: str) -> bool:
        take = sa.text("SELECT pg_advisory_lock(hashtext(:name))")
        held = sa.text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND "
            "objid = hashtext(:name)::oid AND granted"
        )
        tx.execute(take, {"name": mine})
        for _ in range(200):
            if tx.execute(held, {"name": other}).scalar_one():
                return True
            tx.execute(sa.text("SELECT pg_sleep(0.005)"))
        return False

    async def both(*, together: bool) -> list[bool]:
        one = functools.partial(meets, mine=f"a{together}", other=f"b{together}")
        two = functools.partial(meets, mine=f"b{together}", other=f"a{together}")
        found = await asyncio.gather(
            store.write(one, together=True), store.write(two, together=together)
        )
        return list(found)

    assert await both(together=True) == [True, True]
    # The first saw nobody beside it. (The session keeps its sign, so the second does.)
    assert (await both(together=False)).count(False) == 1


@pytest.mark.case("C38")
async def test_each_worker_claims_others_and_none_waits(store: postgres.Store) -> None:
    await rows.put_replies(store, *(rows.reply(n, "scheduled") for n in range(1, 7)))
    entered, go_on = asyncio.Event(), asyncio.Event()
    mine: list[int] = []

    async def first() -> None:
        async with store._writers.connect() as connection:  # type: ignore[union-attr]
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            await raw.execute("BEGIN")
            due = await connection.run_sync(lambda tx: outbox.load_due(tx, NOW_MS, 3))
            mine.extend(one.id for one in due)
            entered.set()
            await go_on.wait()
            await raw.execute("ROLLBACK")

    task = asyncio.create_task(first())
    await asyncio.wait_for(entered.wait(), 20)
    work = functools.partial(outbox.load_due, now_ms=NOW_MS, limit=9)
    others = [one.id for one in await store.write(work, together=True)]
    assert len(mine) == len(others) == 3
    assert {*mine, *others} == set(range(1, 7))
    go_on.set()
    await task
    assert len(await store.write(work, together=True)) == 6


@pytest.mark.case("C06")
async def test_two_that_meet_crosswise_both_end(store: postgres.Store) -> None:
    await rows.put(store, tables.caps, {"scope": "a", "used": 0}, {"scope": "b", "used": 0})

    def crosswise(tx: sa.Connection, *, names: tuple[str, str]) -> None:
        for name in names:
            ledger._ADJUST.many(tx, [{"of": name, "by": 1}])
            tx.execute(sa.text("SELECT pg_sleep(0.05)"))

    work = [functools.partial(crosswise, names=names) for names in (("a", "b"), ("b", "a"))]
    await asyncio.gather(*(store.write(one, together=True) for one in work))
    found = {row["scope"]: row["used"] for row in await rows.rows(store, tables.caps)}
    assert found == {"a": 2, "b": 2}


@pytest.mark.case("C38")
async def test_a_hold_is_one_processes_until_it_is_gone(url: str, store: postgres.Store) -> None:
    other = postgres.Store(url)
    await other.open()
    assert await store.hold("flood")
    assert await store.hold("flood")
    assert not await other.hold("flood")
    assert await other.hold("janitor")
    # As a kill of the process does.
    session = store._holds._session
    assert session is not None
    session.terminate()
    async with asyncio.timeout(20):
        while not await other.hold("flood"):  # noqa: ASYNC110 (the database tells nobody)
            await asyncio.sleep(0)
    assert not await store.hold("flood")
    await other.close()
    async with asyncio.timeout(20):
        while not await store.hold("janitor"):  # noqa: ASYNC110 (the same)
            await asyncio.sleep(0)


@pytest.mark.case("C38")
async def test_the_server_ends_the_hold_of_one_that_is_silent(url: str) -> None:
    async def connect(**limits: str) -> holds.Driver:
        made: holds.Driver = await asyncpg.connect(url, server_settings=limits)
        return made

    stopped = holds.Holds(functools.partial(connect, idle_session_timeout="60"))
    # Without a limit: on a loaded machine it, too, would be silent for so long.
    other = holds.Holds(connect)
    assert await stopped.hold("flood")
    async with asyncio.timeout(20):
        while not await other.hold("flood"):  # noqa: ASYNC110 (the database tells nobody)
            await asyncio.sleep(0)
    assert not await stopped.hold("flood")
    await stopped.close()
    await other.close()


@pytest.mark.case("C21")
async def test_no_send_starts_after_a_pause_was_stored() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(n) for n in range(60)])
    assert isinstance(rooms.clock, fake.Clock)
    await rooms.clock.advance(6300)
    now_ms = clock.to_ms(rooms.clock.now())
    claimed = await rooms.dispatcher._claim()
    assert len(claimed.sends) == 60
    await rooms.store.write(lambda tx: events.control(tx, now_ms, "paused", "forever"))
    await rooms.dispatcher._send(claimed.sends)
    assert world.sent == []
    assert (await rooms.store.read(outbox.counts))["scheduled"] == 60
    await rooms.store.write(lambda tx: events.control(tx, now_ms, "paused", None))
    while await rooms.dispatcher.step():
        pass
    assert len(world.sent) == 60


# ---------------------------------------------------------------- schema and plans


async def test_migrations_make_what_the_tables_say(store: postgres.Store) -> None:
    def found(tx: sa.Connection) -> str:
        context = migration.MigrationContext.configure(tx, opts={"compare_server_default": False})
        changes = autogenerate.produce_migrations(context, tables.metadata)
        assert changes.upgrade_ops is not None
        return autogenerate.render_python_code(changes.upgrade_ops)

    lines = (await store.read(found)).splitlines()
    assert [line for line in lines if line.strip() not in ("", "pass") and "#" not in line] == []


@pytest.mark.case("C39")
async def test_a_newer_schema_is_refused_and_a_failure_leaves_nothing(
    server: peers.Cluster, store: postgres.Store
) -> None:
    assert await store.write(schema.upgrade) == (schema.HEAD, schema.HEAD)
    await rows.run(store, sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.SchemaError, match="newer than this program"):
        await store.write(schema.upgrade)
    again = sa.update(schema._VERSION).values(version_num=schema.HEAD)
    await rows.run(store, again)
    empty = postgres.Store(server.url(server.fresh()))
    await empty.open()

    def cut(tx: sa.Connection) -> None:
        schema.upgrade(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await empty.write(cut)
    assert await empty.read(schema.revision) is None
    assert await empty.read(lambda tx: sa.inspect(tx).get_table_names()) == []
    assert await empty.write(schema.upgrade) == (None, schema.HEAD)
    await empty.close()


async def test_what_is_due_is_found_by_the_partial_index(store: postgres.Store) -> None:
    await rows.put_replies(store, *(rows.reply(n, "sent") for n in range(1, 400)))
    await rows.put_replies(store, *(rows.reply(n, "scheduled") for n in range(400, 410)))
    due = setwise.Select(outbox._DUE.statement)._text
    due = due.replace("$1::BIGINT", str(NOW_MS)).replace("$2", "5")
    move = outbox._statement(State.SCHEDULED, State.HELD, ("reason",)).statement
    moved = setwise.Change(move).setwise(["to_reason", "of"])
    assert moved is not None
    moved = moved.replace("$1::VARCHAR[]", "ARRAY['a']").replace("$2::BIGINT[]", "ARRAY[400]")

    def plans(tx: sa.Connection) -> list[str]:
        tx.execute(sa.text("ANALYZE replies"))
        return ["\n".join(tx.execute(sa.text(f"EXPLAIN {one}")).scalars()) for one in (due, moved)]

    found = await store.write(plans)
    assert "replies_due" in found[0]
    assert "Seq Scan on replies" not in found[0] + found[1]
