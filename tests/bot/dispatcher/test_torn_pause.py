"""A pause costs a torn send none of its tries."""

from __future__ import annotations

import pytest

from bot.policy import decision
from bot.store import events
from tests.bot.dispatcher import seen, test_torn
from tests.fakes import world as fake


@pytest.mark.case("C21", "C03")
async def test_a_long_pause_uses_up_no_try_of_a_torn_send() -> None:
    world = fake.World(idempotent=True)
    rooms = await test_torn.torn(world)
    before = len(world.sent)
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused", "forever"))
    for _ in range(decision.ATTEMPTS + 1):
        assert await rooms.dispatcher.repair() == 0
        await moment.advance(200)
        await rooms.janitor.step("tidy")
    assert len(world.sent) == before
    assert await seen.states(rooms) == {"sending": 1}
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused", None))
    assert await rooms.dispatcher.repair() == 1
    assert await seen.states(rooms) == {"sent": 1}
