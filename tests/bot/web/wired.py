"""A webhook on a server, requests to it in memory, and how requests can be odd."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

from bot.contract import bridge
from bot.web import app, guard, limits, server

TURNS = 60
Parser = Literal["h11", "httptools"]


class Hook:
    """Tells what it was given, by either way; waits and fails where it is told to."""

    def __init__(self) -> None:
        self.ways: list[str] = []
        self.may = asyncio.Event()
        self.may.set()
        self.entered = asyncio.Semaphore(0)

    async def post(self, fields: bridge.Fields, query: bytes, body: bytes) -> bridge.Answer:
        self.ways.append("post")
        return await self._told(fields, query, body)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
        self.ways.append("asgi")
        body, more = b"", True
        while more:
            event = await receive()
            if event["type"] != "http.request":
                return
            body += event["body"]
            more = event["more_body"]
        if scope["method"] != "POST":
            told = bridge.Answer(status=405, headers=((b"connection", b"close"),))
        else:
            told = await self._told(scope["headers"], scope["query_string"], body)
        length = (b"content-length", str(len(told.body)).encode())
        headers = [*told.headers, length]
        await send({"type": "http.response.start", "status": told.status, "headers": headers})
        await send({"type": "http.response.body", "body": told.body})

    async def _told(self, fields: bridge.Fields, query: bytes, body: bytes) -> bridge.Answer:
        self.entered.release()
        await self.may.wait()
        if body == b"raise":
            raise RuntimeError("a fault of ours")
        own = [pair for pair in fields if pair[0] not in {b"host", b"content-length"}]
        status = {b"no": 403, b"away": 503}.get(body, 200)
        said = b"%r %b %d %b" % (own, query, len(body), body[:40])
        close = ((b"connection", b"close"),) if status == 403 else ()
        return bridge.Answer(status=status, headers=((b"x-own", b"yes"), *close), body=said)


class Wire:
    """A transport in memory."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = self.paused = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"peername": ("203.0.113.9", 5_000), "sockname": ("192.0.2.1", 80)}.get(
            name, default
        )

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def made(
    hook: Hook,
    parser: Parser,
    *,
    short: bool,
    edge: limits.Edge | None = None,
    **bounds: Any,  # noqa: ANN401 (guard.Limits)
) -> server.Server:
    route = bridge.Route(path="/hook", app=hook, post=hook.post if short else None)
    below = bridge.Route(path="/below/", app=hook, post=hook.post if short else None)
    web = app.create(routes=[route, below], channels=[], health=_fine, edge=edge)
    return server.Server(web, limits=guard.Limits(**bounds), stop_limit_s=1, parser=parser)


async def _fine() -> dict[str, object]:
    return {"ok": True}


async def turns(until: Callable[[], bool] = lambda: False) -> None:
    for _ in range(TURNS):
        if until():
            return
        await asyncio.sleep(0)


def connected(listener: server.Server) -> tuple[Any, Wire]:
    """A connection's protocol and its transport."""
    config, wire = listener._uvicorn.config, Wire()
    make: Any = config.http_protocol_class
    one = make(config=config, server_state=listener._uvicorn.server_state, app_state={})
    one.connection_made(wire)
    return one, wire


async def said(listener: server.Server, pieces: Sequence[bytes]) -> tuple[bytes, bool]:
    """All that is answered to these pieces, each given when the one before had its effect."""
    one, wire = connected(listener)
    for piece in pieces:
        await turns(lambda: not wire.paused)
        if wire.closed or wire.paused:
            break
        one.data_received(piece)
        await turns()
    await turns()
    one.connection_lost(None)
    return wire.written, wire.closed


POST = b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello"
LAST = b"GET /api/channels HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def odd(change: bytes, body: bytes = b"hello", line: bytes = b"POST /hook HTTP/1.1") -> bytes:
    return b"%b\r\nHost: x\r\n%b\r\n%b" % (line, change, body)


