"""The disk goes full under a checkpoint, or the database read-only in mid-run: the real rooms.

Full is a limit that the kernel sets on the size of each file of this process; read-only is what
SQLite itself says to a connection that may not write. (To remount a file system read-only under a
process that has files open for writing is refused by the kernel, so that is no way to test it;
tests/e2e/test_read_only.py has the kernel refuse each write of the running program instead.)
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import build
from bot.contract import intake
from bot.policy import settings
from bot.store import database, schema, tables
from tests.fakes import world

MANY = 300
CORE = settings.Core(
    who=settings.Who(answer_fiction=True),
    budget=settings.Budget(cap_day_micros=None, cap_month_micros=None),
)
HOURS_S = 7_200.0


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[tuple[build.Rooms, world.World, world.Clock]]:
    store = database.Store(tmp_path / "bot.db")
    await store.open()
    keys = await schema.prepare(store, tmp_path / "keys")
    moment, phones = world.Clock(), world.World()
    made = await world.rooms(phones, core=CORE, store=store, moment=moment, keys=keys)
    yield made, phones, moment
    await store.close()


@contextlib.contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """A write beyond it fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def stored(rooms: build.Rooms) -> int:
    query = sa.select(sa.func.count()).select_from(tables.inbound)
    return int(await rooms.store.read(lambda tx: tx.execute(query).scalar_one()))


@pytest.mark.case("C07", "C02")
async def test_a_disk_that_is_full_at_a_checkpoint(
    rooms: tuple[build.Rooms, world.World, world.Clock], tmp_path: Path
) -> None:
    made, phones, moment = rooms
    # A log that was emptied has no room left from before.
    assert await made.store.truncate()
    size = (tmp_path / "bot.db").stat().st_size
    await made.intake.accept([world.message(n) for n in range(MANY)])
    with no_file_over(min(size, (tmp_path / "bot.db-wal").stat().st_size)):
        # The file would have to grow; what is in its log stays there, and is still read.
        for chore in (made.store.checkpoint, made.store.truncate):
            with pytest.raises(database.StoreAwayError):
                await chore()
        with pytest.raises(database.StoreAwayError):
            await made.janitor.step("checkpoint")
        with pytest.raises(intake.NotStoredError):
            await made.intake.accept([world.message(MANY)])
        assert await stored(made) == MANY
    await made.intake.accept([world.message(MANY)])
    assert await made.janitor.step("checkpoint") == {}
    assert (tmp_path / "bot.db").stat().st_size > size
    assert await made.store.truncate()
    assert (tmp_path / "bot.db-wal").stat().st_size == 0
    assert await stored(made) == MANY + 1
    await moment.advance(HOURS_S)
    while await made.dispatcher.step():
        pass
    assert len({one.recipient for one in phones.sent}) == len(phones.sent) == MANY + 1


@pytest.mark.case("C33", "C07")
async def test_what_was_forgotten_while_the_disk_was_full_leaves_the_log_afterwards(
    rooms: tuple[build.Rooms, world.World, world.Clock], tmp_path: Path
) -> None:
    made, _, moment = rooms
    await made.intake.accept([world.message(n) for n in range(MANY)])
    await made.store.checkpoint()
    await moment.advance(500 * 86_400)
    await made.intake.accept([world.message(MANY, at=moment.now())])
    truncates = made.store.truncate
    # Room for what is forgotten, none for emptying the log.

    async def full() -> bool:
        raise database.StoreAwayError("database or disk is full")

    made.store.truncate = full  # type: ignore[method-assign]
    with pytest.raises(database.StoreAwayError):
        await made.janitor.step("forget")
    made.store.truncate = truncates  # type: ignore[method-assign]
    assert (tmp_path / "bot.db-wal").stat().st_size > 0
    # Nothing is left to be forgotten, but the log is still owed.
    await made.janitor.step("forget")
    assert (tmp_path / "bot.db-wal").stat().st_size == 0


@pytest.mark.case("C07", "C02", "C03")
async def test_a_database_that_turns_read_only_in_mid_run(
    rooms: tuple[build.Rooms, world.World, world.Clock],
) -> None:
    made, phones, moment = rooms
    await made.intake.accept([world.message(n) for n in range(10)])
    writer = made.store._writer
    assert writer is not None
    cursor = writer.connection.cursor()
    await moment.advance(HOURS_S)
    cursor.execute("PRAGMA query_only=ON")
    with pytest.raises(intake.NotStoredError):
        await made.intake.accept([world.message(10)])
    with pytest.raises(database.StoreAwayError):
        await made.dispatcher.step()
    for chore in ("tidy", "forget", "room"):
        with contextlib.suppress(database.StoreAwayError):
            await made.janitor.step(chore)
    assert phones.sent == []
    told = made.store.condition.tell()
    assert not told["ok"]
    assert await stored(made) == 10
    cursor.execute("PRAGMA query_only=OFF")
    await made.intake.accept([world.message(10, at=moment.now())])
    await moment.advance(HOURS_S)
    while await made.dispatcher.step():
        pass
    assert len({one.recipient for one in phones.sent}) == len(phones.sent) == 11
