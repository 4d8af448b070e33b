import asyncio
import datetime as dt

import pytest

from bot.contract import clock

START = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


class HandClock:
    """A clock that a test turns; sleepers wake when their time is reached."""

    def __init__(self) -> None:
        self.at = 1_000.0
        self.wall = START
        self.sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> dt.datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.sleepers.append((self.at + seconds, woken))
        if seconds > 0:
            await woken.wait()

    async def turn(self, seconds: float) -> None:
        """Let time pass and everybody run who has something to do."""
        self.at += seconds
        for due, woken in self.sleepers:
            if due <= self.at + 1e-9:
                woken.set()
        await settle()


async def napping(lapse: clock.LapseClock, seconds: float) -> None:
    """Sleep on a clock that the test turns by hand: nothing waits for real."""
    rest = lapse.sleep
    await rest(seconds)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_time_runs_at_its_speed() -> None:
    inner = HandClock()
    lapse = clock.LapseClock(inner, 360)
    await inner.turn(10)
    assert lapse.now() == START + dt.timedelta(hours=1)
    assert lapse.monotonic() == 3_600
    lapse.set_speed(1)
    await inner.turn(5)
    assert lapse.now() == START + dt.timedelta(hours=1, seconds=5)
    assert lapse.speed == 1


async def test_now_never_goes_back_when_the_wall_clock_does_or_the_speed_falls() -> None:
    inner = HandClock()
    lapse = clock.LapseClock(inner, 3_600)
    await inner.turn(1)
    before = lapse.now()
    inner.wall -= dt.timedelta(days=1)
    lapse.set_speed(0.5)
    assert lapse.now() == before
    await inner.turn(2)
    assert lapse.now() == before + dt.timedelta(seconds=1)


async def test_a_sleeper_notices_a_faster_clock_at_once() -> None:
    inner = HandClock()
    lapse = clock.LapseClock(inner)
    nap = asyncio.create_task(napping(lapse, 3_600))
    await settle()
    await inner.turn(10)
    assert not nap.done()
    lapse.set_speed(360)
    await settle()
    await inner.turn(9.9)
    assert not nap.done()
    await inner.turn(0.2)
    assert nap.done()
    await nap


async def test_a_sleeper_notices_a_slower_clock_at_once() -> None:
    inner = HandClock()
    lapse = clock.LapseClock(inner, 360)
    nap = asyncio.create_task(napping(lapse, 3_600))
    await settle()
    lapse.set_speed(1)
    await settle()
    await inner.turn(3_599)
    assert not nap.done()
    await inner.turn(1)
    assert nap.done()
    await nap


async def test_a_cancelled_sleeper_leaves_nothing_behind() -> None:
    inner = HandClock()
    lapse = clock.LapseClock(inner)
    nap = asyncio.create_task(napping(lapse, 60))
    await settle()
    nap.cancel()
    with pytest.raises(asyncio.CancelledError):
        await nap
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_no_time_at_all_and_negative_time_return() -> None:
    lapse = clock.LapseClock(HandClock(), 10)
    for seconds in (0, -5):
        nap = asyncio.create_task(napping(lapse, seconds))
        await settle()
        assert nap.done()


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_impossible_speeds_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        clock.LapseClock(HandClock(), speed)
    lapse = clock.LapseClock(HandClock())
    with pytest.raises(ValueError, match="speed"):
        lapse.set_speed(speed)
    assert lapse.speed == 1
