"""One bridge on stage: the fakes around it, and its `listen` in the background."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, TypeVar

from bot.contract import bridge, messages, money, outcomes
from bot.contract.conformance import ears, fakes, faults, harness

T = TypeVar("T")

CHANNEL: Final = "conformance"
CURRENCY: Final = "EUR"
_SPEED: Final = 50.0  # a bridge's limit or poll of 30 s costs a test 0.6 s
_TICK_S: Final = 0.002
_STUBBORN: Final = 5
_OUTCOMES: Final = (outcomes.Accepted, outcomes.Rejected, outcomes.NotNow, outcomes.Unknown)


class Pace:
    """Lets time pass: real time slowly, since the world may be a socket, virtual time fast."""

    def __init__(self, world: harness.Harness, watch: Callable[[], None]) -> None:
        """`watch` is called at each tick and raises when something died meanwhile."""
        self.clock = fakes.FakeClock()
        self._world = world
        self._watch = watch

    async def wait(self, holds: Callable[[], bool], patience_s: float) -> bool:
        """Whether it holds before `patience_s` real seconds are over."""
        deadline = time.monotonic() + patience_s
        while not holds():
            self._watch()
            if time.monotonic() >= deadline:
                return False
            await self.clock.advance(_TICK_S * _SPEED)
            await asyncio.sleep(_TICK_S)
        return True

    async def until(self, holds: Callable[[], bool], rule: object, wrong: str) -> None:
        """Wait for it; ConformanceError saying `wrong` when patience ends."""
        faults.check(await self.wait(holds, self._world.patience_s), rule, wrong)

    async def quiet(self) -> None:
        """Let some time pass in which nothing should happen."""
        await self.wait(lambda: False, self._world.quiet_s)


class Stage:
    """Everything one check needs. `door`, storage and clock outlive a `restart`."""

    def __init__(self, world: harness.Harness) -> None:
        """`world` is open already."""
        self.world = world
        self.door = fakes.FakeIntake()
        self.ears = ears.Ears(world.person)
        self.pace = Pace(world, self._watch)
        self.context = bridge.Context(
            channel=CHANNEL,
            clock=self.pace.clock,
            storage=fakes.FakeStorage(),
            currency=CURRENCY,
        )
        self._listening: asyncio.Task[None] | None = None
        self._deliveries: set[asyncio.Task[None]] = set()
        self._started: list[asyncio.Task[None]] = []
        self.bridge = self._make()

    def _make(self) -> bridge.Bridge:
        made = self.world.create(self.world.settings(), self.context)
        if isinstance(made, bridge.BringsRoutes) and isinstance(self.world, harness.MountsRoutes):
            self.world.mount(made.routes(self.door))
        return made

    async def restart(self) -> None:
        """Close the bridge and make it anew, as a restart of the program does."""
        await self.stop()
        how = await self.run(self.bridge.close(), bridge.Bridge.close)
        how.got(bridge.Bridge.close, "close()")
        self.bridge = self._make()

    def listen(self) -> None:
        """Start `listen` in the background."""
        self._listening = asyncio.create_task(self.bridge.listen(self.door))
        self._started.append(self._listening)

    async def stop(self) -> None:
        """Cancel `listen`, which must end by it, and soon."""
        rule = bridge.Bridge.listen
        task, self._listening = self._listening, None
        if task is None:
            return
        task.cancel()
        await self.pace.until(task.done, rule, "listen() goes on after it was cancelled")
        how = faults.ended(task)
        self.ears.note(how.error)
        if how.error is not None:
            faults.fail(rule, f"listen() raised {type(how.error).__name__} when cancelled")

    def deliver(self, inbound: harness.Inbound) -> None:
        """Let the world deliver, without waiting for its acknowledgement."""
        self.begin(self.world.deliver(inbound))

    def begin(self, delivery: Coroutine[Any, Any, None]) -> None:
        """Run a delivery of the world's in the background."""
        task = asyncio.create_task(delivery)
        self._deliveries.add(task)
        self._started.append(task)

    def inbound(self, event_id: str) -> harness.Inbound:
        """An event of now by `person`; its text holds the canary and the id."""
        return harness.Inbound(
            event_id=event_id,
            sender=self.world.person,
            text=f"{ears.CANARY_TEXT} {event_id}",
            at=self.pace.clock.now(),
        )

    def reply(self, number: int = 1) -> messages.OutboundReply:
        """A reply to `person`; the same number is the same reply."""
        return messages.OutboundReply(
            reply_id=f"{number:032x}",
            channel=CHANNEL,
            sender=self.bridge.addresses[0].address,
            recipient=self.world.person,
            text=f"{ears.CANARY_TEXT} reply {number}",
            valid_until=self.pace.clock.now() + dt.timedelta(hours=1),
        )

    async def send(self, number: int = 1) -> outcomes.Outcome:
        """Send this reply; whatever comes back that is no outcome is a fault."""
        return judged(await self.run(self.bridge.send(self.reply(number)), bridge.Bridge.send))

    async def run(self, call: Coroutine[Any, Any, T], rule: object) -> faults.Ended[T]:
        """Run a call of the bridge while time passes; ConformanceError when it never ends."""
        task = asyncio.create_task(call)
        try:
            await self.pace.until(task.done, rule, "the call did not end")
        finally:
            task.cancel()
        how = faults.ended(task)
        self.ears.note(how.error)
        return how

    async def leave(self) -> None:
        """End what still runs, without judging it; the stubborn are told more than once."""
        for _ in range(_STUBBORN):
            running = [task for task in self._started if not task.done()]
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running, timeout=self.world.quiet_s)
        await faults.settled(self.bridge.close())

    def _watch(self) -> None:
        """Notice at once when `listen` died or a delivery of the world's failed."""
        for delivery in [task for task in self._deliveries if task.done()]:
            self._deliveries.discard(delivery)
            delivery.result()  # the author's own error, or a route's: shown as it is
        if self._listening is not None and self._listening.done():
            how, self._listening = faults.ended(self._listening), None
            self.ears.note(how.error)
            how.got(bridge.Bridge.listen, "listen()")
            faults.fail(bridge.Bridge.listen, "listen() returned by itself")


def judged(how: faults.Ended[outcomes.Outcome]) -> outcomes.Outcome:
    """The outcome of a send; ConformanceError unless it is one of the closed set."""
    outcome: object = how.got(bridge.Bridge.send, "send()")
    if not isinstance(outcome, _OUTCOMES):
        faults.fail(outcomes, f"send() returned {type(outcome).__name__}, which is no outcome")
    told: object = getattr(outcome, "price", None) or getattr(outcome, "fee", None)
    if told is not None and not isinstance(told, money.Money):
        faults.fail(money.Money, f"send() told a price that is a {type(told).__name__}")
    return outcome


@contextlib.asynccontextmanager
async def set_up(kind: type[harness.Harness]) -> AsyncIterator[Stage]:
    """A world, a bridge in it, and at the end the search for leaks."""
    world = kind()
    await world.open()
    try:
        stage = Stage(world)
        stage.ears.open()
        try:
            yield stage
        finally:
            await stage.leave()
            stage.ears.close()
        stage.ears.verify()
    finally:
        await world.close()
