"""The machine's limit for such a request: the reference (b) of `bench.intake`.

A bare httptools protocol on uvloop that reads the same form, checks the same HMAC and appends the
body to one file; a thread writes and syncs what has come while the last sync went on, and then all
of those are answered. No framework, no database, no decision.

    python -m bench.bare PORT FILE
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import hashlib
import hmac
import os
import pathlib
import sys
from typing import Any
from urllib import parse

import httptools
import uvloop

from bench import forms

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 11\r\n\r\n<Response/>"
_NO = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"
_READY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Log:
    """Appends in groups: what waits during one sync is the next group."""

    def __init__(self, path: pathlib.Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._waiting: list[tuple[bytes, asyncio.Transport]] = []
        self._task: asyncio.Task[None] | None = None

    def append(self, body: bytes, transport: asyncio.Transport) -> None:
        self._waiting.append((body, transport))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = self._waiting, []
            whole = b"\n".join(body for body, _ in taken) + b"\n"
            await loop.run_in_executor(self._thread, self._write, whole)
            for _, transport in taken:
                transport.write(_OK)
        self._task = None

    def _write(self, whole: bytes) -> None:
        os.write(self._file, whole)
        os.fdatasync(self._file)


class Protocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._parser = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._body = b""
        self._signature = b""
        self._url = b""
        self._states = hmac.new(
            forms.TOKEN.encode(), (forms.PUBLIC_URL + forms.PATH).encode(), hashlib.sha1
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name == b"X-Twilio-Signature":
            self._signature = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        if self._url != forms.PATH.encode():
            self._transport.write(_READY)
            return
        signing = self._states.copy()
        signing.update(b"".join(sorted(_pairs(body))))
        if hmac.compare_digest(base64.b64encode(signing.digest()), self._signature):
            self._log.append(body, self._transport)
        else:
            self._transport.write(_NO)


def _pairs(body: bytes) -> list[bytes]:
    found = []
    for one in body.split(b"&"):
        name, _, value = one.partition(b"=")
        plain = value.replace(b"+", b" ")
        found.append(name + (parse.unquote_to_bytes(plain) if b"%" in plain else plain))
    return found


async def serve(port: int, path: pathlib.Path) -> None:
    """Until ended."""
    log = Log(path)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(log), "127.0.0.1", port, backlog=1_024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), pathlib.Path(sys.argv[2])))
