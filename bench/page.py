"""The public page from its cache: how many a second, and what a crowd at it costs intake.

The program on SQLite. Clients are processes of their own, beside it on the same cores: what they
take, a crowd from outside would not, so the processor time of the program alone is told too
(`busy_us`: for each request answered). In turns: the page alone, intake alone, intake with a crowd
of 2,000 requests a second at the page. Intake is asked for a steady stream, and for all it can do.

    python -m bench.page
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from typing import Any, Final

from bench import measure, startup

CROWD_PER_S: Final = 2_000
STEADY_PER_S: Final = 500
ROUNDS: Final = 3
SECONDS: Final = 4.0
_WARM_S: Final = 0.5
_CONFIG: Final = """
[store]
url = "sqlite:{folder}/antirelou.db"
key_file = "{folder}/antirelou.key"
[web]
port = {port}
requests_per_second = 0.0
[log]
level = "warning"
[channels.signal]
kind = "simulator"
network = "signal"
addresses = ["00000000-0000-4000-8000-000000000001"]
"""


def _page(path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nhost: bench\r\naccept-encoding: gzip, br\r\n"
        "accept-language: fr-FR,fr;q=0.9,en;q=0.8\r\nuser-agent: Mozilla/5.0 (bench)\r\n\r\n"
    ).encode()


def _message() -> bytes:
    name = uuid.uuid4()
    body = f'{{"id":"{name.hex}","from":"{name}","text":"salut"}}'
    return (
        "POST /phone/signal/api/messages HTTP/1.1\r\nhost: bench\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Client(asyncio.Protocol):
    """One connection; a request when it is told to, or as soon as the last one was answered."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._transport: Any = None
        self._left = -1
        self._sent_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._crowd.idle.append(self)

    def ask(self) -> None:
        """Send one."""
        self._sent_s = time.perf_counter()
        self._left = -1
        self._transport.write(self._crowd.request())

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            head, _, rest = data.partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._crowd.statuses.add(int(head[9:12]))
            self._left = int(length) - len(rest)
        else:
            self._left -= len(data)
        if self._left == 0:
            self._crowd.answered(self, time.perf_counter() - self._sent_s)


