"""The end of the program, whatever a bridge does at its own."""

import asyncio

import pytest

from bot import app, supervisor
from bot.contract import clock
from tests.bot.contract.test_clock import HandClock
from tests.fakes import world


class Ending(world.World):
    """Raises or hangs when it is closed."""

    def __init__(self, channel: str, way: str) -> None:
        super().__init__(channel)
        self.way = way
        self.closed = False

    async def close(self) -> None:
        if self.way == "raises":
            raise RuntimeError("+33639980001")
        if self.way == "hangs":
            await asyncio.Event().wait()
        self.closed = True


@pytest.mark.case("C37", "C38")
async def test_one_bridge_that_does_not_end_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "_CLOSE_LIMIT_S", 0.01)
    ways = [Ending("a", "raises"), Ending("b", "hangs"), Ending("c", "ends"), Ending("d", "hangs")]
    async with asyncio.timeout(5):
        await app._close({way.channel: way for way in ways})
        await app._close({})
    assert [way.closed for way in ways] == [False, False, True, False]


def test_the_limits_of_the_end_are_under_ten_seconds_together() -> None:

    assert app._WEB_LIMIT_S < app._SENDS_LIMIT_S
    assert app._SENDS_LIMIT_S + supervisor.GRACE_S + app._CLOSE_LIMIT_S < 10


async def test_in_a_hurried_hour_the_flood_is_looked_at_every_five_minutes_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Real time alone would never come: only the hurried clock ends the pause.
    monkeypatch.setattr(app, "_FLOOD_PERIOD_S", 3_600.0)
    monkeypatch.setattr(app, "_LEAST_PERIOD_S", 0.0)
    hand = HandClock()
    pause = asyncio.create_task(app._between_looks(clock.LapseClock(hand, 3_600)))
    await hand.turn(0)
    await hand.turn(0.05)
    assert not pause.done()
    await hand.turn(0.05)
    async with asyncio.timeout(5):
        await pause
