"""The network in memory: requests of the real bridges end in a function, webhooks in their routes.

A `Session` stands where a bridge has aiohttp's. It keeps the time limits that it is given, in
virtual time, and fails in the ways of a network; what the other end did by then is its affair.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json as jsons
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any

import aiohttp

from bot.contract import bridge


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as the other end reads it. `form`: of a body of that type."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:  # noqa: ANN401 (JSON)
        return jsons.loads(self.body)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer."""

    status: int = 200
    json: object = dataclasses.field(default_factory=dict)
    raw: bytes | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.raw if self.raw is not None else jsons.dumps(self.json).encode()


Other = Callable[[Asked], Awaitable[Told]]


class AbsentError(aiohttp.ClientConnectorError):
    """Nobody listens there: nothing was asked."""

    def __init__(self) -> None:
        OSError.__init__(self, "refused")

    def __str__(self) -> str:
        return "refused"


class CutError(aiohttp.ServerDisconnectedError):
    """The connection ended before the answer."""


async def never() -> None:
    """Hang; only a time limit or a crash ends it."""
    await asyncio.Event().wait()


class _Content:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._body

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), size):
            yield self._body[start : start + size]

    async def read(self, size: int = -1) -> bytes:
        del size
        return self._body


class _Answer:
    def __init__(self, told: Told) -> None:
        self.status = told.status
        self.headers = dict(told.headers)
        self.content = _Content(told.body)

    async def read(self) -> bytes:
        return await self.content.read()


class _Exchange:
    """`async with session.request(...) as answer`."""

    def __init__(self, other: Other, asked: Asked, limit_s: float | None) -> None:
        self._other, self._asked, self._limit_s = other, asked, limit_s

    async def __aenter__(self) -> _Answer:
        async with asyncio.timeout(self._limit_s):
            return _Answer(await self._other(self._asked))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return


class Session:
    """What the bridges use of aiohttp.ClientSession."""

    closed = False

    def __init__(self, other: Other, stretch: Callable[[Asked], float] = lambda _: 1) -> None:
        """`stretch`: how many times longer the limit of a request is (idle long polls)."""
        self._other, self._stretch = other, stretch

    def request(
        self,
        method: str,
        url: object,
        *,
        params: Any = None,  # noqa: ANN401 (a mapping, or pairs)
        data: Mapping[str, str] | bytes | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
        allow_redirects: bool = False,
    ) -> _Exchange:
        del headers, allow_redirects
        parts = urllib.parse.urlsplit(str(url))
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        body = data if isinstance(data, bytes) else b""
        if isinstance(data, Mapping):
            body = urllib.parse.urlencode(data).encode()
        elif json is not None:
            body = jsons.dumps(json).encode()
        asked = Asked(
            method=method.upper(),
            path=urllib.parse.unquote(parts.path),
            query={**query, **_query(params)},
            body=body,
        )
        total_s = timeout.total if timeout is not None else None
        return _Exchange(self._other, asked, total_s and total_s * self._stretch(asked))

    async def close(self) -> None:
        return


def _query(params: Any) -> dict[str, str]:  # noqa: ANN401 (a mapping, or pairs)
    """A name that stands there several times has its values joined."""
    found: dict[str, str] = {}
    pairs = params.items() if isinstance(params, Mapping) else params or ()
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else str(value)
    return found


async def post(
    app: bridge.AsgiApp, path: str, body: bytes, headers: Mapping[str, str], query: str = ""
) -> int:
    """One webhook; the status that the route answered."""
    status = 0
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:  # noqa: ANN401 (ASGI)
        if not waiting:
            await never()
        return waiting.pop()

    async def send(event: Any) -> None:  # noqa: ANN401 (ASGI)
        nonlocal status
        status = event.get("status", status)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
    }
    await app(scope, receive, send)
    return status
