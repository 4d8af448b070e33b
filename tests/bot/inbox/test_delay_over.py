"""Nothing telling before the delay is over, however the number is tested (C16)."""

from __future__ import annotations

import datetime as dt

import pytest

from bot.contract import address, intake
from tests.fakes import world


def _sender(number: int) -> address.Address:
    return address.Address(address.SMS, world.phone(number))


@pytest.mark.case("C16")
async def test_only_whoever_wrote_longer_ago_than_the_longest_delay() -> None:
    rooms = await world.rooms(world.World())
    longest = dt.timedelta(seconds=rooms.core.reply.delay_max_s)
    assert not await rooms.intake.delay_over(_sender(1))
    await rooms.intake.accept([world.message(1)])
    assert not await rooms.intake.delay_over(_sender(1))
    moment = rooms.clock
    assert isinstance(moment, world.Clock)
    await moment.advance((longest - dt.timedelta(seconds=1)).total_seconds())
    assert not await rooms.intake.delay_over(_sender(1))
    await moment.advance(1)
    assert await rooms.intake.delay_over(_sender(1))
    assert not await rooms.intake.delay_over(_sender(2))


async def test_a_database_that_is_away_is_said() -> None:
    rooms = await world.rooms(world.World())
    await rooms.store.close()
    with pytest.raises(intake.NotStoredError):
        await rooms.intake.delay_over(_sender(1))
