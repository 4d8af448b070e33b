"""Keeps bridges listening and workers working: backoff, health, needs-human states (C38).

One of two places where a broad `except` may stand: what ends here is logged by class and place
(never by message: it may hold a text or an address), counted, and started again. It knows
neither what a worker does nor what a message is, and it raises nothing but cancellation.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

import structlog

from bot.contract import bridge, clock, intake

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
STABLE_S: Final = 60.0
NEEDS_HUMAN_PAUSE_S: Final = 900.0
HEALTH_WITHIN_S: Final = 5.0
# A worker that does not end after this, once cancelled, is left behind; claims have leases.
GRACE_S: Final = 3.0
HUNG_PERIODS: Final = 3
# How often a process asks whether a channel is its own to listen on.
TURN_S: Final = 5.0
HUNG_AT_LEAST_S: Final = 30.0

Work = Callable[[], Coroutine[Any, Any, None]]
_log = structlog.get_logger("antirelou.supervisor")


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class _Kept:
    """One thing that is kept going, and what is known of it."""

    name: str
    work: Work
    listener: bridge.Bridge | None = None
    hung_after_s: float | None = None
    started: bool = False
    running: bool = False
    waits: bool = False
    since_s: float = 0.0
    beat_s: float = 0.0
    failures: int = 0
    restarts: int = 0
    detail: str = ""
    needs_human: str | None = None
    told: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class Hung(Exception):
    """No beat for too long; never raised, only told."""


class Supervisor:
    """Add bridges and workers, then `run()` until cancelled."""

    def __init__(
        self, *, clock: clock.Clock, draw: Callable[[], float], declared: Iterable[str] = ()
    ) -> None:
        """`draw` gives a number in [0, 1) for jitter; `declared`: workers that must start."""
        self._clock = clock
        self._draw = draw
        self._declared = frozenset(declared)
        self._bridges: dict[str, _Kept] = {}
        self._workers: dict[str, _Kept] = {}
        self._group: asyncio.TaskGroup | None = None

    def listen(
        self,
        listener: bridge.Bridge,
        door: intake.Intake,
        turn: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Keep this bridge's `listen` going. Raises ValueError for a channel added before.

        `turn`: whether it is this process that listens; asked again every few seconds.
        """
        kept = _Kept(name=listener.channel, work=lambda: listener.listen(door), listener=listener)
        if turn is not None:
            kept.work = functools.partial(self._in_turn, kept, kept.work, turn)
        self._add(self._bridges, kept)

    def watch(self, name: str, work: Work, period_s: float) -> None:
        """Keep a worker going that calls `beat(name)` at least every `period_s`.

        After three periods without a beat, and half a minute at the least, it counts as hung.
        Raises ValueError for a name added before.
        """
        hung_after_s = max(HUNG_PERIODS * period_s, HUNG_AT_LEAST_S)
        self._add(self._workers, _Kept(name=name, work=work, hung_after_s=hung_after_s))

    def beat(self, name: str) -> None:
        """A worker's sign of life. KeyError for a name that nobody watches."""
        self._workers[name].beat_s = self._clock.monotonic()

    def beats(self) -> Mapping[str, float]:
        """Seconds since each started worker's last beat: the last-run gauge."""
        now_s = self._clock.monotonic()
        return {n: now_s - kept.beat_s for n, kept in self._workers.items() if kept.started}

    def missing(self) -> frozenset[str]:
        """Declared or added workers that never started: a guard nobody calls is none."""
        started = {name for name, kept in self._workers.items() if kept.started}
        return (self._declared | self._workers.keys()) - started

    def is_fed(self, channel: str) -> bool:
        """Whether replies may be given to a channel: not while it waits for a human."""
        # A channel that another process listens on is not ours to stop.
        kept = self._bridges.get(channel)
        return kept is None or self._condition(kept) is not bridge.Condition.NEEDS_HUMAN

    def retry(self, channel: str) -> None:
        """Somebody has mended it: start at once, from the first pause. KeyError if unknown."""
        kept = self._bridges[channel]
        kept.failures = 0
        kept.needs_human = None
        kept.told.set()

    async def health(self) -> Mapping[str, object]:
        """For /health: `ok`, each bridge's condition and detail, each worker's age and restarts.

        Bridges are asked all at once and have five seconds. No detail holds a text or address.
        """
        said = await asyncio.gather(*(self._asked(kept) for kept in self._bridges.values()))
        bridges = dict(zip(self._bridges, said, strict=True))
        workers = {name: self._worker(kept) for name, kept in self._workers.items()}
        missing = sorted(self.missing())
        fine = (
            not missing
            and all(one["condition"] == bridge.Condition.UP for one in bridges.values())
            and all(one["condition"] == "up" for one in workers.values())
        )
        return {"ok": fine, "bridges": bridges, "workers": workers, "missing": missing}

    async def run(self) -> None:
        """Keep everything going until cancelled; then end within the grace, whatever hangs."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for kept in (*self._bridges.values(), *self._workers.values()):
                    group.create_task(self._keep(kept), name=f"keep {kept.name}")
        finally:
            self._group = None

    # ------------------------------------------------------------ keeping

    def _add(self, table: dict[str, _Kept], kept: _Kept) -> None:
        if kept.name in table:
            raise ValueError(f"{kept.name} is supervised already")
        table[kept.name] = kept
        if self._group is not None:
            self._group.create_task(self._keep(kept), name=f"keep {kept.name}")

    async def _keep(self, kept: _Kept) -> None:
        """Start, wait for the end, pause, start again."""
        while True:
            ended = await self._run_once(kept)
            ran_s = self._clock.monotonic() - kept.since_s
            if ran_s >= STABLE_S:
                kept.failures = 0
            kept.failures += 1
            kept.restarts += 1
            kept.detail, kept.needs_human = _told_by(ended)
            pause_s = self._pause_s(kept)
            _log.warning(
                "ended, starts again",
                supervised=kept.name,
                error=type(ended).__name__ if ended else "returned",
                trail=_trail(ended),
                ran_s=round(ran_s, 1),
                pause_s=round(pause_s, 1),
                restarts=kept.restarts,
                needs_human=kept.needs_human is not None,
            )
            kept.told.clear()
            await self._first_of(asyncio.create_task(kept.told.wait()), pause_s, cancel=True)

    def _pause_s(self, kept: _Kept) -> float:
        """Doubling with jitter; a human needs time, and a captcha asked too often is a ban."""
        if kept.needs_human is not None:
            return NEEDS_HUMAN_PAUSE_S
        # Bounded before the power: two to the thousandth failure is no float.
        full_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(kept.failures - 1, 16))
        return full_s * (0.5 + self._draw() / 2)

    async def _run_once(self, kept: _Kept) -> BaseException | None:
        """Run the work to its end and give what ended it, None for a plain return."""
        kept.since_s = kept.beat_s = self._clock.monotonic()
        kept.started = kept.running = True
        task = asyncio.create_task(_begin(kept.work), name=kept.name)
        try:
            await self._until_ended_or_hung(kept, task)
            if task.done():
                return _ending(task)
            await self._stop(kept, task)
            return Hung()
        except asyncio.CancelledError:
            await self._stop(kept, task)
            raise
        finally:
            kept.running = False

    async def _in_turn(
        self, kept: _Kept, listen: Work, turn: Callable[[], Awaitable[bool]]
    ) -> None:
        """Listen while it is our turn; stop at once when another process has it."""
        while True:
            kept.waits = not await turn()
            if kept.waits:
                await self._clock.sleep(TURN_S)
                continue
            task = asyncio.create_task(_begin(listen), name=f"listen {kept.name}")
            try:
                while not task.done() and not kept.waits:
                    await self._first_of(task, TURN_S)
                    kept.waits = not task.done() and not await turn()
            finally:
                if not task.done():
                    await self._stop(kept, task)
            if not kept.waits:
                return task.result()

    async def _until_ended_or_hung(self, kept: _Kept, task: asyncio.Future[None]) -> None:
        if kept.hung_after_s is None:
            await asyncio.wait({task})
            return
        while not task.done():
            left_s = kept.beat_s + kept.hung_after_s - self._clock.monotonic()
            if left_s <= 0:
                return
            await self._first_of(task, left_s)

    async def _stop(self, kept: _Kept, task: asyncio.Future[None]) -> None:
        """Cancel and wait for the grace; what still runs then is left behind, and said."""
        task.cancel()
        await self._first_of(task, GRACE_S)
        if not task.done():
            _log.error("does not end, left behind", supervised=kept.name)
            task.add_done_callback(_ending)
        else:
            _ending(task)

    async def _first_of(
        self, task: asyncio.Future[Any], seconds: float, *, cancel: bool = False
    ) -> None:
        """Wait for the task or the time, whichever is first."""
        nap = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({task, nap}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            if cancel:
                task.cancel()

    # ------------------------------------------------------------ health

    def _condition(self, kept: _Kept) -> bridge.Condition:
        """As far as we know without asking; what waited for a human must first prove itself."""
        ran_s = self._clock.monotonic() - kept.since_s
        if kept.needs_human is not None and not (kept.running and ran_s >= STABLE_S):
            return bridge.Condition.NEEDS_HUMAN
        return bridge.Condition.UP if kept.running else bridge.Condition.DOWN

    def _worker(self, kept: _Kept) -> dict[str, object]:
        age_s = self._clock.monotonic() - kept.beat_s
        return {
            "condition": "up" if kept.running else "down",
            "age_s": round(age_s, 1) if kept.started else None,
            "restarts": kept.restarts,
        }

    async def _asked(self, kept: _Kept) -> dict[str, object]:
        known = self._condition(kept)
        told = bridge.Health(condition=known, detail=kept.needs_human or kept.detail)
        if kept.waits:
            told = bridge.Health(condition=known, detail="another process listens")
        elif known is bridge.Condition.UP:
            told = await self._own_word(kept.listener)
        last = told.last_event_at
        return {
            "condition": told.condition,
            "detail": told.detail,
            "restarts": kept.restarts,
            "last_event_at": last.isoformat() if last else None,
        }

    async def _own_word(self, listener: object) -> bridge.Health:
        if not isinstance(listener, bridge.ReportsHealth):
            return bridge.Health(condition=bridge.Condition.UP)
        return await self._checked(listener.health())

    async def _checked(self, asked: Awaitable[bridge.Health]) -> bridge.Health:
        """A bridge's own word, or that it gave none in time."""
        task = asyncio.ensure_future(asked)
        task.add_done_callback(_ending)
        down = bridge.Condition.DOWN
        try:
            await self._first_of(task, HEALTH_WITHIN_S)
        finally:
            task.cancel()
        if not task.done():
            return bridge.Health(condition=down, detail="health check took over 5 s")
        try:
            return task.result()
        except (Exception, asyncio.CancelledError) as error:
            return bridge.Health(
                condition=down, detail=f"health check failed ({type(error).__name__})"
            )


async def _begin(work: Work) -> None:
    """So that even a work that fails before its first await fails inside its own task."""
    await work()


def _ending(task: asyncio.Future[Any]) -> BaseException | None:
    """What ended a task; asking also keeps asyncio from logging it with its message."""
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def _told_by(ended: BaseException | None) -> tuple[str, str | None]:
    """Detail and what a human must do. Only BridgeDownError promises a message without people."""
    if ended is None:
        return "returned", None
    if isinstance(ended, bridge.BridgeDownError):
        return str(ended), ended.needs_human
    if isinstance(ended, BaseExceptionGroup):
        # A bridge that runs a TaskGroup of its own says it from inside.
        found: BaseException | None = ended.subgroup(bridge.BridgeDownError)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if found is not None:
            return _told_by(found)
    return type(ended).__name__, None


def _trail(error: BaseException | None) -> str:
    """Files, lines and functions it came through, innermost first; no values, no message."""
    if error is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return " < ".join(
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"
        for frame in reversed(frames)
    )
