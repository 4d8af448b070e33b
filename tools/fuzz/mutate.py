"""Valid inputs made odd: by their bytes, by their tokens, and by their structure."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any, Final

TOKENS: Final = (
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\xe2\x80\xae", b"\r\n", b"\n"),
    *(b"9" * 5_000, b"-1", b"1e999", b"1e-999999999999", b"0x10", b"NaN", b"Infinity", b"-0"),
    *(b"[" * 3_000, b'{"a":' * 3_000, b"{}", b"[]", b"null", b"true", b'""', b"'''", b'"""'),
    *(b'"from":"x",', b'"from":"y",', b"%00", b"%s%n", b"{0}", b"${x}", b"../../etc/passwd"),
    *(b"A" * 20_000, "é€😀".encode(), b"2026-02-30T25:61:61", b"0000-00-00", b"+", b"="),
)
TEXTS: Final = (
    *("", " ", "\x00", "\ud800", "\udfff\ud800", "a" * 5_000, "é€😀", "\u202e", "\n", "-", "+"),
    *("null", "9" * 5_000, "1e999", "../..", "+33639980001", "+" + "9" * 400, "@a:b", "@:", ":"),
    *("2026-11-01T12:00:00+00:00", "9999-12-31T23:59:59-23:59", "0001-01-01", "STOP", "!pause"),
)
NUMBERS: Final = (
    *(0, 1, -1, 2**31, 2**53, 2**63, 10**30, -(10**30), 10**400, 0.5, -0.0, 1e308, 1e-308),
    *(float("inf"), float("-inf"), float("nan"), 253_402_300_799_000, 253_402_300_800_000),
)

_DEEP: Final = 3


def odd(draw: random.Random, depth: int = 0) -> Any:  # noqa: ANN401 (JSON)
    """A value that nobody expects there."""
    kind = draw.randrange(8)
    if kind < 5 or depth >= _DEEP:  # noqa: PLR2004 (the plain ones)
        pool: Sequence[object] = ((None, True, False), NUMBERS, NUMBERS, TEXTS, TEXTS)[kind % 5]
        return draw.choice(pool)
    if kind == 5:  # noqa: PLR2004 (the next)
        return nested(draw.choice((1, 3, 50, 120)), draw.choice((0, "x", None)))
    many = range(draw.randrange(4))
    if kind == 6:  # noqa: PLR2004 (the next)
        return [odd(draw, depth + 1) for _ in many]
    return {draw.choice(TEXTS[:14]): odd(draw, depth + 1) for _ in many}


def nested(depth: int, inside: Any) -> Any:  # noqa: ANN401 (JSON)
    """Lists in lists."""
    for _ in range(depth):
        inside = [inside]
    return inside


def structure(draw: random.Random, value: Any) -> Any:  # noqa: ANN401 (JSON)
    """The same JSON with one to three places changed."""
    told = copy.deepcopy(value)
    for _ in range(draw.choice((1, 1, 2, 3))):
        spots = list(_spots(told))
        if not spots:
            return odd(draw)
        holder, key = draw.choice(spots)
        match draw.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[draw.choice(TEXTS)] = holder.pop(key)
            case 2:
                other, name = draw.choice(spots)
                if other is not holder:
                    holder[key] = copy.deepcopy(other[name])
            case _:
                holder[key] = odd(draw)
    return told


def _spots(value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        for key, below in value.items():
            yield value, key
            yield from _spots(below)
    elif isinstance(value, list):
        for place, below in enumerate(value[:20]):
            yield value, place
            yield from _spots(below)


def raw(draw: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The same bytes with one to four faults."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        here, there = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
        match draw.randrange(7):
            case 0:
                data = data[:here] + draw.choice(TOKENS) + data[here:]
            case 1:
                data = data[:here] + draw.choice(TOKENS) + data[there:]
            case 2:
                data = data[:here]
            case 3:
                data = data[:here] + draw.randbytes(draw.choice((1, 2, 8))) + data[there:]
            case 4:
                data = data[:there] + data[here:there] * draw.choice((1, 2, 30)) + data[there:]
            case 5:
                other = draw.choice(others)
                data = data[:here] + other[draw.randrange(len(other) + 1) :]
            case _ if data:
                flipped = bytearray(data)
                flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
                data = bytes(flipped)
    return data[:200_000]


def twice(draw: random.Random, data: bytes) -> bytes:
    """A key that stands there twice, with another value the second time."""
    place = data.find(b"{", draw.randrange(len(data) + 1))
    name = draw.choice((b"id", b"from", b"event", b"payload", b"envelope", b"content", b"data"))
    added = b'"%b":%b,' % (name, draw.choice((b"null", b"{}", b'"x"', b"[]", b"1")))
    return data if place < 0 else data[: place + 1] + added + data[place + 1 :]


def dumped(value: Any) -> bytes:  # noqa: ANN401 (JSON)
    """JSON in ASCII, so that a half surrogate can stand in it."""
    return json.dumps(value).encode()


def json_of(draw: random.Random, corpus: Sequence[Any]) -> bytes:
    """One of the corpus as it is, or changed in one of the ways above."""
    value = draw.choice(corpus)
    kind = draw.randrange(10)
    if kind == 0:
        return dumped(value)
    if kind < 7:  # noqa: PLR2004 (most)
        return dumped(structure(draw, value))
    data = dumped(value)
    return twice(draw, data) if kind == 7 else raw(draw, data, [dumped(v) for v in corpus])  # noqa: PLR2004
