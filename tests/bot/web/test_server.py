import asyncio
import contextlib
import signal
import socket
import types
from collections.abc import AsyncIterator
from typing import Any, Literal

import aiohttp
import pytest

from bot.contract import bridge
from bot.web import guard, server

PATIENCE_S = 30
"""A test waits for the other end to close, however slow the machine is; it never sleeps."""


class Site:
    """Answers `ok`, once it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.asked = asyncio.Event()
        self.entered = asyncio.Semaphore(0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
        self.entered.release()
        if scope["method"] == "POST":
            while (await receive()).get("more_body", False):
                pass
        self.asked.set()
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-length", b"2")]})  # fmt: skip
        await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def running(
    app: bridge.AsgiApp,
    parser: Literal["auto", "h11", "httptools"] = "auto",
    **limits: Any,  # noqa: ANN401 (those of guard.Limits)
) -> AsyncIterator[server.Server]:
    listener = server.Server(app, limits=guard.Limits(**limits), stop_limit_s=1, parser=parser)
    task = asyncio.create_task(listener.serve())
    await listener.ready()
    yield listener
    listener.stop()
    await asyncio.wait_for(task, PATIENCE_S)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What comes before the other end closes."""
    got = bytearray()
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(1_000):
                got += piece
    return bytes(got)


async def test_it_answers_stops_and_leaves_the_signals_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with running(Site()) as listener:
        assert signal.getsignal(signal.SIGTERM) is before
        assert listener.port > 0
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{listener.port}/") as answer,
        ):
            assert (answer.status, await answer.text()) == (200, "ok")
            assert "server" not in answer.headers
    with pytest.raises(OSError, match="onnect"):
        await asyncio.open_connection("127.0.0.1", listener.port)


def test_a_taken_port_is_an_error_before_anything_runs() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listener = server.Server(_no_app, port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            listener.bind()


async def _no_app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
    raise AssertionError


async def test_who_asks_is_the_socket_and_no_header() -> None:
    """Proxies are `web.trusted_proxies`; uvicorn's own idea of them would believe this machine."""
    seen: list[tuple[Any, str]] = []

    async def tells(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
        seen.append((scope["client"][0], scope["scheme"]))
        await Site()(scope, receive, send)

    told = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
    async with running(tells) as listener, aiohttp.ClientSession(headers=told) as session:
        await session.get(f"http://127.0.0.1:{listener.port}/")
    assert seen == [("127.0.0.1", "http")]


async def test_a_running_request_is_finished_at_the_end() -> None:
    site = Site()
    site.may.clear()
    async with running(site) as listener, aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.get(f"http://127.0.0.1:{listener.port}/"))
        await site.asked.wait()
        listener.stop()
        site.may.set()
        answer = await asking
        assert await answer.text() == "ok"


async def test_cancelling_cuts_everything() -> None:
    site = Site()
    site.may.clear()
    listener = server.Server(site)
    task = asyncio.create_task(listener.serve())
    await listener.ready()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await site.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await closed(reader) == b""
    writer.close()
    site.may.set()


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HTTP/1.1\r\nho",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HT",
    ],
    ids=["nothing", "half a head", "half a body", "half a second head"],
)
@pytest.mark.parametrize("parser", ["h11", "httptools"])
async def test_a_client_that_lets_us_wait_is_cut(
    begun: bytes, parser: Literal["h11", "httptools"]
) -> None:
    async with running(Site(), parser, head_s=0.3, body_s=0.3, idle_s=1) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(begun)
        got = await closed(reader)
        assert got.count(b"200 OK") == begun.count(b"\r\n\r\nGET")
        writer.close()


async def test_dribbling_does_not_renew_the_time() -> None:
    async with running(Site(), head_s=0.3) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        ended = asyncio.create_task(closed(reader))
        async with asyncio.timeout(PATIENCE_S):
            while not ended.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"a: b\r\n")
                    await writer.drain()
                await asyncio.wait([ended], timeout=0.02)
        assert await ended == b""
        assert listener.gate.closed_late == 1
        writer.close()


@pytest.mark.parametrize("parser", ["h11", "httptools"])
async def test_a_slow_answer_of_ours_is_not_the_clients_fault(
    parser: Literal["h11", "httptools"],
) -> None:
    site = Site()
    site.may.clear()
    async with running(site, parser, head_s=0.5, body_s=0.5) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        await site.asked.wait()
        asyncio.get_running_loop().call_later(0.8, site.may.set)
        assert b"200 OK" in await closed(reader)
        writer.close()


