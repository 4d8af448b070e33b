"""A send that takes too long is cut and may have gone out; the others of its claim are booked."""

from __future__ import annotations

import asyncio
import pathlib

import pytest

from bot.contract import clock, messages, money, outcomes
from bot.dispatcher import loop
from bot.store import events
from tests.bot.dispatcher import seen
from tests.bot.store import rows
from tests.fakes import world as fake


class Hanging(fake.World):
    """One of its sends never ends by itself."""

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        outcome = await super().send(reply)
        if len(self.sent) == 2:
            await asyncio.Event().wait()
        return outcome


async def test_a_send_without_end_is_cut_and_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SEND_LIMIT_S", 0)
    world = Hanging()
    world.outcome = lambda _: outcomes.Accepted(
        provider_id=f"p{len(world.sent)}", price=money.Money(fake.PRICE, "EUR")
    )
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(n) for n in range(5)])
    async with asyncio.timeout(30):
        await fake.lapse(rooms, 2)
    assert await seen.states(rooms) == {"sent": 4, "unknown": 1}
    assert await seen.used(rooms) == 5 * fake.PRICE
    assert len(world.sent) == 5


@pytest.mark.sqlite_only("a file of its own: in memory each send asks by itself")
async def test_what_a_pause_holds_back_does_not_wait_for_the_slowest_send(
    tmp_path: pathlib.Path,
) -> None:
    """Two channels of a claim, one paused at the last moment, the other one's sends without end."""
    worlds = fake.World(), fake.World("other")
    worlds[0].gate = asyncio.Event()
    async with rows.on_file(tmp_path) as store:
        rooms = await fake.rooms(*worlds, core=seen.core(), store=store)
        await rooms.intake.accept(
            [fake.message(n, channel=("sms", "other")[n % 2]) for n in range(6)]
        )
        assert isinstance(rooms.clock, fake.Clock)
        await rooms.clock.advance(6300)
        claimed = await rooms.dispatcher._claim()
        assert len(claimed.sends) == 6
        now_ms = clock.to_ms(rooms.clock.now())
        await store.write(lambda tx: events.control(tx, now_ms, "paused:other", "forever"))
        sending = asyncio.create_task(rooms.dispatcher._send(claimed.sends))
        async with asyncio.timeout(30):
            while (await seen.states(rooms))["sending"] == 6:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0)
            assert await seen.states(rooms) == {"sending": 3, "scheduled": 3}
            assert await seen.used(rooms) == 3 * fake.PRICE
            worlds[0].gate.set()
            await sending
        assert await seen.states(rooms) == {"sent": 3, "scheduled": 3}
        assert worlds[1].sent == []
