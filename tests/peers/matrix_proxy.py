"""A bad line in front of a homeserver: passes requests on, or fails them as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from aiohttp import web

Fault = Callable[[str, str], "web.Response | str | None"]
CUT = "cut"
HANG = "hang"
_KEPT = ("Content-Type", "Authorization")


class Proxy:
    """`fault(method, path)` gives an answer of its own, CUT, HANG, or None to pass the request on.

    `heard(path, asked, told)` is shown the JSON of each PUT that went through.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._session: aiohttp.ClientSession | None = None
        self.fault: Fault = lambda _method, _path: None
        self.heard: Callable[[str, Any, Any], None] = lambda _path, _asked, _told: None
        self.seen: list[tuple[str, str]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.seen.append((request.method, path))
        told = self.fault(request.method, path)
        if isinstance(told, web.Response):
            return told
        if told == HANG:
            await asyncio.Event().wait()
        if told == CUT:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.Event().wait()
        assert self._session is not None
        headers = {key: request.headers[key] for key in _KEPT if key in request.headers}
        async with self._session.request(
            request.method,
            f"{self._target}{request.raw_path}",
            data=await request.read(),
            headers=headers,
        ) as answer:
            body = await answer.read()
            if request.method == "PUT" and answer.status == 200:
                self.heard(path, json.loads(await request.read()), json.loads(body))
            return web.Response(status=answer.status, body=body, content_type=answer.content_type)

    def count(self, end: str) -> int:
        """How many requests had a path with this end."""
        return sum(path.endswith(end) for _, path in self.seen)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        """Listens on loopback until the block ends."""
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{tail:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        async with aiohttp.ClientSession() as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
            self.url = f"http://127.0.0.1:{port}"
            try:
                yield self
            finally:
                await runner.cleanup()


def limited(retry_after_ms: int) -> web.Response:
    """429 as Synapse says it."""
    return web.json_response(
        {"errcode": "M_LIMIT_EXCEEDED", "error": "slow", "retry_after_ms": retry_after_ms},
        status=429,
    )


def logged_out() -> web.Response:
    """401 for a token that is gone."""
    return web.json_response({"errcode": "M_UNKNOWN_TOKEN", "error": "who?"}, status=401)
