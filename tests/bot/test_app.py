"""The end of the program, whatever a bridge does at its own."""

import asyncio
import types
from typing import Any

import pytest

from bot import app, build, supervisor
from bot.contract import bridge, clock
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


class Watching(supervisor.Supervisor):
    """Keeps the names of whom it was told to watch and to listen to."""

    def __init__(self) -> None:
        self.watched: set[str] = set()
        self.listening: set[str] = set()

    def watch(self, name: str, work: supervisor.Work, period_s: float) -> None:
        del work
        assert period_s > 0
        self.watched.add(name)

    def listen(self, listener: bridge.Bridge, *_: object) -> None:
        self.listening.add(listener.channel)


@pytest.mark.case("C38")
@pytest.mark.parametrize("role", list(build.Role))
async def test_everybody_is_employed_who_is_declared(role: build.Role) -> None:
    watching, quiet = Watching(), asyncio.Event()
    made: Any = types.SimpleNamespace(rooms=await world.rooms(world.World()), supervisor=watching)
    app._employ(made, role, asyncio.Event(), quiet)
    assert watching.watched == set(role.workers)
    assert watching.listening == ({"sms"} if role.listens else set())
    # Who sends nothing has no sends to wait for at the end.
    assert quiet.is_set() is not role.sends
    await made.rooms.store.close()


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
