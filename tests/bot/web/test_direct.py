"""One answer by both ways in: by uvicorn and ASGI, and by a route's `post`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.web import clients, direct, limits, posts, server
from tests.bot.web.wired import (
    CASES,
    LAST,
    LENGTH,
    POST,
    Hook,
    Parser,
    connected,
    made,
    odd,
    said,
    turns,
)

PATIENCE_S = 30
PARSERS = pytest.mark.parametrize("parser", ["h11", "httptools"])


def _plainly(written: bytes) -> list[bytes]:
    """The same lines, whatever their order; without the date, and how h11 frames its own 400."""
    framing = (b"", b"0", b"1e", b"transfer-encoding: chunked")
    lines = written.lower().split(b"\r\n")
    return sorted(one for one in lines if one not in framing and not one.startswith(b"date:"))


@pytest.mark.case("C10")
@PARSERS
@pytest.mark.parametrize("pieces", CASES.values(), ids=CASES.keys())
async def test_both_ways_answer_the_same(
    parser: Parser, pieces: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(PATIENCE_S):
        told = [await said(made(Hook(), parser, short=s), [*pieces, LAST]) for s in (False, True)]
    (slow, slow_closed), (fast, fast_closed) = told
    assert _plainly(fast) == _plainly(slow)
    assert fast.count(b"HTTP/1.1 ") == slow.count(b"HTTP/1.1 ")
    assert fast_closed == slow_closed
    assert not any("hello" in record.getMessage() for record in caplog.records)


@PARSERS
@pytest.mark.parametrize("size", [1, 2, 7, 60, 150])
async def test_however_it_is_cut_apart(parser: Parser, size: int) -> None:
    whole = POST + CASES["query"][0] + LAST.replace(b"close", b"keep-alive") + POST + LAST
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    expected, _ = await said(made(Hook(), parser, short=False), [whole])
    hook = Hook()
    got, closed = await said(made(hook, parser, short=True), pieces)
    assert _plainly(got) == _plainly(expected)
    assert got.count(b"200 OK") == 5
    assert closed


@PARSERS
async def test_what_is_plain_goes_the_short_way_also_after_a_page(parser: Parser) -> None:
    hook = Hook()
    page = LAST.replace(b"close", b"keep-alive")
    pieces = [POST, page, POST, POST[:30], POST[30:], POST, POST[:-2], POST[-2:], LAST]
    written, closed = await said(made(hook, parser, short=True), pieces)
    assert hook.ways == ["post", "post", "asgi", "post", "post"]
    assert (written.count(b"200 OK"), closed) == (7, True)


@PARSERS
async def test_a_body_that_nobody_read_is_no_request(parser: Parser) -> None:
    """The page answers at once; what follows is its body, though it looks like a webhook."""
    hook = Hook()
    begun = b"POST /api/channels HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
    await said(made(hook, parser, short=True), [begun, POST, POST])
    assert hook.ways == []


@PARSERS
async def test_a_head_that_goes_on_is_no_request(parser: Parser) -> None:
    """Uvicorn waits for the end of a header, and gets it, whatever it looks like."""
    hook = Hook()
    page = LAST.replace(b"close", b"keep-alive")
    begun = page + b"GET /api/channels HTTP/1.1\r\nHost: x\r\nA: "
    await said(made(hook, parser, short=True), [begun, POST])
    assert hook.ways == []


@PARSERS
async def test_one_connection_counts_as_one(parser: Parser) -> None:
    hook = Hook()
    listener = made(hook, parser, short=True)
    known = listener._uvicorn.server_state.connections
    one, wire = connected(listener)
    one.data_received(LAST.replace(b"close", b"keep-alive"))
    await turns()
    assert len(known) == 1
    hook.may.clear()
    one.data_received(POST)
    await turns()
    one.connection_lost(ConnectionResetError())
    hook.may.set()
    await turns()
    assert wire.written.count(b"HTTP/1.1 ") == 1
    assert not known
    assert not listener._uvicorn.server_state.tasks


@PARSERS
async def test_what_comes_too_early_waits_for_its_turn(parser: Parser) -> None:
    hook = Hook()
    hook.may.clear()
    one, wire = connected(made(hook, parser, short=True))
    one.data_received(POST)
    await turns()
    one.data_received(POST[:20])
    assert wire.paused
    assert hook.ways == ["post"]
    hook.may.set()
    await turns(lambda: not wire.paused)
    one.data_received(POST[20:])
    await turns()
    assert wire.written.count(b"200 OK") == 2
    # Who does not read gets no second answer.
    one.pause_writing()
    one.data_received(POST)
    await turns()
    assert wire.written.count(b"200 OK") == 2
    one.resume_writing()
    await turns()
    assert wire.written.count(b"200 OK") == 3
    one.connection_lost(None)


async def test_the_edge_is_asked_and_told_on_both_ways() -> None:
    rate = limits.Rate(per_second=1, burst=2)
    for short in (False, True):
        edge = limits.Edge(clients.Clients(), limits.Buckets(rate, lambda: 0.0))
        listener = made(Hook(), "httptools", short=short, edge=edge)
        refused = odd(b"Content-Length: 2\r\n", b"no")
        answers = [(await said(listener, [refused]))[0][9:12] for _ in range(3)]
        assert answers == [b"403", b"403", b"429"]
        assert edge.buckets.turned_away == 1
        edge.buckets.prove("203.0.113.9")
        assert (await said(listener, [POST]))[0][9:12] == b"200"


@PARSERS
@pytest.mark.parametrize(("size", "way"), [(65_536, "post"), (65_537, "asgi")])
async def test_a_long_body_is_not_kept_on_the_short_way(
    parser: Parser, size: int, way: str
) -> None:
    hook = Hook()
    whole = odd(b"Content-Length: %d\r\n" % size, b"x" * size)
    written, _ = await said(made(hook, parser, short=True), [whole])
    assert (hook.ways, written[9:12]) == ([way], b"200")


def test_lines_that_are_kept_are_few_and_say_nothing_of_anybody() -> None:
    ways = posts.of(made(Hook(), "httptools", short=True)._uvicorn.config.loaded_app)
    posts._known.clear()
    for number in range(2 * posts._MOST_KNOWN):
        change = b"User-Agent: a%d\r\nX-Forwarded-For: 203.0.113.9\r\n" % number + LENGTH
        assert ways.read(odd(change)) is not None
    assert len(posts._known) <= posts._MOST_KNOWN
    assert not any(b"203.0.113" in line or b"ength" in line for line in posts._known)


@contextlib.asynccontextmanager
async def running(hook: Hook, **bounds: Any) -> AsyncIterator[server.Server]:  # noqa: ANN401 (guard.Limits)
    listener = made(hook, "httptools", short=True, **bounds)
    task = asyncio.create_task(listener.serve())
    await listener.ready()
    yield listener
    listener.stop()
    await asyncio.wait_for(task, PATIENCE_S)


async def closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


@pytest.mark.case("C11")
@pytest.mark.parametrize("begun", [POST[:40], POST[:-2], POST + POST[:40], POST + POST[:-2]])
async def test_a_client_that_lets_us_wait_is_cut(begun: bytes) -> None:
    async with running(Hook(), head_s=0.3, body_s=0.3, idle_s=1) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(begun)
        assert (await closed(reader)).count(b"200 OK") == begun.count(b"hello")
        writer.close()


@PARSERS
async def test_a_fault_of_ours_is_a_500_and_told_without_the_request(
    parser: Parser, caplog: pytest.LogCaptureFixture
) -> None:
    written, is_closed = await said(made(Hook(), parser, short=True), [odd(LENGTH, b"raise"), POST])
    assert (written[9:12], written.count(b"HTTP/1.1 "), is_closed) == (b"500", 1, True)
    assert "a route's post raised" in caplog.text
    assert "raise RuntimeError" in caplog.text


@pytest.mark.case("C11")
async def test_what_came_too_early_is_timed_as_well() -> None:
    hook = Hook()
    hook.may.clear()
    async with running(hook, head_s=60, body_s=0.3, idle_s=60) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(POST)
        await hook.entered.acquire()
        writer.write(POST[:-2])
        await writer.drain()
        hook.may.set()
        assert (await closed(reader)).count(b"200 OK") == 1
        writer.close()


async def test_an_answer_takes_longer_than_a_page_may_stay_idle() -> None:
    hook = Hook()
    async with running(hook, idle_s=1) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(LAST.replace(b"close", b"keep-alive"))
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"[]"), PATIENCE_S)
        hook.may.clear()
        writer.write(POST)
        asyncio.get_running_loop().call_later(1.4, hook.may.set)
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"hello"), PATIENCE_S)
        assert hook.ways == ["post"]
        writer.close()


@pytest.mark.case("C11")
async def test_who_stays_idle_after_an_answer_is_sent_away() -> None:
    hook = Hook()
    async with running(hook, idle_s=1) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        for _ in range(2):
            writer.write(POST)
            await asyncio.wait_for(reader.readuntil(b"hello"), PATIENCE_S)
        assert await closed(reader) == b""
        assert hook.ways == ["post", "post"]
        writer.close()


@pytest.mark.case("C07")
async def test_what_takes_too_long_is_answered_with_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.contract.bridge.POST_LIMIT_S", 0.2)
    hook = Hook()
    hook.may.clear()
    async with running(hook) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(POST)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        assert b"503 Service Unavailable" in head
        assert b"retry-after: 5" in head
        hook.may.set()
        writer.write(POST)
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"hello"), PATIENCE_S)
        writer.close()


async def test_a_running_request_is_finished_at_the_end() -> None:
    hook = Hook()
    hook.may.clear()
    async with running(hook) as listener:
        idle, other = await asyncio.open_connection("127.0.0.1", listener.port)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(POST)
        await hook.entered.acquire()
        listener.stop()
        assert await closed(idle) == b""
        hook.may.set()
        got = await closed(reader)
        assert b"200 OK" in got
        assert b"connection: close" in got
        other.close()
        writer.close()


async def test_who_hangs_up_costs_nothing_but_his_answer() -> None:
    hook = Hook()
    hook.may.clear()
    async with running(hook) as listener:
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(POST)
        await hook.entered.acquire()
        writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            await turns(lambda: not listener.gate.open)
        hook.may.set()
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(POST)
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"hello"), PATIENCE_S)
        writer.close()


def test_a_connection_is_between_requests_only_for_certain() -> None:
    assert not direct._is_between(type("Fresh", (), {"cycle": None})())
