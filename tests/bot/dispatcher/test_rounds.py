"""Rounds go on by themselves, and no more of them on a channel than ROUNDS."""

from __future__ import annotations

import asyncio

import pytest

from bot import build
from bot.contract import messages, outcomes
from bot.dispatcher import loop, moves
from tests.bot.dispatcher import seen
from tests.fakes import world as fake

LIMIT_S = 60
LOOKS = 20


class Hanging(fake.World):
    """Takes what it is given, and answers when it may."""

    def __init__(self, channel: str = "sms") -> None:
        super().__init__(channel)
        self.may = asyncio.Event()
        self.begun: list[str] = []

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        self.begun.append(reply.reply_id)
        await self.may.wait()
        return await super().send(reply)


async def due(rooms: build.Rooms, number: int, channel: str = "sms") -> None:
    """One more reply that is due."""
    message = fake.message(number, at=rooms.clock.now(), channel=channel)
    await rooms.intake.accept([message])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6_300)


async def test_slow_sends_hold_up_others_only_past_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "_POLL_S", 0.001)
    world = Hanging()
    rooms = await fake.rooms(world)
    stop, looks = asyncio.Event(), asyncio.Semaphore(0)
    running = asyncio.create_task(rooms.dispatcher.run(stop, looks.release))
    async with asyncio.timeout(LIMIT_S):
        for number in range(loop.ROUNDS):
            await due(rooms, number)
            for _ in iter(lambda: len(world.begun), number + 1):
                await looks.acquire()
        await due(rooms, loop.ROUNDS)
        for _ in range(LOOKS):
            await looks.acquire()
        assert len(world.begun) == loop.ROUNDS
        assert await seen.states(rooms) == {"sending": loop.ROUNDS, "scheduled": 1}
        world.may.set()
        for _ in iter(lambda: len(world.sent), loop.ROUNDS + 1):
            await looks.acquire()
        stop.set()
        await running
    assert await seen.states(rooms) == {"sent": loop.ROUNDS + 1}


@pytest.mark.parametrize("backlog", [1, 2 * loop.BATCH])
async def test_a_channel_that_hangs_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, backlog: int
) -> None:
    """Also where more wait for it than one claim takes."""
    monkeypatch.setattr(loop, "_POLL_S", 0.001)
    hangs, well = Hanging(), fake.World("other")
    told = seen.core(cap_day_micros=None, cap_month_micros=None)
    rooms = await fake.rooms(hangs, well, core=told)
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    stop, looks = asyncio.Event(), asyncio.Semaphore(0)
    running = asyncio.create_task(rooms.dispatcher.run(stop, looks.release))
    async with asyncio.timeout(LIMIT_S):
        for number in range(loop.ROUNDS):
            await due(rooms, number)
            for _ in iter(lambda: len(hangs.begun), number + 1):
                await looks.acquire()
        begun = loop.ROUNDS
        at = moment.now()
        waits = [fake.message(begun + n, at=at) for n in range(backlog)]
        await rooms.intake.accept(waits)
        # Behind all of them.
        await due(rooms, begun + backlog, "other")
        for _ in iter(lambda: len(well.sent), 1):
            await looks.acquire()
        assert len(hangs.begun) == begun
        hangs.may.set()
        stop.set()
        await running
    assert await seen.states(rooms) == {"sent": begun + 1, "scheduled": backlog}
    # They wait a moment, and no longer.
    await moment.advance(moves.FULL_WAIT_MS / 1000)
    while await rooms.dispatcher.step():
        pass
    assert len(hangs.sent) == begun + backlog
