"""The HTTP side of the fake daemon: `/api/v1/rpc`, `/api/v1/events`, `/api/v1/check`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Self

from aiohttp import web

from tests.peers import signal_cli_fake


class _Listener(signal_cli_fake.Client):
    """Somebody at `/api/v1/events`: what is said to a subscriber goes out as an event."""

    def __init__(self, stream: web.StreamResponse) -> None:
        self.written: list[int] = []
        self.subscription: int | None = 0
        self.ended = ""
        self.parted = False
        self.stream = stream
        self.over = asyncio.Event()

    async def say(self, raw: bytes) -> None:
        event = json.loads(raw)["params"]["result"]
        await self.stream.write(b"event:receive\ndata:" + json.dumps(event).encode() + b"\n\n")

    def cut(self, why: str) -> None:
        self.ended = self.ended or why
        self.over.set()

    def close(self, *, reset: bool) -> None:
        self.over.set()


class FakeHttp(signal_cli_fake.FakeDaemon):
    """`async with FakeHttp() as daemon`."""

    def __init__(self) -> None:
        super().__init__()
        self._runner: web.AppRunner | None = None
        self.http_port = 0
        self.rpc_status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        app = web.Application()
        app.router.add_post("/api/v1/rpc", self._rpc)
        app.router.add_get("/api/v1/events", self._events)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.http_port)
        await site.start()
        self.http_port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *why: object) -> None:
        await super().__aexit__(*why)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _rpc(self, request: web.Request) -> web.Response:
        said: list[bytes] = []

        class Once(_Listener):
            async def say(self, raw: bytes) -> None:
                said.append(raw)

        await self._act(Once(web.StreamResponse()), await request.json())
        headers = {"Content-Type": "application/json"}
        return web.Response(status=self.rpc_status, body=b"".join(said), headers=headers)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("account") != signal_cli_fake.OURS:
            return web.Response(status=400)
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        listener = _Listener(stream)
        self.clients.append(listener)
        self._arrived.set()
        try:
            with contextlib.suppress(ConnectionError):
                await listener.over.wait()
        finally:
            listener.subscription = None
            listener.ended = listener.ended or "ours"
        return stream
