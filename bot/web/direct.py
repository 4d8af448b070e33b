"""A connection whose webhooks are answered without uvicorn's request cycle and without ASGI.

A POST that came plainly (`posts.read`) to a route with a `post` is read, admitted, answered and
written here. All other bytes go to uvicorn's own protocol for this connection, which is made when
the first of them come; when it is between two requests the next one is looked at here again. So
uvicorn decides whatever is unusual, and every refusal is its and the application's.

`guard` watches head and body as it does with uvicorn. Here is bounded what comes after: a
connection that stays idle and an answer that takes too long, by one timer a connection that is
moved on when it rings, not at each request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, cast

import h11

from bot.contract import bridge
from bot.web import posts

_log: Final = logging.getLogger(__name__)
_CLOSE: Final = b"connection: close\r\n\r\n"


class Turn:
    """One request; `guard` asks whose turn it is."""

    __slots__ = ("client", "cut", "head", "more_body", "response_complete")

    def __init__(self, head: posts.Head, client: str | None) -> None:
        self.head = head
        self.client = client
        self.more_body = True
        self.response_complete = False
        self.cut = False


class Connection(asyncio.Protocol):
    """One connection, between `guard.Guard` and uvicorn's protocol."""

    def __init__(
        self,
        ways: posts.Posts,
        make: Callable[[], Any],
        state: Any,  # noqa: ANN401 (uvicorn's own)
        idle_s: float,
    ) -> None:
        """`make`: uvicorn's protocol for this connection; `state`: what its server knows."""
        self._ways = ways
        self._make = make
        self._state = state
        self._idle_s = idle_s
        self._limit_s = bridge.POST_LIMIT_S
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set when it is made
        self._loop = asyncio.get_running_loop()
        self._inner: Any = None
        self._is_inners = False
        self._turn: Turn | None = None
        self._task: asyncio.Task[bridge.Answer] | None = None
        self._body = b""
        self._held = b""
        self._is_choked = False
        self._is_last = False
        self._is_lost = False
        self._host = ""
        self._alarm: asyncio.TimerHandle | None = None
        self._until_s = 0.0
        # What comes through whoever stands in front: a request that was held is new to him too.
        self.again: Callable[[bytes], None] = self.data_received

    @property
    def cycle(self) -> Any:  # noqa: ANN401 (a Turn, or uvicorn's own)
        """The last request, as `guard` wants to know it."""
        return self._inner.cycle if self._is_inners else self._turn

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is made for it that its first bytes do not ask for."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._host = peer[0] if isinstance(peer, tuple) else ""
        self._state.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """The next bytes."""
        turn = self._turn
        if self._is_inners:
            if not _is_between(self._inner):
                self._inner.data_received(data)
                return
            self._take_back()
        elif turn is not None and turn.more_body:
            self._more(turn, data)
            return
        if self._is_choked or (turn is not None and not turn.response_complete):
            # One request at a time, and no answer to somebody who does not read the last.
            self._held += data
            self._transport.pause_reading()
            return
        self._begin(data)

    def _begin(self, data: bytes) -> None:
        head = self._ways.read(data)
        if head is None or len(data) > head.start + head.length:
            self._give(data)
            return
        client = self._ways.client(self._host, head.fields)
        if not self._ways.admits(client):
            self._give(data)
            return
        turn = self._turn = Turn(head, client)
        self._body = data[head.start :]
        if len(self._body) == head.length:
            self._answer(turn)

    def _more(self, turn: Turn, data: bytes) -> None:
        """The rest of a body that did not come in one piece."""
        self._body += data
        over = len(self._body) - turn.head.length
        if over > 0:
            self._held = self._body[-over:]
            self._body = self._body[:-over]
            self._transport.pause_reading()
        if over >= 0:
            self._answer(turn)

    def _answer(self, turn: Turn) -> None:
        turn.more_body = False
        body, self._body = self._body, b""
        head = turn.head
        task = self._task = self._loop.create_task(head.post(head.fields, head.query, body))
        self._state.tasks.add(task)
        self._wait(self._limit_s)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[bridge.Answer]) -> None:
        turn = self._turn
        self._task = None
        self._state.tasks.discard(task)
        self._state.total_requests += 1
        if turn is None:
            return
        if task.cancelled():
            answer = posts.AWAY
        elif (error := task.exception()) is None:
            answer = task.result()
        else:
            _log.error("a route's post raised", exc_info=error)
            answer = posts.FAULT
        turn.response_complete = True
        if not self._is_lost:
            self._write(turn, answer)
        self._ways.ended(turn.client, answer.status)

    def _write(self, turn: Turn, answer: bridge.Answer) -> None:
        raw = self._ways.written(answer, self._state.default_headers)
        closes = posts.closes(answer)
        if not closes and (self._is_last or not turn.head.keep_alive):
            head, _, body = raw.partition(b"\r\n\r\n")
            raw, closes = b"%b\r\n%b%b" % (head, _CLOSE, body), True
        self._transport.write(raw)
        if closes:
            self._transport.close()
            return
        self._wait(self._idle_s)
        if self._held:
            self._go_on()

    def _go_on(self) -> None:
        """With what came while it was not its turn."""
        if self._is_choked or (self._turn is not None and not self._turn.response_complete):
            return
        data, self._held = self._held, b""
        self._transport.resume_reading()
        if data:
            self.again(data)

    def _give(self, data: bytes) -> None:
        """These bytes are uvicorn's."""
        if self._inner is None:
            self._inner = self._make()
            self._inner.connection_made(self._transport)
            # This one stands for both: it is asked to end, and counted.
            self._state.connections.discard(self._inner)
        self._turn = None
        self._is_inners = True
        self._inner.data_received(data)
        if self._is_last:
            self._inner.shutdown()

    def _take_back(self) -> None:
        self._is_inners = False
        # Its timer for an idle connection would cut ours in mid-answer.
        self._inner._unset_keepalive_if_required()  # noqa: SLF001 (of either of uvicorn's protocols)

    def _wait(self, seconds: float) -> None:
        """At the most until then; the timer itself rings in time for the shortest wait."""
        self._until_s = self._loop.time() + seconds
        if self._alarm is None:
            self._alarm = self._loop.call_later(min(self._idle_s, self._limit_s), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        left_s = self._until_s - self._loop.time()
        if self._is_inners or self._transport.is_closing():
            return
        if left_s > 0:
            shortest = min(self._idle_s, self._limit_s, left_s)
            self._alarm = self._loop.call_later(shortest, self._ring)
        elif self._task is not None:
            self._task.cancel()
        elif self._turn is None or self._turn.response_complete:
            self._transport.close()

    def shutdown(self) -> None:
        """Uvicorn's server ends: finish what is being answered."""
        self._is_last = True
        if self._is_inners:
            self._inner.shutdown()
        elif self._turn is None or self._turn.response_complete:
            self._transport.close()

    def eof_received(self) -> None:
        """The transport closes by itself."""

    def pause_writing(self) -> None:
        """The client does not read."""
        self._is_choked = True
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """He does again."""
        self._is_choked = False
        if self._inner is not None:
            self._inner.resume_writing()
        if self._held:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """What is being stored is stored; nobody is told."""
        self._is_lost = True
        self._state.connections.discard(self)
        if self._alarm is not None:
            self._alarm.cancel()
        if self._inner is not None:
            self._inner.connection_lost(exc)


def _is_between(inner: Any) -> bool:  # noqa: ANN401 (either of uvicorn's protocols)
    """Whether all that uvicorn was given was whole requests, and all of them are answered."""
    cycle = inner.cycle
    # A body that was not read to its end leaves `more_body` standing.
    if cycle is None or not cycle.response_complete or cycle.more_body:
        return False
    conn = getattr(inner, "conn", None)
    if conn is None:
        # httptools makes a scope at the first byte of a request.
        return inner.scope is cycle.scope and not inner.pipeline
    return conn.trailing_data == (b"", False) and conn.their_state is h11.IDLE
