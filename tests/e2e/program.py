"""The real program and the phones, each a process of its own, started, asked, killed and ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp

ROOT: Final = Path(__file__).resolve().parent.parent.parent
START_LIMIT_S: Final = 30.0
_POLL_S: Final = 0.01

OUR_NUMBER: Final = "+33639980000"
OUR_ACCOUNT: Final = "00000000-0000-4000-8000-000000000001"

_CONFIG: Final = """
[store]
url = "sqlite:{folder}/antirelou.db"
key_file = "{folder}/antirelou.key"

[web]
port = {port}

[reply]
delay_min_s = {delay_min_s}
delay_max_s = {delay_max_s}

[budget]
cap_day = "{cap_day}"
cap_month = "100000"

[log]
level = "warning"
format = "json"

[channels.sms]
kind = "simulator"
network = "sms"
addresses = ["{our_number}"]
price = "0.08"
deliver_to = "{deliver_to}"
idempotent = {idempotent}

[channels.signal]
kind = "simulator"
network = "signal"
addresses = ["{our_account}"]
deliver_to = "{deliver_to}"
idempotent = {idempotent}
"""


def command() -> list[str]:
    """`antirelou` as it is installed beside this Python; the module where it is not."""
    script = Path(sys.executable).with_name("antirelou")
    return [str(script)] if script.exists() else [sys.executable, "-m", "bot"]


def environment() -> dict[str, str]:
    """As on a machine where the program has run before: compiled modules are kept and used."""
    told = {k: v for k, v in os.environ.items() if not k.startswith("ANTIRELOU_")}
    told.pop("PYTHONDONTWRITEBYTECODE", None)
    return told | {"PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "pycache"), "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(
    what: str, condition: Callable[[], Awaitable[bool]], limit_s: float = START_LIMIT_S
) -> None:
    """Wait until the condition holds; a TimeoutError names what did not come."""
    end_s = time.monotonic() + limit_s
    while not await condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"waited {limit_s:.0f} s in vain for: {what}")
        await asyncio.sleep(_POLL_S)


class Phones:
    """The phones' process."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        """Made by `phones`."""
        self.url = f"http://127.0.0.1:{port}/"
        self._session = session

    async def ledger(self) -> dict[str, Any]:
        """What reached the phones so far."""
        async with self._session.get(self.url + "ledger") as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def manner(self, **told: Any) -> None:  # noqa: ANN401 (JSON)
        """Change how they answer."""
        async with self._session.post(self.url + "manner", json=told) as answer:
            answer.raise_for_status()


@contextlib.asynccontextmanager
async def phones(seed: int) -> AsyncIterator[Phones]:
    """Phones that outlive every kill of the program."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.phones", str(seed)),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("the phones were started without a pipe")
        async with asyncio.timeout(START_LIMIT_S):
            port = int(await process.stdout.readline())
        async with aiohttp.ClientSession() as session:
            yield Phones(port, session)
    finally:
        process.kill()
        await process.communicate()


class Program:
    """One installation in a folder; its process comes and goes."""

    def __init__(
        self,
        folder: Path,
        deliver_to: str,
        *,
        idempotent: bool = True,
        delay_s: tuple[int, int] = (1, 2),
        cap_day: str = "10000",
        store_url: str | None = None,
    ) -> None:
        """Write the configuration; nothing runs yet. Without `store_url` a file in the folder."""
        self.folder = folder
        self.database = folder / "antirelou.db"
        self.key_file = folder / "antirelou.key"
        self.log = folder / "antirelou.log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._config = folder / "config.toml"
        self._config.write_text(
            _CONFIG.format(
                folder=folder,
                port=port,
                delay_min_s=delay_s[0],
                delay_max_s=delay_s[1],
                cap_day=cap_day,
                our_number=OUR_NUMBER,
                our_account=OUR_ACCOUNT,
                deliver_to=deliver_to,
                idempotent=str(idempotent).lower(),
            )
        )
        self._told = () if store_url is None else ("--set", f"store.url={store_url}")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The running process."""
        if self._process is None:
            raise RuntimeError("the program was not started")
        return self._process

    async def start(self) -> None:
        """Start it; it may not answer yet."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*command(), "run", "--config", str(self._config), *self._told),
                cwd=ROOT,
                env=environment(),
                stdout=log,
                stderr=log,
            )

    async def answers(self) -> bool:
        """Whether a request is answered; AssertionError if the process has ended by itself."""
        if self.process.returncode is not None:
            raise AssertionError(f"it ended with {self.process.returncode}:\n{self.said()}")
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(self.url + "/api/channels") as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, OSError):
            return False

    async def ready(self) -> None:
        """Wait until it answers."""
        await until("the program's first answer", self.answers)

    async def runs_for(self, seconds: float) -> None:
        """Let it run that long; AssertionError if it ends by itself."""
        try:
            async with asyncio.timeout(seconds):
                code = await self.process.wait()
        except TimeoutError:
            return
        raise AssertionError(f"it ended with {code}:\n{self.said()}")

    async def kill(self) -> None:
        """SIGKILL, which nothing can answer."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def terminate(self, limit_s: float) -> tuple[int, float]:
        """SIGTERM: the exit code, and the seconds that it took."""
        began_s = time.monotonic()
        self.process.terminate()
        async with asyncio.timeout(limit_s):
            code = await self.process.wait()
        return code, time.monotonic() - began_s

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4_000:] if self.log.exists() else ""


@contextlib.asynccontextmanager
async def ended(program: Program) -> AsyncIterator[Program]:
    """No process is left behind, however the test ends."""
    try:
        yield program
    finally:
        with contextlib.suppress(RuntimeError):
            await program.kill()
