"""A TCP line to the real daemon that goes dead without a word, as when a host vanishes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Line:
    """`async with Line(port) as line`; connect to `line.port`; `line.die()` and nothing passes."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._dead = False
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    def die(self) -> None:
        """Connections stay open, and nothing comes through any more."""
        self._dead = True

    def live(self) -> None:
        """New connections pass again."""
        self._dead = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, there]
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(self._pass(reader, there), self._pass(there_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            if not self._dead:
                writer.write(chunk)
                await writer.drain()
        writer.close()
