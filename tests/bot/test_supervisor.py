"""Kept going, noticed when hung, told when a human is needed; all in virtual time."""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from bot import supervisor
from bot.contract import address, bridge, intake, messages, outcomes

CANARY = "+33639981234"


class Clock:
    """Time that passes only when told; sleepers wake in order."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 11, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.now_s)

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        await self.wait(seconds)

    async def wait(self, seconds: float) -> None:
        """What the tests call: virtual, and not named like the real thing."""
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_s + seconds, id(future), future))
        await future

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, stopping wherever somebody wakes."""
        end_s = self.now_s + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end_s:
            due_s, _, future = heapq.heappop(self._sleepers)
            self.now_s = max(self.now_s, due_s)
            if not future.done():
                future.set_result(None)
            await settle()
        self.now_s = end_s
        await settle()


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


class Door:
    """Nothing comes in here."""

    async def accept(
        self,
        batch: Sequence[messages.InboundMessage],
        *,
        channel: str | None = None,
        cursor: str | None = None,
    ) -> None:
        raise intake.NotStoredError("closed")

    async def receipts(self, batch: Sequence[messages.DeliveryReceipt]) -> None:
        raise intake.NotStoredError("closed")

    async def delay_over(self, sender: address.Address) -> bool:
        return False

    async def cursor(self, channel: str) -> str | None:
        return None


class Line:
    """A bridge whose `listen` does what the test says, and notes when it was started."""

    network = address.SMS
    addresses: Sequence[bridge.OwnAddress] = ()
    idempotent = True

    def __init__(self, clock: Clock, error: BaseException | None) -> None:
        self.channel = "sms"
        self.error = error
        self.runs_s = 0.0
        self.starts: list[float] = []
        self._clock = clock

    def reaches(self, recipient: address.Address) -> bool:
        return False

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return None

    async def listen(self, door: intake.Intake) -> None:
        self.starts.append(self._clock.now_s)
        if self.error is None:
            await asyncio.Event().wait()
            return
        if self.runs_s:
            await self._clock.wait(self.runs_s)
        raise self.error

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        return outcomes.Unknown(reason="test")

    async def close(self) -> None:
        return


class Feeling(Line):
    """A bridge that reports its health."""

    def __init__(self, clock: Clock, answer: Callable[[], bridge.Health] | None) -> None:
        super().__init__(clock, None)
        self._answer = answer

    async def health(self) -> bridge.Health:
        if self._answer is None:
            await asyncio.Event().wait()
        assert self._answer is not None
        return self._answer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(clock: Clock) -> supervisor.Supervisor:
    # A draw of almost one is the whole pause.
    return supervisor.Supervisor(clock=clock, draw=lambda: 1.0, declared=["janitor"])


@asynccontextmanager
async def running(keeper: supervisor.Supervisor, clock: Clock) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(keeper.run())
    await settle()
    yield task
    task.cancel()
    await clock.pass_by(supervisor.GRACE_S)
    with pytest.raises(asyncio.CancelledError):
        await task


