"""What the bridge was given and cannot begin at once goes back: a pause may have come (C21)."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bot.contract import clock
from bridges.signal import daemon, http, pace, rest, settings, transport
from bridges.signal.daemon import calls, neighbour
from bridges.signal.transport import Verdict
from tests.bridges.signal import world
from tests.fakes import deaf

LIMIT_S = 30
# As many connections as the session keeps open at once.
POOL = 32
# More than the kernel keeps for a reader.
FULL = 1 << 25

pytestmark = pytest.mark.case("C21")


def test_a_send_begins_within_what_a_pause_may_take() -> None:
    assert pace.PATIENCE_S + http.SEND_CONNECT_LIMIT_S < 2
    assert pace.PATIENCE_S + calls.ASK_CONNECT_LIMIT_S < 2


async def test_who_waits_for_a_connection_of_the_pool_comes_back_unsent() -> None:
    async with world.bench(send_limit_s=10.0) as (side, made):
        way = made._transport
        assert isinstance(way, rest.Rest)
        side.faults += ["hang"] * POOL
        sends = [asyncio.create_task(way.send(world.HIM, "x")) for _ in range(POOL)]
        async with asyncio.timeout(LIMIT_S):
            for _ in iter(lambda: len(side.faults), 0):
                await asyncio.sleep(0)
            answer = await way.send(world.HIM, "y")
        for one in sends:
            one.cancel()
        ended = await asyncio.gather(*sends, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended)
        assert answer.verdict is Verdict.AWAY
        assert "y" not in [one.text for one in side.ledger]


def transport_to(url: str, way: settings.Way) -> transport.Transport:
    told = world.table(url, way.value, send_limit_s=10.0)
    make = daemon.create if way is settings.Way.DAEMON else rest.create
    return make(settings.read(told, "signal"), clock.SystemClock())


@pytest.mark.parametrize(
    ("scheme", "way"),
    [
        ("tcp", settings.Way.DAEMON),
        ("http", settings.Way.DAEMON),
        ("http", settings.Way.WEBHOOK),
    ],
    ids=["tcp", "http", "rest"],
)
async def test_a_neighbour_that_takes_no_connection_was_asked_nothing(
    scheme: str, way: settings.Way
) -> None:
    with deaf.address() as where:
        made = transport_to(f"{scheme}://{where}", way)
        async with asyncio.timeout(5):
            answer = await made.send(world.HIM, "x")
        await made.close()
    assert answer.verdict is Verdict.AWAY


async def test_nothing_is_written_behind_what_the_daemon_does_not_read() -> None:
    """It would leave when the daemon reads again, whatever was said meanwhile."""
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))
        idle.listen(8)
        made = transport_to(f"tcp://127.0.0.1:{idle.getsockname()[1]}", settings.Way.DAEMON)
        async with asyncio.timeout(LIMIT_S):
            stuck = asyncio.create_task(made.send(world.HIM, "x" * FULL))
            await line_is_stuck(made)
            answer = await made.send(world.HIM, "y")
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
        await made.close()
    assert answer.verdict is Verdict.AWAY


async def line_is_stuck(made: transport.Transport) -> None:
    """Until what was written first fills the socket."""
    assert isinstance(made, neighbour.Daemon)
    over = made._calls
    assert isinstance(over, calls.OverSocket)
    for _ in iter(lambda: over._line is not None and over._line.lines.is_choked, True):
        await asyncio.sleep(0)
