import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from bot.contract import bridge, outcomes
from bridges.simulator import bridge as simulator_bridge
from tests.bridges.simulator import world


class Outdoors:
    """An outside world with a ledger of its own, answering what it is told to."""

    def __init__(self) -> None:
        self.ledger: list[dict[str, Any]] = []
        self.status = 200
        self.body: bytes = b'{"id": "p1"}'
        self.headers: dict[str, str] = {}
        self.cut = False
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.ledger.append(await request.json())
        if self.cut and request.transport is not None:
            request.transport.abort()
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@pytest.fixture
async def outdoors() -> AsyncIterator[Outdoors]:
    world_outside = Outdoors()
    app = web.Application()
    app.router.add_route("*", "/", world_outside.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    world_outside.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield world_outside
    await runner.cleanup()


@pytest.fixture
async def made(outdoors: Outdoors) -> AsyncIterator[simulator_bridge.Simulator]:
    simulator = world.made(deliver_to=outdoors.url, idempotent=False)
    yield simulator
    await simulator.close()


async def test_a_reply_is_handed_over_whole(
    outdoors: Outdoors, made: simulator_bridge.Simulator
) -> None:
    outcome = await made.send(world.reply())
    assert isinstance(outcome, outcomes.Accepted)
    assert outcome.provider_id == "p1"
    assert outdoors.ledger == [
        {
            "reply_id": "a" * 32,
            "from": world.OURS,
            "to": world.HIS,
            "text": "Bonjour.",
            "parts": 1,
            "cost": "0.08",
        }
    ]
    assert not made.idempotent
    await made.send(world.reply())
    assert len(outdoors.ledger) == 2, "doubles are the outside world's to see"


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (409, b"", {}, outcomes.Accepted),
        (429, b"", {"Retry-After": "90"}, outcomes.NotNow),
        (400, b"", {}, outcomes.Rejected),
        (404, b"", {}, outcomes.Rejected),
        (500, b"", {}, outcomes.Unknown),
        (503, b"", {"Retry-After": "5"}, outcomes.Unknown),
        (302, b"", {"Location": "/elsewhere"}, outcomes.Unknown),
        (200, b"fine", {}, outcomes.Unknown),
        (200, b'{"id": 7}', {}, outcomes.Unknown),
        (200, b"[" * 3_000, {}, outcomes.Unknown),
        (204, b"", {}, outcomes.Unknown),
    ],
)
async def test_answers_map_to_outcomes(
    outdoors: Outdoors,
    made: simulator_bridge.Simulator,
    *,
    status: int,
    body: bytes,
    headers: dict[str, str],
    expected: type[outcomes.Outcome],
) -> None:
    outdoors.status, outdoors.body, outdoors.headers = status, body, headers
    outcome = await made.send(world.reply())
    assert isinstance(outcome, expected)
    if isinstance(outcome, outcomes.NotNow):
        assert (outcome.retry_at - world.NOW).total_seconds() == 90


@pytest.mark.parametrize("told", ["soon", "", "-5", "1.5"])
async def test_an_unreadable_wait_is_a_minute(
    outdoors: Outdoors, made: simulator_bridge.Simulator, told: str
) -> None:
    outdoors.status, outdoors.headers = 429, {"Retry-After": told}
    outcome = await made.send(world.reply())
    assert isinstance(outcome, outcomes.NotNow)
    assert (outcome.retry_at - world.NOW).total_seconds() == 60


async def test_a_cut_connection_is_unknown(
    outdoors: Outdoors, made: simulator_bridge.Simulator
) -> None:
    outdoors.cut = True
    assert isinstance(await made.send(world.reply()), outcomes.Unknown)
    assert len(outdoors.ledger) == 1


async def test_too_slow_is_unknown() -> None:
    hung_up = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    simulator = world.made(deliver_to=f"http://127.0.0.1:{port}/")
    assert simulator._outside is not None
    simulator._outside._limit_s = 0.05
    assert await simulator.send(world.reply()) == outcomes.Unknown(reason="time limit")
    await simulator.close()
    await hung_up.wait()
    server.close()
    await server.wait_closed()


async def test_nobody_there_is_not_now_and_unhealthy(outdoors: Outdoors) -> None:
    simulator = world.made(deliver_to="http://127.0.0.1:1/")
    assert isinstance(await simulator.send(world.reply()), outcomes.NotNow)
    assert (await simulator.health()).condition is bridge.Condition.DOWN
    await simulator.close()
    well = world.made(deliver_to=outdoors.url)
    assert (await well.health()).condition is bridge.Condition.UP
    await well.close()
