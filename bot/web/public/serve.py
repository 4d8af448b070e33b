"""The page over HTTP, from memory: each file is made once for a state, then only handed out.

A bare ASGI application: a page is one dictionary look-up, so that a crowd at the page costs intake
as little as can be.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
import urllib.parse
import zoneinfo
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from bot.contract import clock
from bot.store import database
from bot.web.public import site, state, words

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_KEPT_AT_MOST: Final = 256
_HEADERS: Final = (
    (b"content-security-policy", f"{site.POLICY}; frame-ancestors 'none'".encode()),
    (b"x-robots-tag", b"noindex, nofollow, noarchive, nosnippet"),
    # The state is live, so everybody asks again; what is unchanged is a 304.
    (b"cache-control", b"no-cache"),
    (b"vary", b"accept-encoding, accept-language"),
)
_Event = MutableMapping[str, Any]
PRESSED: Final = 16
"""Messages that wait for the disk when more come than it takes (at 500 a second: one or two)."""
# Then: so many pages a second, and so long for one's turn.
PRESSED_PER_S: Final = 200
PATIENCE_S: Final = 2.0


class Turns:
    """Who reads gives way to who writes: pages one after another while messages queue.

    A message that is not taken in goes back to the provider; a page can be a second late.
    """

    def __init__(
        self,
        is_pressed: Callable[[], bool],
        *,
        tick: Callable[[], float] = time.monotonic,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`tick`: seconds that only grow; `rest`: waits for that many."""
        self.is_pressed: Final = is_pressed
        self._tick, self._rest = tick, rest
        self._next_s = 0.0

    async def come(self) -> bool:
        """Wait for a turn; False at once for whoever would wait too long."""
        now_s = self._tick()
        turn_s = max(now_s, self._next_s)
        if turn_s - now_s > PATIENCE_S:
            return False
        self._next_s = turn_s + 1 / PRESSED_PER_S
        if turn_s > now_s:
            await self._rest(turn_s - now_s)
        return True


class Ready:
    """One file as it goes out, plain and compressed."""

    __slots__ = ("packed", "plain", "tag", "unchanged")

    def __init__(self, made: site.File) -> None:
        """Compressed once."""
        self.tag: Final = (
            b'"' + hashlib.blake2b(made.body, digest_size=12).hexdigest().encode() + b'"'
        )
        shared = (*_HEADERS, (b"content-type", made.type.encode()), (b"etag", self.tag))
        self.unchanged: Final = _answer(304, (*_HEADERS, (b"etag", self.tag)), b"")
        self.plain: Final = _answer(200, (*shared, _length(made.body)), made.body)
        packed = gzip.compress(made.body, 9, mtime=0)
        more = ((b"content-encoding", b"gzip"), _length(packed))
        self.packed: Final = _answer(200, (*shared, *more), packed)


class Pages:
    """The application. `has` says which paths are its own."""

    def __init__(self, files: site.Site, live: state.Live, turns: Turns | None = None) -> None:
        """Nothing is made before somebody asks. `turns`: left out, nobody waits."""
        self._files, self._live, self._turns = files, live, turns
        self._seen: state.Seen | None = None
        self._kept: dict[tuple[str, str], Ready] = {}

    def has(self, path: str) -> bool:
        """Whether a path may be one of the page's."""
        name = path[1:]
        head, slash, _ = name.partition("/")
        return (
            not name
            or name in site.FIXED
            or head in words.LANGUAGES
            or (head == "a" and bool(slash))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["method"] not in ("GET", "HEAD"):
            await _say(send, _answer(405, ((b"allow", b"GET, HEAD"), _TEXT), b"Method Not Allowed"))
            return
        path: str = scope["path"][1:]
        if path in words.LANGUAGES:
            await _say(send, _answer(307, ((b"location", f"/{path}/".encode()),), b""))
            return
        turns = self._turns
        if turns is not None and turns.is_pressed() and not await turns.come():
            await _say(send, _BUSY)
            return
        packs, tags, accepted = _asked(scope)
        seen = self._live.fresh() or await self._live()
        ready = self._ready(path, "" if path else self._language(scope, accepted), seen)
        if ready is None:
            await _say(send, _answer(404, (_TEXT,), b"Not Found"))
            return
        if tags and ready.tag in tags:
            await _say(send, ready.unchanged)
            return
        start, body = ready.packed if packs else ready.plain
        await _say(send, (start, body), without_body=scope["method"] == "HEAD")

    def _ready(self, path: str, language: str, seen: state.Seen) -> Ready | None:
        if seen != self._seen:
            self._seen = seen
            self._kept.clear()
        found = self._kept.get((path, language))
        if found is None:
            made = self._files.file(path, language, seen)
            if made is None:
                return None
            found = Ready(made)
            # Bounded by the addresses on offer; the limit is for whoever offers hundreds.
            if len(self._kept) < _KEPT_AT_MOST:
                self._kept[path, language] = found
        return found

    def _language(self, scope: Scope, accepted: str) -> str:
        """Asked for by `?lang=`, else the browser's, else the collective's."""
        query: bytes = scope.get("query_string", b"")
        if query:
            asked = urllib.parse.parse_qs(query[:200].decode("latin-1")).get("lang", [""])[0]
            if asked in words.LANGUAGES:
                return asked
        return words.chosen(accepted, self._files.setup.language)


def opened(
    setup: site.Setup,
    store: database.Store,
    zone: zoneinfo.ZoneInfo,
    moment: clock.Clock,
    waiting: Callable[[], int],
) -> Pages:
    """The pages of a running installation. `waiting`: how many messages queue to be stored."""
    live = state.Live(store, channels=setup.bridges, zone=zone, moment=moment)
    return Pages(site.Site(setup), live, Turns(lambda: waiting() >= PRESSED))


_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


def _asked(scope: Scope) -> tuple[bool, bytes, str]:
    """Whether gzip is taken, the tags that are known, the languages."""
    packs, tags, accepted = False, b"", ""
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            packs = b"gzip" in value and b"gzip;q=0" not in value.replace(b" ", b"")
        elif name == b"if-none-match":
            tags = value
        elif name == b"accept-language":
            accepted = value.decode("latin-1")
    return packs, tags, accepted


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()


def _answer(
    status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> tuple[_Event, _Event]:
    if status not in (200, 304):
        headers = (*headers, _length(body))
    start = {"type": "http.response.start", "status": status, "headers": list(headers)}
    return start, {"type": "http.response.body", "body": body}


_BUSY: Final = _answer(503, ((b"retry-after", b"2"), _TEXT), b"Many are writing; try again.")


async def _say(send: Send, answer: tuple[_Event, _Event], *, without_body: bool = False) -> None:
    start, body = answer
    await send(start)
    await send({**body, "body": b""} if without_body else body)
