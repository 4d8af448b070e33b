"""Starts what build made, and stops it in order: web first, then sends, then the rest.

One TaskGroup; the supervisor keeps bridges and workers going. A SIGTERM in mid-flood loses
nothing: what was acknowledged is stored, what is being sent is finished and recorded (C37).
"""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Final

import sqlalchemy as sa
import structlog

from bot import build, config
from bot.contract import bridge, clock
from bot.store import beats, database, holds, keyvalue, vault
from bot.web import guard, places, server

_log = structlog.get_logger(__name__)

# From the signal on. With the supervisor's grace of three seconds and the bridges' end under the
# ten of C37.
_SENDS_LIMIT_S: Final = 4.5
_WEB_LIMIT_S: Final = 1
_CLOSE_LIMIT_S: Final = 2.0
# Connections of the admins' listener: a monitor and some people.
_ADMINS: Final = 100
_GAUGES_PERIOD_S: Final = 10.0
# Longer than the dispatcher's own limit for one send, or a slow provider would look like a hang.
_DISPATCH_PERIOD_S: Final = 30.0
_LOOK_AGAIN_S: Final = 1.0
_FLOOD_PERIOD_S: Final = 10.0
# In the demo's hurried hours a raid would be over before the second look.
_LAPSE_PERIOD_S: Final = 300.0
_LEAST_PERIOD_S: Final = 0.1
_JANITOR_PERIOD_S: Final = 60.0
# What a few hundred requests under way hold is no garbage; Python's own 700 sweep it every dozen
# messages, which costs each of them some 25 microseconds (docs/decisions/0014).
_SWEEPS: Final = (10_000, 20, 50)
# Longer than the room's members and the bridges' health may take to be asked.
_ROOM_PERIOD_S: Final = 10.0


async def run(
    told: config.Settings,
    *,
    demo: bool = False,
    speed: float = 1.0,
    role: build.Role = build.Role.ALL,
    announce: Callable[[str], None] = lambda _address: None,
) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code.

    `role`: what this process does; only one that listens has a web listener. `demo`: the clock can
    be hurried and the console is served. `announce` is told the address to open once requests are
    answered. Raises what build.house raises, and OSError if the
    listener's port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    moment = clock.LapseClock(clock.SystemClock(), speed) if demo else clock.SystemClock()
    token = secrets.token_urlsafe(16) if demo else None
    made = await build.house(told, moment=moment, console_token=token, role=role)
    # What was loaded and made so far stays for good: no sweep needs to look at it again.
    gc.freeze()
    gc.set_threshold(*_SWEEPS)
    gc.enable()
    try:
        listeners = _listeners(told, made, role)
        told_to = [announce] if role.listens else []

        def ready() -> None:
            for tell in told_to:
                tell(_address(told, listeners[0].port, token))

        await _live(made, role, listeners, stop, ready)
    finally:
        try:
            await _close(made.rooms.bridges)
        finally:
            await made.rooms.store.close()
    _log.info("stopped")
    return 0


def _listeners(
    told: config.Settings, made: build.House, role: build.Role
) -> Sequence[server.Server]:
    """The public one first, where this process has it; then the admins', if they want one."""
    found = []
    admins = guard.Limits(max_connections=_ADMINS)
    # Of what both need at once.
    all_of_them = places.fit(guard.Limits().max_connections + _ADMINS)
    if role.listens:
        found.append(
            server.Server(
                made.app,
                host=told.web.host,
                port=told.web.port,
                limits=guard.Limits(max_connections=all_of_them - _ADMINS),
                stop_limit_s=_WEB_LIMIT_S,
                trusted=told.web.trusted_proxies,
            )
        )
    if told.web.admin_listen is not None:
        host, port = told.web.admin_listen
        found.append(
            server.Server(
                made.admin, host=host, port=port, limits=admins, stop_limit_s=_WEB_LIMIT_S
            )
        )
    for one in found:
        one.bind()
    return found


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
    role: build.Role,
    listeners: Sequence[server.Server],
    stop: asyncio.Event,
    announce: Callable[[], None],
) -> None:
    quiet = asyncio.Event()
    # Before the first claim: after a restart in mid-flood nothing goes by an empty memory (C20).
    await _see(made.rooms, role)
    _employ(made, role, stop, quiet)
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(made.supervisor.run(), name="supervisor")
        serving = [group.create_task(one.serve(), name="web") for one in listeners]
        for one in listeners:
            await one.ready()
        announce()
        _log.info("ready", role=role, port=listeners[0].port if role.listens else None)
        await stop.wait()
        _log.info("stopping")
        limit_s = asyncio.get_running_loop().time() + _SENDS_LIMIT_S
        for one in listeners:
            one.stop()
        for task in serving:
            await task
        try:
            async with asyncio.timeout_at(limit_s):
                await quiet.wait()
        except TimeoutError:
            _log.warning("sends_cut", note="they become unknown and are settled by the janitor")
        keeping.cancel()


