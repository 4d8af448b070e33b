"""uvicorn inside our own loop: the application owns signals, logging and the order of the end.

Limits against slow and greedy clients are `guard.Limits`. TLS is the reverse proxy's (docs).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, cast

import uvicorn

from bot.contract import bridge
from bot.web import clients, direct, guard, posts

BACKLOG: Final = 1_024
STOP_LIMIT_S: Final = 10


class Server:
    """One listener. Call `bind` first (it gives the port), then `serve` in a task, then `stop`."""

    def __init__(
        self,
        app: bridge.AsgiApp,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: guard.Limits | None = None,
        stop_limit_s: int = STOP_LIMIT_S,
        parser: Literal["auto", "h11", "httptools"] = "auto",
        trusted: Sequence[str] = (),
    ) -> None:
        """`port` 0 takes any free one; `stop_limit_s`: what running requests get at the end.

        `parser`: httptools where it is installed (the `fast` extra), else h11; both are tested.
        `trusted`: proxies, whose connections are not counted by address. Raises ValueError.
        """
        self._host, self._wanted_port = host, port
        self.gate = guard.Gate(limits or guard.Limits(), clients.Clients(trusted))
        config = uvicorn.Config(
            cast("Any", app),
            http=parser,
            lifespan="off",
            ws="none",
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            # uvicorn counts those that the gate has cut until the loop tells it of their loss; a
            # whole backlog may come before, and the newcomer must not be turned away for it.
            limit_concurrency=self.gate.limits.max_connections + BACKLOG + 1,
            timeout_keep_alive=self.gate.limits.idle_s,
            timeout_graceful_shutdown=stop_limit_s,
        )
        config.load()
        config.http_protocol_class = cast(
            "type[asyncio.Protocol]",
            functools.partial(_guarded, self.gate, posts.of(app), config.http_protocol_class),
        )
        self._uvicorn = _Quiet(config)
        self._socket: socket.socket | None = None
        self._port: int | None = None

    @property
    def port(self) -> int:
        """The port that `bind` took, also after the end."""
        return self.bind() if self._port is None else self._port

    def bind(self) -> int:
        """Take the port now; raises OSError while somebody can still be told. Idempotent."""
        if self._socket is None:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            # The protocol is named, or asyncio never sets TCP_NODELAY: 40 ms on every answer.
            listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((self._host, self._wanted_port))
            except OSError:
                listener.close()
                raise
            listener.setblocking(False)
            self._socket = listener
        port: int = self._socket.getsockname()[1]
        self._port = port
        return port

    async def serve(self) -> None:
        """Answer requests until `stop`. Cancelled, it cuts every connection at once."""
        self.bind()
        if self._socket is None:
            raise RuntimeError("bind took no socket")
        try:
            await self._uvicorn.serve(sockets=[self._socket])
        finally:
            self._uvicorn.listening.clear()
            for server in getattr(self._uvicorn, "servers", ()):
                server.close()
            for open_one in list(self.gate.open):
                open_one.abort()
            self._socket.close()

    async def ready(self) -> None:
        """Wait until requests are taken."""
        await self._uvicorn.listening.wait()

    def stop(self) -> None:
        """Let `serve` take no more connections, finish what runs within the limit, and return."""
        self._uvicorn.should_exit = True


class _Quiet(uvicorn.Server):
    """uvicorn that leaves the signals alone and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None of them: `bot.app` owns the signals."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so when it is done."""
        await super().startup(sockets)
        self.listening.set()


def _guarded(
    gate: guard.Gate,
    ways: posts.Posts,
    protocol: type[Any],
    **wiring: Any,  # noqa: ANN401 (uvicorn's own)
) -> guard.Guard:
    """A connection's protocol, as uvicorn asks for it."""
    if not ways:
        return guard.Guard(gate, protocol(**wiring))
    state, idle_s = wiring["server_state"], gate.limits.idle_s
    made = direct.Connection(ways, lambda: protocol(**wiring), state, idle_s)
    outer = guard.Guard(gate, made)
    made.again = outer.data_received
    return outer
