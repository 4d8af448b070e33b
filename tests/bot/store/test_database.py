import asyncio
import functools
import pathlib
import sqlite3
import threading
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from bot.store import database, events, tables, transaction
from tests.bot.store import rows


@pytest.fixture
async def store(tmp_path: pathlib.Path) -> AsyncIterator[database.Store]:
    # Do not wait long for another program.
    async with rows.on_file(tmp_path, patience_ms=30) as opened:
        yield opened


def pragma(tx: sa.Connection, text: str) -> None:
    tx.exec_driver_sql(f"PRAGMA {text}").close()


def note(tx: sa.Connection) -> None:
    events.append(tx, rows.NOW_MS, "note", {})


def big(tx: sa.Connection) -> None:
    events.append(tx, rows.NOW_MS, "big", {"x": "x" * 200_000})


async def test_a_transaction_is_all_or_nothing(store: database.Store) -> None:
    class OwnError(Exception):
        pass

    def work(tx: sa.Connection) -> None:
        note(tx)
        raise OwnError

    with pytest.raises(OwnError):
        await store.write(work)
    assert await rows.kinds(store) == []
    await store.write(note)
    assert await rows.kinds(store) == ["note"]


@pytest.mark.parametrize("together", [False, True])
async def test_the_disk_is_waited_for_beside_the_loop(
    store: database.Store, monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    commit, where = transaction.commit, []

    def seen(writer: sa.Connection) -> None:
        where.append(threading.current_thread())
        commit(writer)

    monkeypatch.setattr(transaction, "commit", seen)
    await store.write(note, together=together)
    assert len(where) == 1
    assert where[0] is not threading.main_thread()


@pytest.mark.case("C07")
async def test_locked_by_another_program(store: database.Store, tmp_path: pathlib.Path) -> None:
    other = sqlite3.connect(tmp_path / "bot.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(database.StoreAwayError, match="locked"):
        await store.write(note)
    assert await rows.kinds(store) == []
    other.execute("ROLLBACK")
    other.close()
    await store.write(note)
    assert await rows.kinds(store) == ["note"]


@pytest.mark.case("C07")
async def test_short_work_waits_for_another_program_and_nobody_waits_with_it(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    other = sqlite3.connect(tmp_path / "bot.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    turns = 0
    waiting = asyncio.create_task(store.write(note, together=True))
    # The loop goes on: a wait in its own thread would end at the first turn, refused or stored.
    while turns < 100 and not waiting.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns == 100
    other.execute("COMMIT")
    other.close()
    async with asyncio.timeout(10):
        await waiting
    assert len(await rows.rows(store, tables.events)) == 1


async def test_short_work_that_fails_leaves_nothing_and_keeps_nobody_out(
    store: database.Store,
) -> None:
    class OwnError(Exception):
        pass

    def work(tx: sa.Connection) -> None:
        note(tx)
        raise OwnError

    with pytest.raises(OwnError):
        await store.write(work, together=True)
    assert await rows.rows(store, tables.events) == []
    await asyncio.gather(*(store.write(note, together=one % 2 == 0) for one in range(20)))
    assert len(await rows.rows(store, tables.events)) == 20


async def test_short_work_in_conflict_runs_again_and_in_the_end_stores_nothing(
    store: database.Store,
) -> None:
    tries = 0

    def work(tx: sa.Connection) -> None:
        nonlocal tries
        tries += 1
        note(tx)
        raise database.ConflictError

    with pytest.raises(database.AgainstError):
        await store.write(work, together=True)
    assert tries == database.TRIES
    assert await rows.rows(store, tables.events) == []


async def test_disk_full(store: database.Store) -> None:
    def fill(tx: sa.Connection) -> None:
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
        pragma(tx, f"max_page_count={pages + 2}")

    await store.write(fill)
    with pytest.raises(database.StoreAwayError, match="full"):
        await store.write(big)
    assert await rows.kinds(store) == []
    await store.write(lambda tx: pragma(tx, "max_page_count=100000"))
    await store.write(big)
    assert await rows.kinds(store) == ["big"]


@pytest.mark.parametrize("together", [False, True])
async def test_a_commit_that_fails_harms_no_later_work(
    store: database.Store, *, together: bool
) -> None:
    def prepare(tx: sa.Connection) -> None:
        tx.exec_driver_sql("CREATE TABLE one (id INTEGER PRIMARY KEY)").close()
        held = "CREATE TABLE two (id INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED)"
        tx.exec_driver_sql(held).close()

    def broken(tx: sa.Connection) -> None:
        # Only the commit looks at it: as with a disk whose last block goes then.
        tx.exec_driver_sql("INSERT INTO two VALUES (7)").close()
        note(tx)

    await store.write(prepare)
    with pytest.raises(database.AgainstError):
        await store.write(broken, together=together)
    assert await rows.kinds(store) == []
    await store.write(note, together=together)
    assert await rows.kinds(store) == ["note"]


@pytest.mark.case("C07")
async def test_read_only(store: database.Store) -> None:
    await store.write(lambda tx: pragma(tx, "query_only=ON"))
    with pytest.raises(database.StoreAwayError, match="readonly"):
        await store.write(note)
    assert await rows.kinds(store) == []
    assert store._writer is not None
    store._writer.connection.cursor().execute("PRAGMA query_only=OFF")
    await store.write(note)
    assert await rows.kinds(store) == ["note"]


@pytest.mark.case("C07")
@pytest.mark.parametrize("place", ["missing/bot.db", "."])
async def test_a_file_that_cannot_be_opened(tmp_path: pathlib.Path, place: str) -> None:
    away = database.Store(tmp_path / place)
    with pytest.raises(database.StoreAwayError, match="unable to open"):
        await away.open()
    await away.close()


@pytest.mark.case("C07")
async def test_a_file_that_is_no_database(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bot.db").write_bytes(b"no database" * 1000)
    away = database.Store(tmp_path / "bot.db")
    with pytest.raises(database.StoreAwayError, match="not a database"):
        await away.open()
    await away.close()


async def test_not_open_is_away(tmp_path: pathlib.Path) -> None:
    for path in (None, tmp_path / "bot.db"):
        with pytest.raises(database.StoreAwayError, match="not open"):
            await database.Store(path).write(note)


@pytest.mark.parametrize("together", [False, True])
async def test_who_waited_behind_the_close_is_told_that_it_is_away(
    store: database.Store, *, together: bool
) -> None:
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(tx: sa.Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(20)
        note(tx)

    async with asyncio.timeout(30):
        first = asyncio.create_task(store.write(slow))
        await begun.wait()
        closing = asyncio.create_task(store.close())
        # It waits for its turn behind the first.
        while not store._turn._waiters:  # noqa: ASYNC110 (a lock tells nobody)
            await asyncio.sleep(0)
        late = asyncio.create_task(store.write(note, together=together))
        while len(store._turn._waiters) < 2:  # noqa: ASYNC110 (the same)
            await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, closing)
        with pytest.raises(database.StoreAwayError, match="not open"):
            await late


async def test_a_conflict_runs_the_work_again_from_the_start(store: database.Store) -> None:
    tries: list[int] = []

    def work(tx: sa.Connection) -> str:
        tries.append(len(tries))
        note(tx)
        if len(tries) < 3:
            raise database.ConflictError("another was faster")
        return "done"

    assert await store.write(work) == "done"
    assert tries == [0, 1, 2]
    assert await rows.kinds(store) == ["note"]


async def test_a_conflict_without_end_stores_nothing(store: database.Store) -> None:
    tries: list[int] = []

    def work(tx: sa.Connection) -> None:
        tries.append(1)
        note(tx)
        raise database.ConflictError("another was faster")

    with pytest.raises(database.StoreAwayError, match="conflict"):
        await store.write(work)
    assert len(tries) == database.TRIES
    assert await rows.kinds(store) == []


async def test_the_works_own_fault_is_not_the_databases(store: database.Store) -> None:
    def wrong(tx: sa.Connection) -> None:
        tx.execute(sa.insert(tables.meta), {"key": "a", "value": object()})

    with pytest.raises(exc.ProgrammingError):
        await store.write(wrong)
    await store.write(note)


@pytest.mark.case("C33")
async def test_errors_hold_no_parameters(store: database.Store) -> None:
    def wrong(tx: sa.Connection) -> None:
        row = {"key": "+33639981234", "value": object()}
        tx.execute(sa.insert(tables.meta), row)

    with pytest.raises(exc.ProgrammingError) as caught:
        await store.write(wrong)
    assert "33639981234" not in f"{caught.value!r} {caught.value}"


async def test_readers_cannot_write_and_do_not_wait(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(database.StoreAwayError, match="readonly"):
        await store.read(note)
    other = sqlite3.connect(tmp_path / "bot.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert await rows.kinds(store) == []
    other.execute("ROLLBACK")
    other.close()


async def test_a_cancelled_caller_leaves_no_open_transaction(store: database.Store) -> None:
    async def wait_and_note() -> None:
        await store.write(note)

    task = asyncio.create_task(wait_and_note())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The next transaction waits for its turn behind the one that was left alone.
    await store.write(note)
    assert await rows.kinds(store) == ["note", "note"]


@pytest.mark.case("C01")
async def test_what_write_returned_for_is_durable(store: database.Store) -> None:
    def settings(tx: sa.Connection) -> tuple[object, object]:
        mode = tx.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        return mode, tx.exec_driver_sql("PRAGMA synchronous").scalar_one()

    # FULL is 2: the log is flushed to the disk before a commit returns.
    assert await store.write(settings) == ("wal", 2)


async def test_checkpoints_empty_the_log(store: database.Store, tmp_path: pathlib.Path) -> None:
    for _ in range(3):
        await store.write(big)
    log = tmp_path / "bot.db-wal"
    before = log.stat().st_size
    await store.checkpoint()
    for _ in range(3):
        await store.write(big)
    # A log that was moved into the file is written from its beginning again.
    assert log.stat().st_size == before
    assert len(await rows.kinds(store)) == 6


async def test_counters_add_up_by_hour(store: database.Store) -> None:
    hour = rows.HOUR_MS
    for at_ms, n in ((0, 1), (hour - 1, 2), (hour, 4)):
        deltas = {"a": n, "b": 0}
        await store.write(functools.partial(events.count, at_ms=at_ms, deltas=deltas))
    found = [(r["hour_ms"], r["name"], r["n"]) for r in await rows.rows(store, tables.counters)]
    assert found == [(0, "a", 3), (hour, "a", 4)]
    assert await store.read(events.totals) == {"a": 7}


async def test_controls_are_set_changed_and_removed(store: database.Store) -> None:
    for key, value in (("paused", "1"), ("paused:sms", "x"), ("paused", "2"), ("paused:sms", None)):
        work = functools.partial(events.control, at_ms=rows.NOW_MS, key=key, value=value)
        await store.write(work)
    assert await store.read(events.controls) == {"paused": "2"}
