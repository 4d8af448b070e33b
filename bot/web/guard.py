"""Between the socket and uvicorn: clients that connect and then let us wait.

uvicorn ends idle connections after an answer, but waits for ever for the first request's head
and for a body (slow loris). One guard a connection keeps the times below; they are counted from
the start of the phase and dribbling does not renew them. When all places are taken, the
connection that has let us wait longest (for a first head, for a body, for another request) makes
place for the newcomer, so that an attacker who hoards connections throws out his own; a request
that is being answered is never thrown out.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Callable
from typing import Any, Final, cast

import h11

from bot.web import clients

HEAD: Final = "head"
BODY: Final = "body"
BUSY: Final = "busy"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`max_connections` at once, `max_by_address` of one client.

    Seconds for a head, a body, and a client that does not read.
    """

    max_connections: int = 1_000
    max_by_address: int = 200
    head_s: float = 10.0
    body_s: float = 10.0
    read_s: float = 30.0
    idle_s: int = 5
    head_bytes: int = 65_536


class Gate:
    """All connections of one server, in the order in which their present phases began."""

    def __init__(self, limits: Limits, who: clients.Clients | None = None) -> None:
        """Empty. `who`: names clients; proxies and neighbours have no limit of their own."""
        self.limits = limits
        self.open: collections.OrderedDict[Guard, None] = collections.OrderedDict()
        self._who = who or clients.Clients()
        self._by_client: collections.Counter[str] = collections.Counter()
        self.closed_late = 0
        self.closed_full = 0
        self.closed_greedy = 0

    def enter(self, guard: Guard) -> bool:
        """Whether the newcomer may stay; somebody else may have to go for it."""
        guard.client = self._who.peer(guard.host)
        if guard.client is not None:
            if self._by_client[guard.client] >= self.limits.max_by_address:
                self.closed_greedy += 1
                guard.client = None
                return False
            self._by_client[guard.client] += 1
        if len(self.open) >= self.limits.max_connections:
            self.closed_full += 1
            oldest = next((one for one in self.open if one.lets_us_wait()), None)
            if oldest is None:
                self._forget(guard)
                return False
            # Not chosen again before its loss is told.
            del self.open[oldest]
            oldest.abort()
        self.open[guard] = None
        return True

    def turned(self, guard: Guard) -> None:
        """A new phase began there."""
        if guard in self.open:
            self.open.move_to_end(guard)

    def leave(self, guard: Guard) -> None:
        """The connection is gone."""
        self.open.pop(guard, None)
        self._forget(guard)

    def _forget(self, guard: Guard) -> None:
        client, guard.client = guard.client, None
        if client is not None:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]


class Guard(asyncio.Protocol):
    """Hands everything on to uvicorn's protocol and watches the time."""

    def __init__(self, gate: Gate, inner: Any) -> None:  # noqa: ANN401 (one of uvicorn's protocols)
        """`inner`: uvicorn's protocol for this connection."""
        self._gate = gate
        self._inner = inner
        self.client: str | None = None
        self.host = ""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._phase: tuple[str, object] = (BUSY, None)
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the first head's time, or send the newcomer away."""
        # uvloop's is one by its methods, not by its class.
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.host = peer[0] if isinstance(peer, tuple) else ""
        self._inner.connection_made(transport)
        if self._gate.enter(self):
            self._watch()
        else:
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Pass on, then see whose turn it is."""
        waited_for_head = self._now()[0] == HEAD
        try:
            self._inner.data_received(data)
        except h11.LocalProtocolError:
            # uvicorn would refuse what it has answered already, or may not answer with a body.
            if self._transport is not None:
                self._transport.close()
            return
        self._watch()
        self._head_bytes = self._head_bytes + len(data) if waited_for_head else 0
        if self._phase[0] != HEAD:
            self._head_bytes = 0
        elif self._head_bytes > self._gate.limits.head_bytes:
            self._late()

    def eof_received(self) -> bool | None:
        """Pass on."""
        passed: bool | None = self._inner.eof_received()
        return passed

    def pause_writing(self) -> None:
        """The client does not read what we send: give it a while."""
        self._inner.pause_writing()
        self._stalled = self._later(self._gate.limits.read_s, self._late)

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._stalled is not None:
            self._stalled.cancel()
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back the place."""
        for timer in (self._timer, self._stalled):
            if timer is not None:
                timer.cancel()
        self._gate.leave(self)
        self._inner.connection_lost(exc)

    def lets_us_wait(self) -> bool:
        """Whether it is the client's turn."""
        return self._now()[0] != BUSY

    def abort(self) -> None:
        """Cut the connection, unsent bytes and all."""
        if self._transport is not None:
            self._transport.abort()

    def _now(self) -> tuple[str, object]:
        """Whose turn it is, and in which request: HEAD and BODY are the client's."""
        cycle = self._inner.cycle
        if cycle is None or cycle.response_complete:
            return HEAD, cycle
        return (BODY if cycle.more_body else BUSY), cycle

    def _watch(self) -> None:
        """Start the time of a new phase; within one phase it runs on."""
        phase = self._now()
        if phase[0] == self._phase[0] and phase[1] is self._phase[1]:
            return
        self._phase = phase
        self._gate.turned(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        limits = self._gate.limits
        if phase[0] != BUSY:
            seconds = limits.head_s if phase[0] == HEAD else limits.body_s
            self._timer = self._later(seconds, self._over)

    def _over(self) -> None:
        """Time is up: cut, unless the phase ended without a byte from the client (an answer)."""
        phase = self._now()
        if phase[0] == self._phase[0] and phase[1] is self._phase[1]:
            self._late()
        else:
            self._watch()

    def _late(self) -> None:
        self._gate.closed_late += 1
        self.abort()

    @staticmethod
    def _later(seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, act)
