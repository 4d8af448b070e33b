"""The load: so many connections, each with one request at a time, in a process of its own.

    python -m bench.load '{"port": 8080, "connections": 64, "seconds": 4, "run": 1}'

Prints `ready` when all requests are made and waits for a line; then prints one JSON object. An
`id` file, if named, gets the id of every message that was answered with 200, for the check that
nothing is lost. A server that closes after each answer (the tutorial's does) is connected to anew.
"""

from __future__ import annotations

import asyncio
import collections
import json
import pathlib
import sys
import time
from typing import Any, Final

import uvloop

from bench import forms

_WARM_S: Final = 0.5
# More than any server here answers; what is left over costs a little time before the start only.
_MOST_PER_S: Final = 16_000
_GONE_AFTER_S: Final = 5.0


class Tally:
    """What came of it, from the end of the warm-up on."""

    def __init__(self, requests: collections.deque[tuple[str, bytes]]) -> None:
        self.requests = requests
        self.from_s = 0.0
        self.ends_s = 0.0
        self.waits_s: list[float] = []
        self.accepted: list[str] = []
        self.statuses: collections.Counter[int] = collections.Counter()
        self.cut = 0


class Connection(asyncio.Protocol):
    """Sends one, waits for its answer, sends the next."""

    def __init__(self, tally: Tally, port: int, over: asyncio.Future[None]) -> None:
        self._tally = tally
        self._port = port
        self._over = over
        self._transport: Any = None
        self._buffer = b""
        self._sid = ""
        self._sent_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        now_s = time.perf_counter()
        if now_s >= self._tally.ends_s or not self._tally.requests:
            self._transport.close()
            return
        self._sid, request = self._tally.requests.popleft()
        self._sent_s = now_s
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        length = lowered.partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(rest) < int(length):
            return
        self._buffer = b""
        self._count(int(head[9:12]))
        if b"\r\nconnection: close" in lowered:
            self._transport.close()
        else:
            self._next()

    def _count(self, status: int) -> None:
        tally, now_s = self._tally, time.perf_counter()
        if status == 200:
            tally.accepted.append(self._sid)
        self._sid = ""
        if self._sent_s >= tally.from_s and now_s <= tally.ends_s:
            tally.statuses[status] += 1
            tally.waits_s.append(now_s - self._sent_s)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sid:
            self._tally.cut += 1
            self._sid = ""
        if time.perf_counter() >= self._tally.ends_s or not self._tally.requests or exc:
            if not self._over.done():
                self._over.set_result(None)
            return
        asyncio.get_running_loop().create_task(self._again())

    async def _again(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        except OSError:
            # Killed under the load, which is what some runs are for.
            if not self._over.done():
                self._over.set_result(None)


async def run(told: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Do as told: the ids that were accepted, and figures for the time after the warm-up."""
    sender = forms.Sender(told["run"], told.get("known", forms.PEOPLE))
    seconds = told["seconds"]
    wanted = int((seconds + _WARM_S) * told.get("most_per_s", _MOST_PER_S))
    tally = Tally(collections.deque(sender.request() for _ in range(wanted)))
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    busy_s = time.process_time()
    start_s = time.perf_counter()
    tally.from_s = start_s + _WARM_S
    tally.ends_s = tally.from_s + seconds
    overs = []
    for _ in range(told["connections"]):
        over = loop.create_future()
        overs.append(over)
        one = Connection(tally, told["port"], over)
        await loop.create_connection(lambda one=one: one, "127.0.0.1", told["port"])  # type: ignore[misc]
    await asyncio.wait(overs, timeout=seconds + _WARM_S + _GONE_AFTER_S)
    waits = sorted(tally.waits_s)
    return tally.accepted, {
        "per_s": tally.statuses[200] / seconds,
        "p50_ms": _at(waits, 0.5) * 1000,
        "p99_ms": _at(waits, 0.99) * 1000,
        "longest_ms": _at(waits, 1.0) * 1000,
        "statuses": {str(status): n for status, n in tally.statuses.items()},
        "accepted": len(tally.accepted),
        "cut": tally.cut,
        "ran_out": not tally.requests,
        "load_busy": (time.process_time() - busy_s) / (time.perf_counter() - start_s),
    }


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


if __name__ == "__main__":
    wanted_ = json.loads(sys.argv[1])
    ids, figures = uvloop.run(run(wanted_))
    if wanted_.get("ids"):
        pathlib.Path(wanted_["ids"]).write_text("\n".join(ids), encoding="ascii")
    print(json.dumps(figures), flush=True)
