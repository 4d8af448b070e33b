"""A send that takes too long is cut, and counts as what may have gone out; the others are booked."""

from __future__ import annotations

import asyncio

import pytest

from bot.contract import messages, money, outcomes
from bot.dispatcher import loop
from tests.bot.dispatcher import seen
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
