"""Where the daemon listens, and how a socket to it is opened."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import urllib.parse
from typing import Final

_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
    # Unanswered for 30 + 3 * 10 s: the kernel itself gives the connection up.
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 30),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 30_000),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One of: a socket file (`path`), TCP (`host`, `port`), HTTP (`url`)."""

    path: str = ""
    host: str = ""
    port: int = 0
    url: str = ""

    @property
    def is_http(self) -> bool:
        return bool(self.url)


def read(url: str) -> Place:
    """The place that a checked setting names; ValueError for another scheme."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "unix":
        return Place(path=parts.path)
    if parts.scheme == "tcp" and parts.hostname and parts.port:
        return Place(host=parts.hostname, port=parts.port)
    if parts.scheme in {"http", "https"} and parts.hostname:
        return Place(url=url.rstrip("/"))
    raise ValueError("neither unix://, tcp:// with a port, nor http://")


async def connect(where: Place) -> socket.socket:
    """An open, non-blocking socket; OSError where nobody listens.

    A plain socket and no asyncio stream: a stream reads ahead by itself, and what it has read is
    lost when we are killed, while what stays in the daemon or at Signal is not.
    """
    loop = asyncio.get_running_loop()
    if where.path:
        return await _open(socket.AF_UNIX, where.path)
    try:  # an address needs no name server, and so no thread
        found = socket.getaddrinfo(
            where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except socket.gaierror:
        found = await loop.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    last = OSError("no address")
    for family, _, _, _, target in found:
        try:
            return await _open(family, target)
        except OSError as error:
            last = error
    raise last


async def _open(family: int, target: object) -> socket.socket:
    loop = asyncio.get_running_loop()
    opened = socket.socket(family, socket.SOCK_STREAM)
    with contextlib.ExitStack() as unless_connected:
        unless_connected.callback(opened.close)
        opened.setblocking(False)
        if family != socket.AF_UNIX:
            for level, name, value in _KEEPALIVE:
                if (option := getattr(socket, name, None)) is not None:  # Linux has them all
                    opened.setsockopt(level, option, value)
        await loop.sock_connect(opened, target)  # type: ignore[arg-type]  # a path or a pair
        unless_connected.pop_all()
    return opened
