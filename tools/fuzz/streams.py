"""Streams of bytes for one connection: requests as a provider writes them, made odd, cut apart."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import random
from typing import Final

KEY: Final = b"a-secret-for-fuzzing-only"
PATH: Final = "/hook"
_BY_BYTE: Final = 1_000
_SIGNED: Final = b"X-Signature: "
_LENGTHS: Final = (
    *(b"Content-Length: 4", b"Content-Length: +3", b"Content-Length: 0003", b"Content-Length : 3"),
    *(b"Content-Length: 3, 3", b"Content-Length: -1", b"Content-Length: 99999999999999999999"),
    *(b"Content-Length:", b"Content-Length: 0x3", b"Content-Length:\x0b3", b"content-length: 3"),
)
_LINES: Final = (
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:"),
    *(
        b"Transfer_Encoding: chunked",
        b"transfer-encoding:\tchunked",
        b"Transfer-Encoding : chunked",
    ),
    *_LENGTHS,
    *(b"Expect: 100-continue", b"Connection: close", b"Connection: Upgrade", b"Upgrade: h2c"),
    *(b"Connection: keep-alive, close", b"Connection: transfer-encoding", b"Keep-Alive: 3"),
    *(b" folded", b"\tfolded", b"X: ", b"X:", b"X:\x00", b"\x00", b"A: \x80", b"A: b\x7f", b"A"),
    *(b"Host: y.example", b"Host:", b"TE: trailers", b"Trailer: a", b"HTTP2-Settings: x"),
    *(b"X-Forwarded-For: 203.0.113.9", b"A: " + b"b" * 9_000, b"A:b", b": b", b"A : b"),
)
_STARTS: Final = (
    *(b"POST /hook HTTP/1.1",) * 30,
    *(b"POST /hook?a=b&c HTTP/1.1", b"POST /hook? HTTP/1.1", b"POST /hook#a HTTP/1.1"),
    *(b"POST /hook HTTP/1.0", b"POST /hook HTTP/1.2", b"POST  /hook HTTP/1.1", b"POST /hook"),
    *(b"post /hook HTTP/1.1", b"GET /hook HTTP/1.1", b"HEAD /hook HTTP/1.1", b"GET / HTTP/1.1"),
    *(b"GET /api/channels HTTP/1.1", b"POST /%68ook HTTP/1.1", b"POST http://x/hook HTTP/1.1"),
    *(b"OPTIONS * HTTP/1.1", b"CONNECT x:1 HTTP/1.1", b"PRI * HTTP/2.0", b"POST /hook\tHTTP/1.1"),
)
_BYTES: Final = (
    *(b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\x00", b"\x0b", b"\x85", b"\xa0", b"\x7f"),
    *(b"/", b"?", b"#", b"%", b'"', b"P", b"0", b"\r\n\r\n", b"\n\n", b"3\r\nabc\r\n"),
)


def seal(body: bytes) -> bytes:
    """The provider's signature."""
    return hmac.new(KEY, body, hashlib.sha256).hexdigest().encode()


def made(draw: random.Random) -> tuple[bytes, set[bytes]]:
    """One to four requests on one connection, and the bodies that were signed."""
    sealed: set[bytes] = set()
    whole = b""
    for _ in range(draw.choice((1, 1, 2, 3, 4))):
        body = draw.choice((b"abc", b"", b"x" * 200, b"POST /hook HTTP/1.1\r\n\r\n", b"\x00\xff"))
        signed = draw.random() < 0.5  # noqa: PLR2004 (half)
        if signed:
            sealed.add(body)
        whole += _request(draw, body, seal(body) if signed else b"f" * 64)
    for _ in range(draw.choice((0, 0, 0, 1, 1, 2, 4))):
        place = draw.randrange(len(whole) + 1)
        whole = whole[:place] + draw.choice(_BYTES) + whole[place + draw.choice((0, 0, 1, 2)) :]
    return whole, sealed


def _request(draw: random.Random, body: bytes, signature: bytes) -> bytes:
    lines = [b"Host: x.example", b"Content-Type: application/json", _SIGNED + signature]
    chunked = draw.random() < 0.15  # noqa: PLR2004 (some)
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    else:
        odd = draw.random() < 0.2  # noqa: PLR2004 (some)
        lines.append(draw.choice(_LENGTHS) if odd else b"Content-Length: %d" % len(body))
    for _ in range(draw.choice((0, 0, 0, 0, 0, 1, 1, 2, 3))):
        lines.insert(draw.randrange(len(lines) + 1), draw.choice(_LINES))
    if draw.random() < 0.1:  # noqa: PLR2004 (some)
        lines.pop(draw.randrange(len(lines)))
    return b"\r\n".join((draw.choice(_STARTS), *lines, b"", body))


def cut(draw: random.Random, stream: bytes) -> list[bytes]:
    """Whole, into single bytes, or at up to five places."""
    match draw.randrange(12):
        case 0 | 1 | 2 | 3:
            return [stream]
        case 4:
            return [stream[n : n + 1] for n in range(min(len(stream), _BY_BYTE))]
    places = sorted(draw.randrange(len(stream) + 1) for _ in range(draw.randrange(1, 6)))
    bounds = [0, *places, len(stream)]
    parts = [stream[a:b] for a, b in itertools.pairwise(bounds)]
    return [part for part in parts if part]
