"""Messages a second over HTTP: signed Twilio form -> durable -> 200, a million people known.

Three servers take turns in the same run, under the same load from a process of its own:

    ours        `antirelou run` on SQLite, with the `fast` extra
    plain       the same without it
    (a)         the provider's tutorial: Flask, the SDK's validator, a commit a request, gunicorn
    (b)         the machine's limit: bare httptools, the same HMAC, one file, grouped fsync

    python -m bench.intake [--quick]        prints JSON
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from bench import forms, million, startup, tutorial

CONNECTIONS: Final = (64, 256)
OURS: Final = "ours"
TUTORIAL: Final = "tutorial"
LIMIT: Final = "limit"
PLAIN: Final = "plain"
ROUNDS: Final = 3
SECONDS: Final = 4.0
_QUICK_SECONDS: Final = 2.0

CONFIG: Final = """
[store]
url = "sqlite:{folder}/antirelou.db"
key_file = "{folder}/antirelou.key"
[web]
port = {port}
public_url = "{public_url}"
[log]
level = "warning"
[fx]
USD = {{ rate = "0.93", dated = 2026-11-01 }}
[channels.sms]
kind = "sms.twilio"
account_sid = "{account}"
auth_token = "{token}"
addresses = ["{ours}"]
base_url = "http://127.0.0.1:9"
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that answers, and its process."""

    port: int
    process: subprocess.Popen[bytes]

    def busy_s(self) -> float:
        """Processor seconds of it and its children so far (Linux; 0 elsewhere)."""
        return sum(_busy_s(pid) for pid in _family(self.process.pid))

    def memory_mb(self, what: str = "VmRSS:") -> float:
        """Memory of its own, `VmHWM:` for its peak (Linux; 0 elsewhere)."""
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return 0.0
        return int(status.partition(what)[2].split()[0]) / 1024


def _family(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        found += [int(one) for one in children.split()]
    return found


def _busy_s(pid: int) -> float:
    try:
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        told = "".join((one / "schedstat").read_text(encoding="ascii") for one in tasks)
    except OSError:
        return 0.0
    return sum(int(line.split()[0]) for line in told.splitlines()) / 1e9


def configured(folder: pathlib.Path, port: int) -> pathlib.Path:
    """The configuration for the database in `folder`."""
    config = folder / "config.toml"
    config.write_text(
        CONFIG.format(
            folder=folder,
            port=port,
            public_url=forms.PUBLIC_URL,
            account=forms.ACCOUNT,
            token=forms.TOKEN,
            ours=forms.OURS,
        )
    )
    config.chmod(0o600)
    return config


@contextlib.contextmanager
def ours(folder: pathlib.Path, *, plain: bool = False) -> Iterator[Served]:
    """The program on the database in `folder`. `plain`: as without the `fast` extra."""
    port = startup.free_port()
    config = configured(folder, port)
    start = "from bot import cli; cli.main()"
    if plain:
        hidden = "import sys; sys.modules.update(dict.fromkeys(('uvloop','httptools','orjson')))"
        start = f"{hidden}; {start}"
    command = [sys.executable, "-c", start, "run", "--config", str(config)]
    with startup.process(command, port, "/api/channels") as running:
        yield Served(port=port, process=running)


@contextlib.contextmanager
def theirs(folder: pathlib.Path) -> Iterator[Served]:
    """The tutorial's way."""
    path = folder / "tutorial.db"
    if not path.exists():
        tutorial.fill(str(path))
    port = startup.free_port()
    options = ["--workers", "2", "--bind", f"127.0.0.1:{port}", "--log-level", "error"]
    command = [sys.executable, "-m", "gunicorn", *options, f'bench.tutorial:app("{path}")']
    with startup.process(command, port, "/ready") as running:
        yield Served(port=port, process=running)


@contextlib.contextmanager
def limit(folder: pathlib.Path) -> Iterator[Served]:
    """The machine's own."""
    port = startup.free_port()
    command = [sys.executable, "-m", "bench.bare", str(port), str(folder / "limit.log")]
    with startup.process(command, port, "/ready") as running:
        yield Served(port=port, process=running)


