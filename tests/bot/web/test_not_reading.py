"""A client that asks and never reads: what he is told is not kept for ever."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from tests.bot.web import test_server
from tests.bot.web.wired import Hook, connected, made

PATIENCE_S = 30
MEGABYTES = 16


class Long:
    """Answers more than any socket holds."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
        body = b"x" * (MEGABYTES << 20)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


@pytest.mark.case("C11")
async def test_who_does_not_read_is_cut() -> None:
    async with test_server.running(Long(), "h11", read_s=0.3) as listener:
        deaf = socket.create_connection(("127.0.0.1", listener.port))
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            for _ in iter(lambda: (listener.gate.closed_late, len(listener.gate.open)), (1, 0)):
                await asyncio.sleep(0)
        deaf.close()
        assert listener.gate.closed_late == 1


async def test_who_reads_again_in_time_is_not() -> None:
    """The time of a stall ends with it."""
    one, _ = connected(made(Hook(), "h11", short=True, read_s=60))
    one.pause_writing()
    stalled = one._stalled
    one.resume_writing()
    assert stalled.cancelled()
    one.connection_lost(None)
