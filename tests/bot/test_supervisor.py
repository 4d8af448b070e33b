"""Kept going, noticed when hung, told when a human is needed; all in virtual time."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Coroutine

import pytest
from structlog.testing import capture_logs

from bot import supervisor
from bot.contract import bridge
from tests.bot import supervised

CANARY = "+33639981234"


@pytest.fixture
def clock() -> supervised.Clock:
    return supervised.Clock()


@pytest.fixture
def keeper(clock: supervised.Clock) -> supervisor.Supervisor:
    # A draw of almost one is the whole pause.
    return supervisor.Supervisor(clock=clock, draw=lambda: 1.0, declared=["janitor"])


@pytest.mark.case("C38")
async def test_a_dying_worker_starts_again_after_growing_pauses(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    starts: list[float] = []

    async def die() -> None:
        starts.append(clock.now_s)
        raise ValueError(CANARY)

    keeper.watch("janitor", die, 10)
    with capture_logs() as lines:
        async with supervised.running(keeper, clock):
            await clock.pass_by(3000)
    assert supervised.gaps(starts)[:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert CANARY not in str(lines)
    assert lines[0]["error"] == "ValueError"
    assert "die" in lines[0]["trail"]


async def test_jitter_takes_up_to_half_of_a_pause(clock: supervised.Clock) -> None:
    keeper = supervisor.Supervisor(clock=clock, draw=lambda: 0.0)
    line = supervised.Line(clock, bridge.BridgeDownError("away"))
    keeper.listen(line, supervised.Door())
    async with supervised.running(keeper, clock):
        await clock.pass_by(4)
    assert supervised.gaps(line.starts) == [0.5, 1, 2]


async def test_a_worker_that_returns_or_fails_at_once_is_started_again(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    starts: list[float] = []

    async def leave() -> None:
        starts.append(clock.now_s)

    def broken() -> Coroutine[object, object, None]:
        starts.append(-1)
        raise ValueError

    keeper.watch("leaves", leave, 10)
    keeper.watch("broken", broken, 10)
    async with supervised.running(keeper, clock):
        await clock.pass_by(3)
    assert [at for at in starts if at >= 0] == [0, 1, 3]
    assert starts.count(-1) == 3


async def test_a_stable_minute_forgets_old_failures(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    line = supervised.Line(clock, bridge.BridgeDownError("away"))
    keeper.listen(line, supervised.Door())
    async with supervised.running(keeper, clock):
        await clock.pass_by(7)  # failed at 0, 1, 3, 7; the next pause is 8
        line.runs_s = 61
        await clock.pass_by(8 + 61 + 1)
    assert supervised.gaps(line.starts) == [1, 2, 4, 8, 62]


@pytest.mark.case("C38")
async def test_a_hung_worker_is_cancelled_and_started_again(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    ends: list[float] = []
    starts: list[float] = []

    async def hang() -> None:
        starts.append(clock.now_s)
        try:
            await clock.wait(20)
            keeper.beat("janitor")
            await asyncio.Event().wait()
        finally:
            ends.append(clock.now_s)

    keeper.watch("janitor", hang, 20)
    async with supervised.running(keeper, clock):
        await clock.pass_by(79)
        assert keeper.beats() == {"janitor": 59}
        assert ends == []
        await clock.pass_by(2)
        assert (ends, starts) == ([80], [0, 81])
        health = await keeper.health()
        assert supervised.part(health, "workers", "janitor", "restarts") == 1


@pytest.mark.case("C38")
async def test_a_beating_worker_is_left_alone(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    starts: list[float] = []

    async def work() -> None:
        starts.append(clock.now_s)
        while True:
            keeper.beat("janitor")
            await clock.wait(10)

    keeper.watch("janitor", work, 10)
    async with supervised.running(keeper, clock):
        await clock.pass_by(86_400)
        assert supervised.part(await keeper.health(), "ok") is True
    assert starts == [0]


@pytest.mark.case("C38")
async def test_a_worker_that_ignores_cancelling_is_left_behind(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    starts: list[float] = []
    release = asyncio.Event()

    async def stubborn() -> None:
        starts.append(clock.now_s)
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    keeper.watch("janitor", stubborn, 1)
    with capture_logs() as lines:
        async with supervised.running(keeper, clock):
            await clock.pass_by(30 + supervisor.GRACE_S + 1)
            assert starts == [0, 34]
    assert [one["event"] for one in lines].count("does not end, left behind") == 2
    release.set()
    await supervised.settle()


async def test_cancelling_ends_all_and_cleans_up(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await clock.wait(1)
            ended.append("worker")

    keeper.watch("janitor", work, 1)
    keeper.listen(supervised.Line(clock, None), supervised.Door())
    async with supervised.running(keeper, clock) as task:
        task.cancel()
        await clock.pass_by(1)
        assert task.cancelled()
    assert ended == ["worker"]


@pytest.mark.case("C28")
async def test_a_channel_that_needs_a_human_is_not_fed_and_seldom_tried(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    line = supervised.Line(
        clock, bridge.BridgeDownError("registration", needs_human="solve the captcha")
    )
    keeper.listen(line, supervised.Door())
    assert keeper.is_fed("sms")
    async with supervised.running(keeper, clock):
        await clock.pass_by(1)
        assert not keeper.is_fed("sms")
        told = supervised.part(await keeper.health(), "bridges", "sms")
        assert supervised.part(told, "condition") == "needs-human"
        assert supervised.part(told, "detail") == "solve the captcha"
        await clock.pass_by(1799)
        assert line.starts == [0, 900, 1800]
        line.error = None
        keeper.retry("sms")
        await supervised.settle()
        assert line.starts == [0, 900, 1800, 1800]
        assert keeper.is_fed("sms")


async def test_a_try_by_itself_must_last_a_minute_before_the_channel_is_fed(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    line = supervised.Line(
        clock, bridge.BridgeDownError("registration", needs_human="solve the captcha")
    )
    keeper.listen(line, supervised.Door())
    async with supervised.running(keeper, clock):
        await clock.pass_by(1)
        line.error = None
        await clock.pass_by(900 + 58)
        assert not keeper.is_fed("sms")
        await clock.pass_by(1)
        assert keeper.is_fed("sms")


async def test_a_bridge_that_is_down_is_fed_and_says_why(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    inner = bridge.BridgeDownError("daemon away")
    line = supervised.Line(clock, ExceptionGroup("tasks", [ExceptionGroup("deeper", [inner])]))
    keeper.listen(line, supervised.Door())
    async with supervised.running(keeper, clock):
        told = supervised.part(await keeper.health(), "bridges", "sms")
        assert (supervised.part(told, "condition"), supervised.part(told, "detail")) == (
            "down",
            "daemon away",
        )
        assert keeper.is_fed("sms")


async def test_health_asks_the_bridge_and_bears_silence_and_errors(clock: supervised.Clock) -> None:
    def broken() -> bridge.Health:
        raise ValueError(CANARY)

    at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    up = bridge.Health(condition=bridge.Condition.UP, last_event_at=at)
    for answer, condition, detail in (
        (lambda: up, "up", ""),
        (broken, "down", "health check failed (ValueError)"),
        (None, "down", "health check took over 5 s"),
    ):
        keeper = supervisor.Supervisor(clock=clock, draw=lambda: 1.0)
        keeper.listen(supervised.Feeling(clock, answer), supervised.Door())
        async with supervised.running(keeper, clock):
            asking = asyncio.create_task(keeper.health())
            await clock.pass_by(5)
            told = supervised.part(await asking, "bridges", "sms")
            assert (supervised.part(told, "condition"), supervised.part(told, "detail")) == (
                condition,
                detail,
            )


async def test_what_was_declared_and_never_started_is_missing(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    keeper.watch("receipts", work, 1)
    assert keeper.missing() == {"janitor", "receipts"}
    async with supervised.running(keeper, clock):
        assert keeper.missing() == {"janitor"}
        assert supervised.part(await keeper.health(), "ok") is False
        keeper.watch("janitor", work, 1)
        await supervised.settle()
        assert keeper.missing() == frozenset()


async def test_a_name_is_supervised_once(
    keeper: supervisor.Supervisor, clock: supervised.Clock
) -> None:
    keeper.listen(supervised.Line(clock, None), supervised.Door())
    with pytest.raises(ValueError, match="already"):
        keeper.listen(supervised.Line(clock, None), supervised.Door())
    with pytest.raises(KeyError):
        keeper.beat("nobody")
