import asyncio
import pathlib
import sqlite3
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from bot.contract import intake, messages
from bot.inbox import door, state
from bot.store import database, events, tables
from tests.bot.store import rows


@pytest.fixture
async def store(tmp_path: pathlib.Path) -> AsyncIterator[database.Store]:
    async with rows.on_file(tmp_path) as opened:
        yield opened


def inbox(store: database.Store) -> door.Inbox:
    return door.Inbox(store, rows.context(), rows.StillClock())


async def stored(store: database.Store) -> int:
    return len(await rows.rows(store, tables.inbound))


def poison(provider_id: str = "poison") -> messages.InboundMessage:
    """A cost that no database can hold."""
    return rows.message(provider_id, parts=1 << 70)


@pytest.mark.case("C02")
async def test_the_same_event_in_parallel_is_one_row(store: database.Store) -> None:
    one = inbox(store)
    await asyncio.gather(*(one.accept([rows.message("a")]) for _ in range(50)))
    assert await stored(store) == 1
    assert (await store.read(events.totals))["duplicates"] == 49


@pytest.mark.case("C02")
async def test_the_same_event_at_two_processes_and_after_a_restart(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    other = database.Store(tmp_path / "bot.db")
    await other.open()
    doors = [inbox(store), inbox(other)]
    events_ = [rows.message(f"n{n}", sender=rows.phone(n % 7 + 1)) for n in range(60)]
    await asyncio.gather(*(one.accept([event]) for event in events_ for one in doors))
    await other.close()
    await inbox(store).accept(events_)
    assert await stored(store) == 60
    replies = await rows.rows(store, tables.replies)
    assert len(replies) == len({row["person_id"] for row in replies}) == 7


@pytest.mark.case("C01")
async def test_cursor_and_messages_are_one_transaction(
    store: database.Store, tmp_path: pathlib.Path
) -> None:
    one = inbox(store)
    assert await one.cursor("sms") is None
    await one.accept([rows.message("a")], channel="sms", cursor="1")
    await one.accept([], channel="sms", cursor="2")
    await one.accept([], channel="signal", cursor="x")
    assert (await one.cursor("sms"), await one.cursor("signal")) == ("2", "x")
    with pytest.raises(OverflowError):
        await one.accept([rows.message("b"), poison()], channel="sms", cursor="3")
    assert await one.cursor("sms") == "2"
    assert await stored(store) == 1


async def test_a_poison_batch_fails_alone(store: database.Store) -> None:
    one = inbox(store)
    batches = [[rows.message(f"n{n}")] for n in range(10)]
    batches.insert(5, [poison()])
    ends = await asyncio.gather(*(one.accept(b) for b in batches), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [OverflowError]
    assert isinstance(ends[5], OverflowError)
    assert await stored(store) == 10
    assert one.waiting == 0


@pytest.mark.case("C07")
async def test_nothing_is_told_stored_while_the_database_is_locked(
    tmp_path: pathlib.Path,
) -> None:
    # Nobody waits long for the other program.
    async with rows.on_file(tmp_path, patience_ms=30) as store:
        one = inbox(store)
        await one.accept([rows.message("first")])
        other = sqlite3.connect(tmp_path / "bot.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        ends = await asyncio.gather(
            *(one.accept([rows.message(f"n{n}")]) for n in range(5)), return_exceptions=True
        )
        assert {type(end) for end in ends} == {intake.NotStoredError}
        assert one.waiting == 0
        other.execute("ROLLBACK")
        other.close()
        # The provider tries again and work goes on.
        await asyncio.gather(*(one.accept([rows.message(f"n{n}")]) for n in range(5)))
        assert await stored(store) == 6


@pytest.mark.case("C07")
async def test_a_cursor_cannot_be_read_from_a_closed_database(tmp_path: pathlib.Path) -> None:
    one = inbox(database.Store(None))
    with pytest.raises(intake.NotStoredError):
        await one.cursor("sms")
    with pytest.raises(intake.NotStoredError):
        await one.accept([rows.message()])


async def test_the_queue_is_bounded(store: database.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "QUEUE", 20)
    one = inbox(store)
    ends = await asyncio.gather(
        *(one.accept([rows.message(f"n{n}")]) for n in range(30)), return_exceptions=True
    )
    refused = [end for end in ends if end is not None]
    assert {type(end) for end in refused} == {intake.NotStoredError}
    assert len(refused) == 10
    assert await stored(store) == 20
    # One batch that is larger than the queue is still taken by an idle door.
    await one.accept([rows.message(f"m{n}") for n in range(50)])
    assert await stored(store) == 70


async def test_what_waits_is_stored_together(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = door.keep

    def count(
        tx: sa.Connection,
        context: state.Context,
        batch: list[state.Item],
        now_ms: int,
    ) -> list[state.Item]:
        sizes.append(len(batch))
        return real(tx, context, batch, now_ms)

    monkeypatch.setattr(door, "keep", count)
    one = inbox(store)
    await asyncio.gather(*(one.accept([rows.message(f"n{n}")]) for n in range(600)))
    assert sum(sizes) == 600
    assert len(sizes) <= 4
    assert max(sizes) <= door.BATCH


async def test_a_cancelled_caller_does_not_lose_the_others(store: database.Store) -> None:
    one = inbox(store)
    tasks = [asyncio.create_task(one.accept([rows.message(f"n{n}")])) for n in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [end is None for end in ends] == [True, False, True, True]
    await one.accept([rows.message("n1")])
    assert await stored(store) == 4


async def test_inline_stores_take_each_batch_at_once() -> None:
    async with rows.memory() as store:
        one = inbox(store)
        await one.accept([rows.message("a")], channel="sms", cursor="1")
        assert (await stored(store), await one.cursor("sms")) == (1, "1")