@pytest.mark.parametrize("parser", ["h11", "httptools"])
async def test_an_endless_head_is_cut(parser: Literal["h11", "httptools"]) -> None:
    # Neither its time nor the parser's own bound ends it.
    async with running(Site(), parser, head_bytes=1_000, head_s=3_600) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for n in range(1_000):
                writer.write(b"a: b\r\n" if n > 20 else b"a: " + b"b" * 400 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0)
        assert listener.gate.closed_late == 1
        assert b"200" not in await closed(reader)
        writer.close()


async def test_hoarders_make_place_for_newcomers() -> None:
    async with running(Site(), max_connections=3) as listener:
        hoard = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(3)]
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{listener.port}/") as answer,
        ):
            assert answer.status == 200
        assert await closed(hoard[0][0]) == b""
        assert listener.gate.closed_full == 1
        assert len(listener.gate.open) <= 3
        for _, writer in hoard:
            writer.close()


_GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.case("C11")
@pytest.mark.parametrize(
    "begun",
    [
        _GET,
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc",
        _GET + b"GET / HT",
    ],
    ids=["answered once", "half a body", "half a second head"],
)
@pytest.mark.parametrize("loop", [None, "uvloop"], ids=["asyncio", "uvloop"])
def test_those_who_hoard_after_a_head_make_place_too(begun: bytes, loop: str | None) -> None:
    factory = None if loop is None else pytest.importorskip(loop).new_event_loop

    async def hoarded() -> None:
        site, hoard = Site(), []
        async with running(site, max_connections=3) as listener:
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(3):
                    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
                    hoard.append((reader, writer))
                    writer.write(begun)
                    await site.entered.acquire()
                    if begun.startswith(_GET):
                        await reader.readuntil(b"ok")
                reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
                writer.write(_GET)
                assert b"200 OK" in await reader.readuntil(b"ok")
            assert listener.gate.closed_full == 1
            # Whoever began first has let us wait longest.
            assert await closed(hoard[0][0]) == b""
            for _, one in (*hoard, (reader, writer)):
                one.close()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(hoarded())


@pytest.mark.case("C11")
@pytest.mark.parametrize("loop", [None, "uvloop"], ids=["asyncio", "uvloop"])
def test_a_newcomer_among_a_hundred_at_once_is_answered(loop: str | None) -> None:
    factory = None if loop is None else pytest.importorskip(loop).new_event_loop

    async def crowded() -> None:
        async with running(Site(), max_connections=3) as listener:
            there = ("127.0.0.1", listener.port)
            # All of them wait in the kernel before the loop gets to see one.
            crowd = [kept.enter_context(socket.create_connection(there)) for _ in range(100)]
            crowd[-1].sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            reader, writer = await asyncio.open_connection(sock=crowd[-1])
            assert b"200 OK" in await closed(reader)
            writer.close()
            await writer.wait_closed()

    with contextlib.ExitStack() as kept, asyncio.Runner(loop_factory=factory) as runner:
        runner.run(crowded())


@pytest.mark.case("C11")
async def test_one_address_has_a_share_of_the_connections() -> None:
    gate = guard.Gate(guard.Limits(max_connections=100, max_by_address=3))
    greedy = [_from("198.51.100.7") for _ in range(5)]
    assert [gate.enter(one) for one in greedy] == [True] * 3 + [False] * 2
    assert gate.enter(_from("203.0.113.9"))
    # Neighbours, among them a reverse proxy that nobody named, are not counted by address.
    assert all(gate.enter(_from("127.0.0.1")) for _ in range(10))
    for one in greedy:
        gate.leave(one)
    assert gate.enter(_from("198.51.100.7"))
    assert gate.closed_greedy == 2


def test_a_house_that_is_full_of_busy_ones_forgets_whom_it_sent_away() -> None:
    gate = guard.Gate(guard.Limits(max_connections=1, max_by_address=1))
    busy = _from("203.0.113.9", is_busy=True)
    assert gate.enter(busy)
    for _ in range(3):
        assert not gate.enter(_from("198.51.100.7"))
    gate.leave(busy)
    assert gate.enter(_from("198.51.100.7"))
    assert gate.closed_greedy == 0


def _from(host: str, *, is_busy: bool = False) -> guard.Guard:
    cycle = types.SimpleNamespace(response_complete=not is_busy, more_body=False)
    made = guard.Guard(guard.Gate(guard.Limits()), types.SimpleNamespace(cycle=cycle))
    made.host = host
    return made