class Crowd:
    """Connections that ask `per_s` times a second together; 0: as often as they are answered."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._path, self._per_s = told["path"], told["per_s"]
        self._seconds, self._connections = told["seconds"], told["connections"]
        self._port = told["port"]
        self._fixed = _page(self._path) if self._path else None
        self.idle: list[Client] = []
        self.statuses: set[int] = set()
        self._waits: list[float] = []
        self._ends_s = self._from_s = 0.0

    def request(self) -> bytes:
        """The page, or a message of somebody who never wrote before."""
        return self._fixed or _message()

    def answered(self, one: Client, wait_s: float) -> None:
        """Count it; and ask again, or wait for a turn."""
        now_s = time.perf_counter()
        if self._from_s <= now_s < self._ends_s:
            self._waits.append(wait_s)
        if self._per_s or now_s >= self._ends_s:
            self.idle.append(one)
        else:
            one.ask()

    async def run(self) -> dict[str, Any]:
        """Until the time is over."""
        loop = asyncio.get_running_loop()
        for _ in range(self._connections):
            await loop.create_connection(lambda: Client(self), "127.0.0.1", self._port)
        print("ready", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        begin_s = time.perf_counter()
        self._from_s = begin_s + _WARM_S
        self._ends_s = self._from_s + self._seconds
        if self._per_s:
            await self._paced(begin_s)
        else:
            for one in [self.idle.pop() for _ in range(self._connections)]:
                one.ask()
            await asyncio.sleep(self._ends_s - time.perf_counter())
        waits = sorted(self._waits)
        return {
            "per_s": len(waits) / self._seconds,
            "p50_ms": waits[len(waits) // 2] * 1e3 if waits else 0.0,
            "p99_ms": waits[len(waits) * 99 // 100] * 1e3 if waits else 0.0,
            "statuses": sorted(self.statuses),
        }

    async def _paced(self, begin_s: float) -> None:
        asked = 0
        while (now_s := time.perf_counter()) < self._ends_s:
            due = int((now_s - begin_s) * self._per_s)
            while asked < due and self.idle:
                self.idle.pop().ask()
                asked += 1
            # Who finds no free connection is turned away: a crowd does not queue for hours.
            asked = max(asked, due - self._connections)
            await asyncio.sleep(0.002)


@contextlib.contextmanager
def _crowd(port: int, path: str, per_s: int, connections: int, seconds: float) -> Iterator[Any]:
    """A crowd in a process of its own, started and waiting for its line."""
    told = {
        "port": port,
        "path": path,
        "per_s": per_s,
        "connections": connections,
        "seconds": seconds,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.page", json.dumps(told)],
        cwd=startup.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None or process.stdout.readline().strip() != "ready":
            raise RuntimeError("the crowd did not come")
        yield process
    finally:
        process.kill()
        process.wait()


def _together(port: int, seconds: float, *asked: tuple[str, int, int]) -> list[dict[str, Any]]:
    """Crowds (path, per_s, connections) at the same time; what each got."""
    with contextlib.ExitStack() as stack:
        crowds = [stack.enter_context(_crowd(port, *one, seconds)) for one in asked]
        for one in crowds:
            one.stdin.write("go\n")
            one.stdin.flush()
        return [json.loads(one.stdout.readline()) for one in crowds]


@contextlib.contextmanager
def program(folder: pathlib.Path) -> Iterator[tuple[int, int]]:
    port = startup.free_port()
    config = folder / "config.toml"
    config.write_text(_CONFIG.format(folder=folder, port=port))
    command = [sys.executable, "-m", "bot", "run", "--config", str(config)]
    before = set(_ours())
    with startup.started(command, port, "/fr/"):
        yield port, next(iter(set(_ours()) - before))


def _ours() -> list[int]:
    """The processes that this one started (Linux)."""
    me = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    return [int(pid) for pid in pathlib.Path(me).read_text(encoding="ascii").split()]


def _busy_s(pid: int) -> float:
    """Processor seconds of a process so far."""
    told = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def measured(quick: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 (every bench is called so)
    """Medians: messages and pages a second, and milliseconds."""
    seconds, rounds = (2.0, 1) if quick else (SECONDS, ROUNDS)
    crowd = ("/", CROWD_PER_S, 64)
    steady, all_it_can = ("", STEADY_PER_S, 64), ("", 0, 64)
    found: dict[str, list[Any]] = {}
    plan = {
        "page": [("/", 0, 64)],
        "crowd": [crowd],
        "steady": [steady],
        "steady_crowd": [steady, crowd],
        "full": [all_it_can],
        "full_crowd": [all_it_can, crowd],
    }
    with (
        tempfile.TemporaryDirectory(prefix="antirelou-bench-") as name,
        program(pathlib.Path(name)) as (port, pid),
    ):
        for _ in range(rounds):
            for what, asked in plan.items():
                busy_s, got = _busy_s(pid), _together(port, seconds, *asked)
                asked_n = sum(one["per_s"] for one in got) * (seconds + _WARM_S)
                got[0]["busy_us"] = (_busy_s(pid) - busy_s) / asked_n * 1e6
                found.setdefault(what, []).append(got)
    out: dict[str, Any] = {}
    for what, rounds_ in found.items():
        out[f"{what}_busy_us"] = round(statistics.median(r[0]["busy_us"] for r in rounds_), 1)
        for n, who in enumerate(("", "_pages")[: len(rounds_[0])]):
            for key in ("per_s", "p50_ms", "p99_ms"):
                out[f"{what}{who}_{key}"] = round(statistics.median(r[n][key] for r in rounds_), 2)
    return out


def bench(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Pages alone; intake with a crowd beside intake alone."""
    told("a crowd at the page")
    found = measured(quick)
    yield measure.Result(
        name="public page from its cache",
        figure=f"{found['page_per_s']:,.0f} pages/s",
        ratio=CROWD_PER_S / found["page_per_s"],
        reference=f"{CROWD_PER_S:,} pages/s",
        detail=found,
    )
    for what, words in (("steady", f"{STEADY_PER_S} messages/s"), ("full", "all it can")):
        yield measure.Result(
            name=f"intake of {words} with {found[f'{what}_crowd_pages_per_s']:,.0f} pages/s",
            figure=f"{found[f'{what}_crowd_per_s']:,.0f} messages/s",
            ratio=found[f"{what}_per_s"] / found[f"{what}_crowd_per_s"],
            reference="the same without anybody at the page",
            detail=found,
        )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("{"):
        print(json.dumps(asyncio.run(Crowd(json.loads(sys.argv[1])).run())), flush=True)
    else:
        print(json.dumps(measured("--quick" in sys.argv), indent=2))
