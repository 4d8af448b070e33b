"""The connection itself: whatever comes over the wire, and however it is cut apart.

A webhook that came plainly is read without uvicorn (`bot.web.direct`, `bot.web.posts`). Two readers
that cut one stream apart in two ways are a smuggled request, so each input is judged three times:
what `posts.read` takes, h11 reads alike; what the program answers, it answers as it does without
the shorter way; and every request that was heard is one that h11 finds in the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hmac
import random
from collections.abc import MutableMapping, Sequence
from typing import Any, Final, Literal

import h11

from bot.contract import bridge
from bot.web import app, posts, server
from tools.fuzz import streams, target

_TURNS: Final = 400
_REFUSED: Final = 400
_FAULT: Final = 500


class Hook:
    """Takes what is signed, by either way in, and keeps it."""

    def __init__(self) -> None:
        """With nothing heard."""
        self.heard: list[bytes] = []
        self.taken: list[bytes] = []

    async def post(self, fields: bridge.Fields, query: bytes, body: bytes) -> bridge.Answer:
        """The shorter way."""
        del query
        self.heard.append(body)
        seals = [value for name, value in fields if name == b"x-signature"]
        if len(seals) != 1 or not hmac.compare_digest(seals[0], streams.seal(body)):
            return bridge.Answer(status=403, headers=((b"connection", b"close"),))
        self.taken.append(body)
        return bridge.Answer(status=200, body=b"stored")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
        """The longer one."""
        body, more = b"", True
        while more:
            event: MutableMapping[str, Any] = await receive()
            if event["type"] != "http.request":
                return
            body += event["body"]
            more = event["more_body"]
        told = bridge.Answer(status=405, headers=((b"connection", b"close"),))
        if scope["method"] == "POST":
            told = await self.post(scope["headers"], scope["query_string"], body)
        length = (b"content-length", str(len(told.body)).encode())
        headers = [*told.headers, length]
        await send({"type": "http.response.start", "status": told.status, "headers": headers})
        await send({"type": "http.response.body", "body": told.body})


class Wire:
    """A transport in memory."""

    def __init__(self) -> None:
        """Open."""
        self.written = b""
        self.closed = self.paused = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Somebody from outside."""
        known = {"peername": ("203.0.113.9", 5_000), "sockname": ("192.0.2.1", 80)}
        return known.get(name, default)

    def write(self, data: bytes) -> None:
        """What is said after the end is nowhere, as in asyncio."""
        if not self.closed:
            self.written += data

    def close(self) -> None:
        """The end."""
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        """As asyncio's."""
        return self.closed

    def pause_reading(self) -> None:
        """As asyncio's."""
        self.paused = True

    def resume_reading(self) -> None:
        """As asyncio's."""
        self.paused = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came of a stream: answers, whether it was closed, what was heard and stored."""

    statuses: tuple[int, ...]
    closed: bool
    heard: tuple[bytes, ...]
    taken: tuple[bytes, ...]


class Connection:
    """`bot.web.direct` behind its guard, with and without the shorter way, by both of its parsers.

    A row is right exactly when the stream holds a signature of ours over that very body.
    """

    name = "connection"

    def __init__(self) -> None:
        """Its servers are made once there is a loop."""
        self._made: dict[tuple[str, bool], tuple[server.Server, Hook]] = {}

    async def one(self, draw: random.Random) -> target.Tried:
        """One stream, cut apart at random or at every byte."""
        with contextlib.ExitStack() as undo:
            # What the next ones meet is not what a broken one left behind.
            undo.callback(self._made.clear)
            told = await self._one(draw)
            undo.pop_all()
        return told

    async def _one(self, draw: random.Random) -> target.Tried:
        stream, sealed = streams.made(draw)
        pieces = streams.cut(draw, stream)
        stream = b"".join(pieces)
        _alike(stream)
        parser: Literal["h11", "httptools"] = draw.choice(("h11", "httptools"))
        short = await self._said(parser, pieces, short=True)
        plain = await self._said(parser, pieces, short=False)
        if any(status >= _FAULT for status in (*short.statuses, *plain.statuses)):
            raise target.FaultError(f"answered {short.statuses}, {plain.statuses}")
        if not _same(short, plain):
            raise target.FaultError(f"answered {short}, without the shorter way {plain}")
        if parser == "h11" and (told := _bodies(stream)) is not None and not _begins(told, short):
            raise target.FaultError(f"heard {len(short.heard)} requests, h11 reads {len(told)}")
        if not (short.closed or short.statuses or _waits(stream)):
            raise target.FaultError("neither answered nor closed")
        rows = sum(body not in sealed for body in short.taken)
        if rows:
            return target.Tried(rows=rows)
        return target.Tried(rows=len(short.taken), signed=True, refused=not short.taken)

    async def _said(
        self, parser: Literal["h11", "httptools"], pieces: Sequence[bytes], *, short: bool
    ) -> Said:
        listener, hook = self._made.get((parser, short)) or self._opened(parser, short=short)
        hook.heard, hook.taken = [], []
        config, wire = listener._uvicorn.config, Wire()  # noqa: SLF001 (as uvicorn makes it)
        state = listener._uvicorn.server_state  # noqa: SLF001 (the same)
        make: Any = config.http_protocol_class
        one = make(config=config, server_state=state, app_state={})
        one.connection_made(wire)
        loop = asyncio.get_running_loop()
        raised: list[object] = []
        loop.set_exception_handler(lambda _loop, context: raised.append(context["message"]))
        try:
            for piece in pieces:
                await _turns(lambda: not wire.paused)
                if wire.closed or wire.paused:
                    break
                one.data_received(piece)
                await _turns(lambda: not state.tasks)
            await _turns(lambda: not state.tasks and not wire.paused)
            closed = wire.closed
            one.connection_lost(None)
            await _turns(lambda: not state.tasks)
        finally:
            loop.set_exception_handler(None)
        if raised:
            raise target.FaultError(f"the loop was told: {raised[0]}")
        if state.connections or state.tasks:
            raise target.FaultError("a connection that is gone is still counted")
        statuses = tuple(int(part[:3]) for part in wire.written.split(b"HTTP/1.1 ")[1:])
        return Said(
            statuses=statuses, closed=closed, heard=tuple(hook.heard), taken=tuple(hook.taken)
        )

    def _opened(
        self, parser: Literal["h11", "httptools"], *, short: bool
    ) -> tuple[server.Server, Hook]:
        hook = Hook()
        route = bridge.Route(path=streams.PATH, app=hook, post=hook.post if short else None)
        web = app.create(routes=[route], channels=[], health=_fine)
        made = server.Server(web, stop_limit_s=1, parser=parser), hook
        self._made[parser, short] = made
        return made


async def _fine() -> dict[str, object]:
    return {"ok": True}


async def _turns(until: Any) -> None:  # noqa: ANN401 (a callable)
    """So many rounds of the loop that whatever was begun has its end."""
    await asyncio.sleep(0)
    for _ in range(_TURNS):
        if until():
            break
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)


def _alike(stream: bytes) -> None:
    """What `posts.read` takes at its beginning is what h11 reads there."""
    hook = Hook()
    ways = posts.Posts({streams.PATH: bridge.Route(path=streams.PATH, app=hook, post=hook.post)})
    head = ways.read(stream)
    if head is None:
        return
    body = stream[head.start : head.start + head.length]
    if len(body) < head.length:
        return
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(stream[: head.start + head.length])
    try:
        asked = conn.next_event()
        parts = []
        while isinstance(event := conn.next_event(), h11.Data):
            parts.append(bytes(event.data))
    except h11.RemoteProtocolError as error:
        raise target.FaultError(f"taken, and h11 refuses it: {error}") from error
    if not isinstance(asked, h11.Request) or not isinstance(event, h11.EndOfMessage):
        raise target.FaultError("taken, and h11 waits for more")
    told = (asked.method, asked.target.partition(b"?")[0], list(asked.headers), b"".join(parts))
    if told != (b"POST", streams.PATH.encode(), [tuple(one) for one in head.fields], body):
        raise target.FaultError("taken, and h11 reads another request")
    # What the answer is followed by.
    keeps = conn.their_state is not h11.MUST_CLOSE
    if keeps != head.keep_alive:
        raise target.FaultError("taken, and h11 keeps the connection otherwise")


def _bodies(stream: bytes) -> list[tuple[bytes, bytes]] | None:
    """The requests that h11 finds in the stream, one after another, up to its first fault."""
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(stream)
    found: list[tuple[bytes, bytes]] = []
    try:
        while True:
            event = conn.next_event()
            if not isinstance(event, h11.Request):
                return found
            body = b""
            while isinstance(part := conn.next_event(), h11.Data):
                body += bytes(part.data)
            if not isinstance(part, h11.EndOfMessage):
                return found
            found.append((event.target, body))
            # A yes would let CONNECT change the protocol.
            conn.send(h11.Response(status_code=404, headers=[(b"content-length", b"0")]))
            conn.send(h11.EndOfMessage())
            conn.start_next_cycle()
    except (h11.RemoteProtocolError, h11.LocalProtocolError):
        return found


def _begins(told: Sequence[tuple[bytes, bytes]], said: Said) -> bool:
    """Whether what was heard is, in order, among what h11 found; other paths are not the hook's."""
    left = iter(body for _, body in told)
    return all(any(body == one for one in left) for body in said.heard)


def _same(one: Said, other: Said) -> bool:
    """Whether the same was heard and answered.

    Where uvicorn refuses what follows, it may do so before it has answered, or even handed on, what
    came first: then the one has heard the beginning of what the other has.
    """
    if _REFUSED in (*one.statuses, *other.statuses):
        least = min(len(one.heard), len(other.heard))
        return one.heard[:least] == other.heard[:least] and one.closed == other.closed
    return one == other


def _waits(stream: bytes) -> bool:
    """Whether no whole request has come, so that nobody owes an answer yet."""
    return not _bodies(stream)