LENGTH = b"Content-Length: 5\r\n"
CASES: dict[str, list[bytes]] = {
    "plain": [POST],
    "twice": [POST, POST],
    "close": [odd(LENGTH + b"Connection: close\r\n")],
    "keep-alive": [odd(LENGTH + b"Connection: Keep-Alive\r\n")],
    "connection of both": [odd(LENGTH + b"Connection: keep-alive\r\nConnection: close\r\n")],
    "query": [odd(LENGTH, line=b"POST /hook?r=ab&c HTTP/1.1"), POST],
    "odd query": [odd(LENGTH, line=b"POST /hook?a#b HTTP/1.1"), POST],
    "endless query": [odd(LENGTH, line=b"POST /hook?%b HTTP/1.1" % (b"a" * 5_000))],
    "refused": [odd(b"Content-Length: 2\r\n", b"no"), POST],
    "away": [odd(b"Content-Length: 4\r\n", b"away"), POST],
    "another path": [odd(LENGTH, line=b"POST /nowhere HTTP/1.1")],
    "a path below": [odd(LENGTH, line=b"POST /below/one HTTP/1.1"), POST],
    "escaped path": [odd(LENGTH, line=b"POST /%68ook HTTP/1.1"), POST],
    "whole address": [odd(LENGTH, line=b"POST http://x/hook HTTP/1.1"), POST],
    "GET": [b"GET /hook HTTP/1.1\r\nHost: x\r\n\r\n", POST],
    "HEAD": [b"HEAD /hook HTTP/1.1\r\nHost: x\r\n\r\n", POST],
    "a page between": [POST, b"GET /api/channels HTTP/1.1\r\nHost: x\r\n\r\n", POST, POST],
    "HTTP/1.0": [odd(LENGTH, line=b"POST /hook HTTP/1.0"), POST],
    "HTTP/1.2": [odd(LENGTH, line=b"POST /hook HTTP/1.2"), POST],
    "small letters": [odd(LENGTH, line=b"post /hook HTTP/1.1")],
    "two spaces": [odd(LENGTH, line=b"POST  /hook HTTP/1.1")],
    "no host": [b"POST /hook HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"],
    "two hosts": [odd(LENGTH + b"Host: y\r\n")],
    "a header twice": [odd(LENGTH + b"A: 1\r\na: 2\r\n"), POST],
    "spaces around": [odd(b"Content-Length:   5  \r\nA:\tb \r\nB:\r\n"), POST],
    "no length": [odd(b"A: b\r\n", b""), POST],
    "length 0": [odd(b"Content-Length: 0\r\n", b""), POST],
    "length too short": [odd(b"Content-Length: 3\r\n"), POST],
    "length too long": [odd(b"Content-Length: 9\r\n"), b"POST", b" /hook"],
    "two lengths": [odd(LENGTH + b"Content-Length: 4\r\n")],
    "the same length twice": [odd(LENGTH + b"content-length: 5\r\n")],
    "length with a sign": [odd(b"Content-Length: +5\r\n")],
    "length below zero": [odd(b"Content-Length: -5\r\n")],
    "length in hexadecimal": [odd(b"Content-Length: 0x5\r\n")],
    "length with a comma": [odd(b"Content-Length: 5, 5\r\n")],
    "length of other digits": [odd(b"Content-Length: \xd9\xa5\r\n")],
    "length over all bounds": [odd(b"Content-Length: 99999999999999999999\r\n")],
    "length of a gigabyte": [odd(b"Content-Length: 1000000000\r\n")],
    "70 KB": [odd(b"Content-Length: 70000\r\n", b"x" * 70_000), POST],
    "chunked": [odd(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"), POST],
    "chunked with a length": [
        odd(LENGTH + b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n")
    ],
    "another encoding": [odd(LENGTH + b"Transfer-Encoding: gzip\r\n")],
    "expects": [odd(LENGTH + b"Expect: 100-continue\r\n", b""), b"hello", POST],
    "upgrade": [odd(LENGTH + b"Connection: upgrade\r\nUpgrade: h2c\r\n")],
    "folded": [odd(LENGTH + b"A: b\r\n c\r\n")],
    "space before the colon": [odd(b"Content-Length : 5\r\n")],
    "space in a name": [odd(LENGTH + b"A b: c\r\n")],
    "no colon": [odd(LENGTH + b"nothing\r\n")],
    "no name": [odd(LENGTH + b": b\r\n")],
    "NUL": [odd(LENGTH + b"A: b\x00c\r\n")],
    "a lone CR": [odd(LENGTH + b"A: b\rc\r\n")],
    "a lone LF": [odd(LENGTH + b"A: b\nC: d\r\n")],
    "only LF": [POST.replace(b"\r\n", b"\n")],
    "latin": [odd(LENGTH + b"A: \xe9\r\n"), POST],
    "empty lines before": [b"\r\n\r\n" + POST],
    "two hundred headers": [odd(LENGTH + b"A: b\r\n" * 200)],
    "a head of 40 KB": [odd(LENGTH + (b"A: " + b"b" * 1_000 + b"\r\n") * 40)],
    "a head of 20 KB": [odd(LENGTH + (b"A: " + b"b" * 1_000 + b"\r\n") * 20), POST],
    "TLS": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    "nonsense": [b"\x00\xff{\r\n\r\n"],
    "two in one piece": [POST + POST, POST],
    "three in one piece, the middle refused": [
        POST + odd(b"Content-Length: 2\r\n", b"no") + POST,
    ],
    "a page in one piece with it": [LAST.replace(b"close", b"keep-alive") + POST, POST],
    "with half of the next": [POST + POST[:30], POST[30:], POST],
    "body with half of the next": [POST[:-3], POST[-3:] + POST[:30], POST[30:], POST],
}
