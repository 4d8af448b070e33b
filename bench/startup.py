"""How long `antirelou run` takes from its exec to its first HTTP answer.

Starts of the program and of a reference (a Python that only imports the three big libraries) take
turns, so that a busy machine slows both. Compiled modules are kept, as on any machine where the
program has run before; the very first start, which also makes the database, is told apart.

    python -m bench.startup
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Final

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
ROUNDS: Final = 7
LIMIT_S: Final = 0.8
_REFERENCE: Final = "import starlette.applications, uvicorn, sqlalchemy"
_GIVE_UP_S: Final = 60.0

_CONFIG: Final = """
[store]
url = "sqlite:{folder}/antirelou.db"
key_file = "{folder}/antirelou.key"
[web]
port = {port}
[log]
level = "warning"
[channels.sms]
kind = "simulator"
network = "sms"
addresses = ["+33639980000"]
[channels.signal]
kind = "simulator"
network = "signal"
addresses = ["00000000-0000-4000-8000-000000000001"]
"""


def environment() -> dict[str, str]:
    """With compiled modules in a folder of the project's own, whatever the shell says."""
    told = {k: v for k, v in os.environ.items() if not k.startswith("ANTIRELOU_")}
    told.pop("PYTHONDONTWRITEBYTECODE", None)
    return told | {"PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "pycache")}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, path: str) -> bool:
    """Whether a request is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False


@contextlib.contextmanager
def started(command: list[str], port: int, path: str) -> Iterator[float]:
    """A process from its exec to its first answer: the seconds; it is ended afterwards."""
    began_s = time.perf_counter()
    with process(command, port, path):
        yield time.perf_counter() - began_s


@contextlib.contextmanager
def process(command: list[str], port: int, path: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that answers; it is ended afterwards."""
    began_s = time.perf_counter()
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not answers(port, path):
            if running.poll() is not None or time.perf_counter() - began_s > _GIVE_UP_S:
                raise RuntimeError(f"no answer from {command[-3:]}, exit {running.returncode}")
            time.sleep(0.002)
        yield running
    finally:
        running.terminate()
        running.wait(20)


def _command(folder: pathlib.Path, port: int) -> list[str]:
    config = folder / "config.toml"
    config.write_text(_CONFIG.format(folder=folder, port=port))
    script = pathlib.Path(sys.executable).with_name("antirelou")
    way = [str(script)] if script.exists() else [sys.executable, "-m", "bot"]
    return [*way, "run", "--config", str(config)]


@contextlib.contextmanager
def program(folder: pathlib.Path) -> Iterator[tuple[int, float]]:
    """`antirelou run` on a database in this folder: its port, and the seconds it took."""
    port = free_port()
    with started(_command(folder, port), port, "/api/channels") as seconds:
        yield port, seconds


@contextlib.contextmanager
def running(folder: pathlib.Path) -> Iterator[subprocess.Popen[bytes]]:
    """The same, for whoever wants its process."""
    port = free_port()
    command = _command(folder, port)
    # Not the script: it may be a shell's that has the program as its child.
    with process([sys.executable, "-m", "bot", *command[-3:]], port, "/api/channels") as made:
        yield made


def reference_s() -> float:
    """Seconds that Python and the imports alone take."""
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", _REFERENCE], cwd=ROOT, env=environment(), check=True)
    return time.perf_counter() - began_s


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Medians and bests in seconds."""
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory(prefix="antirelou-bench-") as name:
        folder = pathlib.Path(name)
        reference_s()
        with program(folder) as (_, first_s):
            pass
        for _ in range(rounds):
            with program(folder) as (_, seconds):
                ours.append(seconds)
            theirs.append(reference_s())
    return {
        "first_start_s": round(first_s, 3),
        "start_s": round(statistics.median(ours), 3),
        "start_best_s": round(min(ours), 3),
        "reference_s": round(statistics.median(theirs), 3),
        "reference_best_s": round(min(theirs), 3),
        "limit_s": LIMIT_S,
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