def loaded(at: Served, run: int, connections: int, seconds: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """One load and what came of it."""
    with loading(at.port, run, connections, seconds, **more) as go:
        before_s = at.busy_s()
        told = go()
        told["busy_us"] = (at.busy_s() - before_s) / max(told["accepted"], 1) * 1e6
    return told


@contextlib.contextmanager
def loading(
    port: int, run: int, connections: int, seconds: float, **more: object
) -> Iterator[Callable[[], dict[str, Any]]]:
    """A load that is ready; calling what is given starts it and waits for its figures."""
    told = {"port": port, "run": run, "connections": connections, "seconds": seconds, **more}
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.load", json.dumps(told)],
        cwd=startup.ROOT,
        env=startup.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("no pipe to the load")
    out, into = child.stdout, child.stdin
    if out.readline() != "ready\n":
        raise RuntimeError("the load did not start")

    def go() -> dict[str, Any]:
        into.write("go\n")
        into.flush()
        found: dict[str, Any] = json.loads(out.readline())
        return found

    try:
        yield go
    finally:
        child.communicate()


def measure(
    *, quick: bool = False, told: Callable[[str], None] = lambda _what: None
) -> dict[str, Any]:
    """Each server's figures by connections: all rounds, medians, ours to the others."""
    rounds, seconds = (1, _QUICK_SECONDS) if quick else (ROUNDS, SECONDS)
    found: dict[str, dict[int, list[dict[str, Any]]]] = {
        name: {n: [] for n in CONNECTIONS} for name in (OURS, PLAIN, TUTORIAL, LIMIT)
    }
    with tempfile.TemporaryDirectory(prefix="antirelou-bench-") as name:
        folder = pathlib.Path(name)
        path = million.copied(folder, told)
        before = path.stat().st_size
        beside = folder / "plain"
        beside.mkdir()
        million.copied(beside, told)
        told("the tutorial's table")
        with (
            ours(folder) as one,
            ours(beside, plain=True) as plain,
            theirs(folder) as two,
            limit(folder) as three,
        ):
            rest_mb = one.memory_mb()
            servers = {OURS: one, PLAIN: plain, TUTORIAL: two, LIMIT: three}
            run = 1
            for turn in range(rounds):
                for connections in CONNECTIONS:
                    for who, served in servers.items():
                        told(f"round {turn + 1} of {rounds}: {who}, {connections} connections")
                        most = 1_000 if who == TUTORIAL else 16_000
                        one_load = loaded(served, run, connections, seconds, most_per_s=most)
                        found[who][connections].append(one_load)
                        run += 1
            loaded_mb = one.memory_mb()
        taken = sum(one["accepted"] for n in CONNECTIONS for one in found[OURS][n])
        # Its end moved the log into the file.
        grown = path.stat().st_size - before
    return {
        "rounds": found,
        "memory_at_rest_mb": rest_mb,
        "memory_after_mb": loaded_mb,
        "messages": taken,
        "database_bytes_a_message": grown / taken,
        **_ratios(found),
    }


def _ratios(found: dict[str, dict[int, list[dict[str, Any]]]]) -> dict[str, Any]:
    """Round by round, so that what slows one slows its neighbour too; then the median."""
    for who, loads in found.items():
        if not all(one["per_s"] for n in CONNECTIONS for one in loads[n]):
            raise RuntimeError(f"{who} answered nothing: too much else goes on on this machine")
    out: dict[str, Any] = {}
    for n in CONNECTIONS:
        mine = found[OURS][n]
        for who in (PLAIN, TUTORIAL, LIMIT):
            each = [a["per_s"] / b["per_s"] for a, b in zip(mine, found[who][n], strict=True)]
            out[f"to_{who}_{n}"] = statistics.median(each)
            out[f"to_{who}_{n}_all"] = each
        for key in ("per_s", "p50_ms", "p99_ms", "busy_us"):
            for who, rounds in found.items():
                out[f"{who}_{key}_{n}"] = statistics.median(one[key] for one in rounds[n])
    return out


if __name__ == "__main__":
    began_s = time.monotonic()
    figures = measure(quick="--quick" in sys.argv, told=lambda w: print(w, file=sys.stderr))
    print(json.dumps(figures | {"seconds": time.monotonic() - began_s}, indent=1))
