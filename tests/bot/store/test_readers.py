"""Readers of a file: beside the writer, in threads of their own, and never writing."""

from __future__ import annotations

import asyncio
import pathlib
import sqlite3
import threading

import pytest
import sqlalchemy as sa

from bot import outbox
from bot.store import database, events, tables
from tests.bot.store import rows


def note(tx: sa.Connection) -> None:
    events.append(tx, rows.NOW_MS, "note", {})


def count(tx: sa.Connection) -> int:
    found: int = tx.execute(sa.select(sa.func.count()).select_from(tables.events)).scalar_one()
    return found


@pytest.mark.parametrize("short", [False, True])
async def test_a_reader_sees_what_was_committed_and_nothing_else(
    tmp_path: pathlib.Path, *, short: bool
) -> None:
    async with rows.on_file(tmp_path) as store:
        other = sqlite3.connect(tmp_path / "bot.db", isolation_level=None)
        for n in range(3):
            assert await store.read(count, short=short) == n
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO events (at_ms, kind, data) VALUES (1, 'x', '{}')")
            # Neither waits for it nor sees it.
            assert await store.read(count, short=short) == n
            other.execute("COMMIT")
        other.close()


@pytest.mark.parametrize("short", [False, True])
async def test_a_reader_cannot_write(tmp_path: pathlib.Path, *, short: bool) -> None:
    async with rows.on_file(tmp_path) as store:
        with pytest.raises(database.StoreAwayError, match="readonly"):
            await store.read(note, short=short)
        assert await store.read(count) == 0
        await store.write(note)
        assert await store.read(count, short=short) == 1


async def test_only_what_is_short_is_read_in_the_threads_of_the_loop(
    tmp_path: pathlib.Path,
) -> None:
    def where(tx: sa.Connection) -> threading.Thread:
        count(tx)
        return threading.current_thread()

    async with rows.on_file(tmp_path) as store:
        assert await store.read(where, short=True) is threading.main_thread()
        assert await store.read(where) is not threading.main_thread()


async def test_more_readers_than_threads_get_their_turn(tmp_path: pathlib.Path) -> None:
    async with rows.on_file(tmp_path) as store:
        await store.write(note)
        found = await asyncio.gather(*(store.read(count) for _ in range(30)))
    assert found == [1] * 30


async def test_what_is_being_read_is_read_to_its_end_before_it_is_closed(
    tmp_path: pathlib.Path,
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: sa.Connection) -> int:
        begun.set()
        go_on.wait(10)
        return count(tx)

    async with rows.on_file(tmp_path) as store:
        reading = asyncio.create_task(store.read(slow))
        await asyncio.to_thread(begun.wait, 10)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        go_on.set()
        assert await reading == 0
        await closing
        for short in (False, True):
            with pytest.raises(database.StoreAwayError, match="not open"):
                await store.read(count, short=short)


async def test_prepared_statements_give_a_reader_the_same_as_the_writer(
    tmp_path: pathlib.Path,
) -> None:
    async with rows.on_file(tmp_path) as store:
        found = [
            await store.read(outbox.next_due),
            await store.read(outbox.next_due, short=True),
            await store.write(outbox.next_due),
        ]
    assert found == [None, None, None]
