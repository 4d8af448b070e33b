"""Starts what build made, and stops it in order: web first, then sends, then the rest.

One TaskGroup; the supervisor keeps bridges and workers going. A SIGTERM in mid-flood loses
nothing: what was acknowledged is stored, what is being sent is finished and recorded (C37).
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from bot import build, config
from bot.contract import bridge, clock
from bot.store import database
from bot.web import server

_log = structlog.get_logger(__name__)

# From the signal on. With the supervisor's grace of three seconds and the bridges' end under the
# ten of C37.
_SENDS_LIMIT_S: Final = 4.5
_WEB_LIMIT_S: Final = 1
_CLOSE_LIMIT_S: Final = 2.0
_GAUGES_PERIOD_S: Final = 10.0
# Longer than the dispatcher's own limit for one send, or a slow provider would look like a hang.
_DISPATCH_PERIOD_S: Final = 30.0
_LOOK_AGAIN_S: Final = 1.0
_FLOOD_PERIOD_S: Final = 10.0
_JANITOR_PERIOD_S: Final = 60.0
# Longer than the room's members and the bridges' health may take to be asked.
_ROOM_PERIOD_S: Final = 10.0


async def run(
    told: config.Settings,
    *,
    demo: bool = False,
    speed: float = 1.0,
    announce: Callable[[str], None] = lambda _address: None,
) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code.

    `demo`: the clock can be hurried and the console is served. `announce` is told the address
    to open once requests are answered. Raises what build.house raises, and OSError if the
    listener's port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    moment = clock.LapseClock(clock.SystemClock(), speed) if demo else clock.SystemClock()
    token = secrets.token_urlsafe(16) if demo else None
    made = await build.house(told, moment=moment, console_token=token)
    listener = server.Server(
        made.app, host=told.web.host, port=told.web.port, stop_limit_s=_WEB_LIMIT_S
    )
    try:
        port = listener.bind()
        await _live(made, listener, stop, lambda: announce(_address(told, port, token)))
    finally:
        try:
            await _close(made.rooms.bridges)
        finally:
            await made.rooms.store.close()
    _log.info("stopped")
    return 0


async def _close(bridges: Mapping[str, bridge.Bridge]) -> None:
    """All at once and within the limit: one that raises or hangs keeps nobody from ending."""

    async def end(one: bridge.Bridge) -> None:
        await one.close()

    ends = {asyncio.create_task(end(one), name=f"close-{n}"): n for n, one in bridges.items()}
    if not ends:
        return
    for task in ends:
        # Asking keeps asyncio from logging what a late one raises with its message.
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    done, late = await asyncio.wait(ends, timeout=_CLOSE_LIMIT_S)
    for task in late:
        task.cancel()
        _log.warning("close_cut", channel=ends[task])
    for task in done:
        error = task.exception() if not task.cancelled() else None
        if error is not None:
            _log.warning("close_failed", channel=ends[task], error=type(error).__name__)


def _address(told: config.Settings, port: int, token: str | None) -> str:
    host = f"[{told.web.host}]" if ":" in told.web.host else told.web.host
    query = f"?token={token}" if token else ""
    simulated = any(channel.kind == "simulator" for channel in told.channels.values())
    return f"http://{host}:{port}/{'phone/' if simulated else ''}{query}"


async def _live(
    made: build.House,
    listener: server.Server,
    stop: asyncio.Event,
    announce: Callable[[], None],
) -> None:
    quiet = asyncio.Event()
    # Before the first claim: after a restart in mid-flood nothing goes by an empty memory (C20).
    await made.rooms.flood.look()
    _employ(made, stop, quiet)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(listener.serve(), name="web")
        keeping = group.create_task(made.supervisor.run(), name="supervisor")
        await listener.ready()
        announce()
        _log.info("ready", port=listener.port)
        await stop.wait()
        _log.info("stopping")
        limit_s = asyncio.get_running_loop().time() + _SENDS_LIMIT_S
        listener.stop()
        await serving
        try:
            async with asyncio.timeout_at(limit_s):
                await quiet.wait()
        except TimeoutError:
            _log.warning("sends_cut", note="they become unknown and are settled by the janitor")
        keeping.cancel()


async def _look(rooms: build.Rooms) -> bool:
    try:
        await rooms.flood.look()
    except database.StoreAwayError as error:
        _log.warning("store_away", error=str(error))
        return False
    return True


async def _first_look(rooms: build.Rooms, stop: asyncio.Event, beat: Callable[[], None]) -> None:
    """What is flagged is known before the first send, or a crash loop would let a raid through."""
    beat()
    while not await _look(rooms) and not stop.is_set():
        await asyncio.sleep(_LOOK_AGAIN_S)
        beat()


def _employ(made: build.House, stop: asyncio.Event, quiet: asyncio.Event) -> None:
    """Tell the supervisor who works here."""
    rooms, watch = made.rooms, made.supervisor

    async def dispatch() -> None:
        await _first_look(rooms, stop, lambda: watch.beat("dispatcher"))
        await rooms.dispatcher.run(stop, lambda: watch.beat("dispatcher"))
        quiet.set()
        await asyncio.Event().wait()

    async def tidy() -> None:
        await rooms.janitor.run(stop, lambda: watch.beat("janitor"))
        await asyncio.Event().wait()

    async def watch_flood() -> None:
        while True:
            watch.beat("flood")
            await _look(rooms)
            await asyncio.sleep(_FLOOD_PERIOD_S)

    async def measure() -> None:
        while True:
            watch.beat("gauges")
            try:
                await rooms.store.read(made.gauges.refresh)
            except database.StoreAwayError as error:
                _log.warning("store_away", error=str(error))
            await asyncio.sleep(_GAUGES_PERIOD_S)

    async def moderate() -> None:
        await made.desk.run(lambda: watch.beat("room"))

    for one in rooms.bridges.values():
        watch.listen(one, rooms.intake)
    watch.watch("room", moderate, _ROOM_PERIOD_S)
    watch.watch("dispatcher", dispatch, _DISPATCH_PERIOD_S)
    watch.watch("flood", watch_flood, _FLOOD_PERIOD_S)
    watch.watch("janitor", tidy, _JANITOR_PERIOD_S)
    watch.watch("gauges", measure, _GAUGES_PERIOD_S)