def gaps(starts: Sequence[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(starts)]


def part(health: object, *keys: str) -> object:
    for key in keys:
        assert isinstance(health, dict)
        health = health[key]
    return health


@pytest.mark.case("C38")
async def test_a_dying_worker_starts_again_after_growing_pauses(
    keeper: supervisor.Supervisor, clock: Clock
) -> None:
    starts: list[float] = []

    async def die() -> None:
        starts.append(clock.now_s)
        raise ValueError(CANARY)

    keeper.watch("janitor", die, 10)
    with capture_logs() as lines:
        async with running(keeper, clock):
            await clock.pass_by(3000)
    assert gaps(starts)[:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert CANARY not in str(lines)
    assert lines[0]["error"] == "ValueError"
    assert "die" in lines[0]["trail"]


async def test_jitter_takes_up_to_half_of_a_pause(clock: Clock) -> None:
    keeper = supervisor.Supervisor(clock=clock, draw=lambda: 0.0)
    line = Line(clock, bridge.BridgeDownError("away"))
    keeper.listen(line, Door())
    async with running(keeper, clock):
        await clock.pass_by(4)
    assert gaps(line.starts) == [0.5, 1, 2]


async def test_a_worker_that_returns_or_fails_at_once_is_started_again(
    keeper: supervisor.Supervisor, clock: Clock
) -> None:
    starts: list[float] = []

    async def leave() -> None:
        starts.append(clock.now_s)

    def broken() -> Coroutine[object, object, None]:
        starts.append(-1)
        raise ValueError

    keeper.watch("leaves", leave, 10)
    keeper.watch("broken", broken, 10)
    async with running(keeper, clock):
        await clock.pass_by(3)
    assert [at for at in starts if at >= 0] == [0, 1, 3]
    assert starts.count(-1) == 3


async def test_a_stable_minute_forgets_old_failures(
    keeper: supervisor.Supervisor, clock: Clock
) -> None:
    line = Line(clock, bridge.BridgeDownError("away"))
    keeper.listen(line, Door())
    async with running(keeper, clock):
        await clock.pass_by(7)  # failed at 0, 1, 3, 7; the next pause is 8
        line.runs_s = 61
        await clock.pass_by(8 + 61 + 1)
    assert gaps(line.starts) == [1, 2, 4, 8, 62]


@pytest.mark.case("C38")
async def test_a_hung_worker_is_cancelled_and_started_again(
    keeper: supervisor.Supervisor, clock: Clock
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
    async with running(keeper, clock):
        await clock.pass_by(79)
        assert keeper.beats() == {"janitor": 59}
        assert ends == []
        await clock.pass_by(2)
        assert (ends, starts) == ([80], [0, 81])
        health = await keeper.health()
        assert part(health, "workers", "janitor", "restarts") == 1


@pytest.mark.case("C38")
async def test_a_beating_worker_is_left_alone(keeper: supervisor.Supervisor, clock: Clock) -> None:
    starts: list[float] = []

    async def work() -> None:
        starts.append(clock.now_s)
        while True:
            keeper.beat("janitor")
            await clock.wait(10)

    keeper.watch("janitor", work, 10)
    async with running(keeper, clock):
        await clock.pass_by(86_400)
        assert part(await keeper.health(), "ok") is True
    assert starts == [0]


@pytest.mark.case("C38")
async def test_a_worker_that_ignores_cancelling_is_left_behind(
    keeper: supervisor.Supervisor, clock: Clock
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
        async with running(keeper, clock):
            await clock.pass_by(30 + supervisor.GRACE_S + 1)
            assert starts == [0, 34]
    assert [one["event"] for one in lines].count("does not end, left behind") == 2
    release.set()
    await settle()


async def test_cancelling_ends_all_and_cleans_up(
    keeper: supervisor.Supervisor, clock: Clock
) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await clock.wait(1)
            ended.append("worker")

    keeper.watch("janitor", work, 1)
    keeper.listen(Line(clock, None), Door())
    async with running(keeper, clock) as task:
        task.cancel()
        await clock.pass_by(1)
        assert task.cancelled()
    assert ended == ["worker"]


@pytest.mark.case("C28")
async def test_a_channel_that_needs_a_human_is_not_fed_and_seldom_tried(
    keeper: supervisor.Supervisor, clock: Clock
) -> None:
    line = Line(clock, bridge.BridgeDownError("registration", needs_human="solve the captcha"))
    keeper.listen(line, Door())
    assert keeper.is_fed("sms")
    async with running(keeper, clock):
        await clock.pass_by(1)
        assert not keeper.is_fed("sms")
        told = part(await keeper.health(), "bridges", "sms")
        assert part(told, "condition") == "needs-human"
        assert part(told, "detail") == "solve the captcha"
        await clock.pass_by(1799)
        assert line.starts == [0, 900, 1800]
        line.error = None
        keeper.retry("sms")
        await settle()
        assert line.starts == [0, 900, 1800, 1800]
        assert keeper.is_fed("sms")


async def test_a_try_by_itself_must_last_a_minute_before_the_channel_is_fed(
    keeper: supervisor.Supervisor, clock: Clock
) -> None:
    line = Line(clock, bridge.BridgeDownError("registration", needs_human="solve the captcha"))
    keeper.listen(line, Door())
    async with running(keeper, clock):
        await clock.pass_by(1)
        line.error = None
        await clock.pass_by(900 + 58)
        assert not keeper.is_fed("sms")
        await clock.pass_by(1)
        assert keeper.is_fed("sms")


async def test_a_bridge_that_is_down_is_fed_and_says_why(
    keeper: supervisor.Supervisor, clock: Clock
) -> None:
    inner = bridge.BridgeDownError("daemon away")
    line = Line(clock, ExceptionGroup("tasks", [ExceptionGroup("deeper", [inner])]))
    keeper.listen(line, Door())
    async with running(keeper, clock):
        told = part(await keeper.health(), "bridges", "sms")
        assert (part(told, "condition"), part(told, "detail")) == ("down", "daemon away")
        assert keeper.is_fed("sms")


async def test_health_asks_the_bridge_and_bears_silence_and_errors(clock: Clock) -> None:
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
        keeper.listen(Feeling(clock, answer), Door())
        async with running(keeper, clock):
            asking = asyncio.create_task(keeper.health())
            await clock.pass_by(5)
            told = part(await asking, "bridges", "sms")
            assert (part(told, "condition"), part(told, "detail")) == (condition, detail)


async def test_what_was_declared_and_never_started_is_missing(
    keeper: supervisor.Supervisor, clock: Clock
) -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    keeper.watch("receipts", work, 1)
    assert keeper.missing() == {"janitor", "receipts"}
    async with running(keeper, clock):
        assert keeper.missing() == {"janitor"}
        assert part(await keeper.health(), "ok") is False
        keeper.watch("janitor", work, 1)
        await settle()
        assert keeper.missing() == frozenset()


async def test_a_name_is_supervised_once(keeper: supervisor.Supervisor, clock: Clock) -> None:
    keeper.listen(Line(clock, None), Door())
    with pytest.raises(ValueError, match="already"):
        keeper.listen(Line(clock, None), Door())
    with pytest.raises(KeyError):
        keeper.beat("nobody")
