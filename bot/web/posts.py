"""What a webhook's request is on the wire, for those that are read without uvicorn (`direct`).

`read` knows only what a provider or a proxy writes in one piece and plainly: everything else (a
chunked body, a second length, a folded or misspelt line, whatever is pipelined) is None and is
uvicorn's to judge, so that no request can be cut apart in two ways.
"""

from __future__ import annotations

import http
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from bot.contract import bridge
from bot.web import limits, strict

MAX_HEAD_BYTES: Final = 8_192
MAX_LINES: Final = 64
MAX_BODY_BYTES: Final = 65_536
RETRY_AFTER_S: Final = 5
_END: Final = b"\r\n\r\n"
_LINE: Final = b"\r\n"
_START: Final = b"POST "
_VERSION: Final = b" HTTP/1.1"
_TARGET: Final = re.compile(rb"[!\"$-~]+\Z")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([!-~](?:[ -~]*[!-~])?|)")
_LENGTH: Final = re.compile(rb"[0-9]{1,7}\Z")
_ONCE: Final = (b"content-length", b"host", b"connection")
# Of these uvicorn knows what to do.
_NOT_HERE: Final = frozenset(
    (b"transfer-encoding", b"expect", b"upgrade", b"trailer", b"te", b"http2-settings")
)
# Lines that say the same in every request of one provider, and nothing of a person.
_ALIKE: Final = frozenset(
    (
        *(b"host", b"accept", b"user-agent", b"content-type", b"accept-encoding", b"connection"),
        *(b"x-forwarded-proto", b"x-forwarded-host", b"via", b"cache-control"),
    )
)
_LONGEST_KNOWN: Final = 128
_MOST_KNOWN: Final = 256
_KEEP: Final = {b"keep-alive": True, b"close": False}
_known: dict[bytes, tuple[bytes, bytes]] = {}

AWAY: Final = bridge.Answer(
    status=503,
    headers=(
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"retry-after", str(RETRY_AFTER_S).encode()),
    ),
)
FAULT: Final = bridge.Answer(
    status=500,
    headers=((b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")),
    body=b"Internal Server Error",
)


class Head(NamedTuple):
    """A request's beginning. `start`, `length`: of the body in the bytes that were read."""

    post: bridge.Post
    fields: Sequence[tuple[bytes, bytes]]
    query: bytes
    keep_alive: bool
    start: int
    length: int


class Posts:
    """The routes that have a shorter way, and what goes around every answer."""

    def __init__(
        self,
        routes: Mapping[str, bridge.Route],
        edge: limits.Edge | None = None,
        headers: strict.Strict | None = None,
    ) -> None:
        """`routes` by path; a path that takes everything below it is not for here."""
        self._posts = {
            path.encode(): route.post
            for path, route in routes.items()
            if route.post is not None and not path.endswith("/")
        }
        # As most requests begin, to the letter.
        self._lines = {_START + path + _VERSION: post for path, post in self._posts.items()}
        self._edge = edge
        self._strict = headers or strict.Strict()
        self._kept: tuple[bridge.Answer | None, object, bytes] = (None, None, b"")

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._posts)

    def read(self, data: bytes) -> Head | None:
        """The head at the beginning of these bytes; None for whatever is not ours to read."""
        end = data.find(_END, 0, MAX_HEAD_BYTES)
        if end < 0:
            return None
        lines = data[:end].split(_LINE)
        first = lines[0]
        post, query = self._lines.get(first), b""
        if post is None:
            post, query = self._find(first)
        if post is None or len(lines) > MAX_LINES:
            return None
        try:
            fields = [_known.get(line) or _field(line) for line in lines[1:]]
        except ValueError:
            return None
        found = dict(fields)
        if len(found) != len(fields) and any(_times(fields, name) > 1 for name in _ONCE):
            return None
        length = found.get(b"content-length", b"")
        keep = _KEEP.get(found.get(b"connection", b"keep-alive").lower())
        if (
            keep is None
            or b"host" not in found
            or not _LENGTH.match(length)
            or not _NOT_HERE.isdisjoint(found)
        ):
            return None
        size = int(length)
        return None if size > MAX_BODY_BYTES else Head(post, fields, query, keep, end + 4, size)

    def _find(self, line: bytes) -> tuple[bridge.Post | None, bytes]:
        """By a request line with a query."""
        if not line.startswith(_START) or not line.endswith(_VERSION):
            return None, b""
        target = line[len(_START) : -len(_VERSION)]
        path, _, query = target.partition(b"?")
        if len(target) > limits.MAX_TARGET_BYTES or not _TARGET.match(target):
            return None, b""
        return self._posts.get(path), query

    def client(self, host: str, fields: bridge.Fields) -> str | None:
        """As limits.Edge.client."""
        return None if self._edge is None else self._edge.named(host, fields)

    def admits(self, client: str | None) -> bool:
        """Whether he may ask; who may not is told so by the longer way."""
        return self._edge is None or client is None or self._edge.admits(client)

    def ended(self, client: str | None, status: int) -> None:
        """As limits.Edge.ended."""
        if self._edge is not None and client is not None:
            self._edge.ended(client, status, "POST")

    def written(self, answer: bridge.Answer, before: Sequence[tuple[bytes, bytes]]) -> bytes:
        """An answer as bytes. `before`: the server's own headers, another list each second."""
        kept, of, raw = self._kept
        if kept is answer and of is before:
            return raw
        length = (b"content-length", str(len(answer.body)).encode())
        lines = [*before, *self._strict.added([*answer.headers, length])]
        reason = http.HTTPStatus(answer.status).phrase.encode()
        head = [b"HTTP/1.1 %d %b" % (answer.status, reason)]
        head += [b"%b: %b" % line for line in lines]
        raw = _LINE.join((*head, b"", answer.body))
        self._kept = (answer, before, raw)
        return raw


def of(app: object) -> Posts:
    """Those of an application, none of one that has no shorter ways."""
    found = getattr(app, "posts", None)
    return found if isinstance(found, Posts) else Posts({})


def closes(answer: bridge.Answer) -> bool:
    """Whether the connection ends with it."""
    return (b"connection", b"close") in answer.headers


def _field(line: bytes) -> tuple[bytes, bytes]:
    """One header; ValueError for what is not spelt as it should."""
    found = _FIELD.fullmatch(line)
    if found is None:
        raise ValueError("no plain header")
    pair = found[1].lower(), found[2]
    if pair[0] in _ALIKE and len(line) <= _LONGEST_KNOWN:
        # Anybody may make lines up, but not fill the memory with them.
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[line] = pair
    return pair


def _times(fields: Sequence[tuple[bytes, bytes]], name: bytes) -> int:
    return sum(one == name for one, _ in fields)
