"""A moderator's pause in mid-flood, from another process: another store on the same file."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import pathlib
import time

import pytest
import sqlalchemy as sa

from bot import build, outbox
from bot.console import holding, modes, results
from bot.contract import clock
from bot.policy import settings
from bot.policy.flood.snapshot import Mode
from bot.store import database, schema, tables, vault
from tests.fakes import world as fake

FLOOD = 9_000
FIRST = 60
LIMIT_S = 2.0


async def until_nothing_is_being_sent(store: database.Store) -> dict[str, int]:
    async with asyncio.timeout(60):
        while (counts := await store.read(outbox.counts))["sending"]:
            pass
    return counts


@pytest.mark.case("C21", "C17")
@pytest.mark.parametrize("how", ["pause", "mode"])
async def test_nothing_starts_more_than_two_seconds_after_it(
    tmp_path: pathlib.Path, how: str
) -> None:
    ours, theirs = database.Store(tmp_path / "a.db"), database.Store(tmp_path / "a.db")
    await ours.open()
    await ours.write(schema.create)
    await theirs.open()
    world, starts, enough = fake.World(), list[float](), asyncio.Event()

    def started() -> None:
        starts.append(time.monotonic())
        if len(starts) == FIRST:
            enough.set()

    world.before = started
    rooms = build.rooms(
        store=ours,
        core=settings.Core(
            who=settings.Who(answer_fiction=True),
            # All of them are due as soon as they wrote.
            reply=settings.Reply(delay_min_s=0, delay_max_s=0),
            budget=settings.Budget(cap_day_micros=None, cap_month_micros=None),
        ),
        keys=vault.throwaway(7),
        bridges={"sms": world},
        moment=clock.SystemClock(),
    )
    wrote = rooms.clock.now() - dt.timedelta(hours=2)
    await rooms.intake.accept([fake.message(n, at=wrote) for n in range(FLOOD)])
    # All of them are due, however the delay is counted.
    due = sa.update(tables.replies).values(due_ms=clock.to_ms(wrote))
    await ours.write(functools.partial(sa.Connection.execute, statement=due))
    stop = asyncio.Event()
    running = asyncio.create_task(rooms.dispatcher.run(stop))
    async with asyncio.timeout(60):
        await enough.wait()
    now_ms = clock.to_ms(rooms.clock.now())

    def act(tx: sa.Connection) -> results.Done:
        if how == "pause":
            return holding.pause(tx, now_ms=now_ms, who="cli:anna", until_ms=None)
        return modes.set_mode(tx, Mode.RECEIVE_ONLY, now_ms=now_ms, who="cli:anna")

    assert (await theirs.write(act)).ok
    paused = time.monotonic()

    counts = await until_nothing_is_being_sent(theirs)
    assert FIRST <= counts["sent"] < FLOOD
    stop.set()
    await running
    assert len(world.sent) == len(starts) == counts["sent"]
    assert starts[-1] - paused <= LIMIT_S
    left = await theirs.read(outbox.counts)
    assert left["scheduled"] + left["held"] == FLOOD - counts["sent"]
    assert left["unknown"] == 0
    await theirs.close()
    await ours.close()