async def _while_held(
    work: Coroutine[None, None, None], turn: Callable[[], Awaitable[bool]]
) -> None:
    """Until another process has taken over."""
    task = asyncio.create_task(work)
    try:
        while await turn():
            await asyncio.wait({task}, timeout=holds.ASK_S)
            if task.done():
                return task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _see(rooms: build.Rooms, role: build.Role) -> None:
    """Lead the flood, or go by what another process that leads has seen."""
    if role.sends and await rooms.store.hold("flood"):
        await rooms.flood.look()
    else:
        await rooms.flood.follow()


async def _look(rooms: build.Rooms, role: build.Role) -> bool:
    try:
        await _see(rooms, role)
    except database.StoreAwayError as error:
        _log.warning("store_away", error=str(error))
        return False
    return True


async def _between_looks(moment: clock.Clock) -> None:
    if not isinstance(moment, clock.LapseClock):
        await asyncio.sleep(_FLOOD_PERIOD_S)
        return
    lapse = asyncio.create_task(moment.sleep(_LAPSE_PERIOD_S))
    await asyncio.wait({lapse}, timeout=_FLOOD_PERIOD_S)
    lapse.cancel()
    await asyncio.sleep(_LEAST_PERIOD_S)


async def _first_look(
    rooms: build.Rooms, role: build.Role, stop: asyncio.Event, beat: Callable[[], None]
) -> None:
    """What is flagged is known before the first send, or a crash loop would let a raid through."""
    beat()
    while not await _look(rooms, role) and not stop.is_set():
        await asyncio.sleep(_LOOK_AGAIN_S)
        beat()


def _employ(made: build.House, role: build.Role, stop: asyncio.Event, quiet: asyncio.Event) -> None:
    """Tell the supervisor who works here."""
    _employ_eyes(made, role)
    if role.listens:
        _employ_listeners(made)
    if role.sends:
        _employ_senders(made, role, stop, quiet)
    else:
        quiet.set()


def _employ_senders(
    made: build.House, role: build.Role, stop: asyncio.Event, quiet: asyncio.Event
) -> None:
    rooms, watch = made.rooms, made.supervisor

    async def dispatch() -> None:
        await _first_look(rooms, role, stop, lambda: watch.beat("dispatcher"))
        await rooms.dispatcher.run(stop, lambda: watch.beat("dispatcher"))
        quiet.set()
        await asyncio.Event().wait()

    async def tidy() -> None:
        await rooms.janitor.run(stop, lambda: watch.beat("janitor"), _turn(rooms, "janitor"))
        await asyncio.Event().wait()

    watch.watch("dispatcher", dispatch, _DISPATCH_PERIOD_S)
    watch.watch("janitor", tidy, _JANITOR_PERIOD_S)


async def _renew(rooms: build.Rooms) -> None:
    """A rotation reaches every process that runs: nothing is sealed with the old key any more."""
    try:
        if await asyncio.to_thread(rooms.keys.renew):
            _log.info("keys_renewed")
    except vault.KeyFileError as error:
        _log.warning("keys_not_renewed", error=error)


def _sign(role: build.Role, name: str, now_ms: int) -> Callable[[sa.Connection], None]:
    """A sign of life; of a process that sends nothing only that it can write."""
    if role.sends:
        return functools.partial(beats.put, name=name, now_ms=now_ms)
    probe = f"probe:{socket.gethostname()}"
    return functools.partial(keyvalue.put, channel="", key=probe, value=str(now_ms))


def _employ_eyes(made: build.House, role: build.Role) -> None:
    rooms, watch = made.rooms, made.supervisor
    name = f"{role}:{socket.gethostname()}:{os.getpid()}"

    async def watch_flood() -> None:
        while True:
            watch.beat("flood")
            await _look(rooms, role)
            await _between_looks(rooms.clock)

    async def measure() -> None:
        while True:
            watch.beat("gauges")
            await _renew(rooms)
            try:
                await rooms.store.read(made.gauges.refresh)
                # A sign of life for the others, and the proof that the disk takes what is written.
                now_ms = clock.to_ms(rooms.clock.now())
                await rooms.store.write(_sign(role, name, now_ms), together=True)
                rooms.store.condition.well()
            except database.StoreAwayError as error:
                _log.warning("store_away", error=str(error))
            await asyncio.sleep(_GAUGES_PERIOD_S)

    watch.watch("flood", watch_flood, _FLOOD_PERIOD_S)
    watch.watch("gauges", measure, _GAUGES_PERIOD_S)


def _employ_listeners(made: build.House) -> None:
    rooms, watch = made.rooms, made.supervisor

    turn = _turn(rooms, "room")

    def beat() -> None:
        watch.beat("room")

    async def moderate() -> None:
        if turn is None:
            await made.desk.run(beat)
        while turn is not None:
            beat()
            if await turn():
                await _while_held(made.desk.run(beat), turn)
            await asyncio.sleep(holds.ASK_S)

    for one in rooms.bridges.values():
        watch.listen(one, rooms.intake, _turn(rooms, f"on:{one.channel}"))
    watch.watch("room", moderate, _ROOM_PERIOD_S)


def _turn(rooms: build.Rooms, name: str) -> Callable[[], Awaitable[bool]] | None:
    """Asks whether `name` is this process's to do; None where there is no other process."""
    return functools.partial(rooms.store.hold, name) if rooms.store.shared else None
