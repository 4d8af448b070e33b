"""The whole program on real sockets, for clients that are not ours.

Every channel that brings routes, the demo's phones and console, and the admins' listener. It is the
program as `bot.app` runs it, in a process of its own: the same house, the same listeners (uvicorn
behind `guard.Guard` and `direct.Connection`), the same workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import schemathesis

from bot import app, build, config, logs
from bot.contract import clock
from tests.bridges.sms.twilio import exchange
from tests.conftest import ROOT
from tools.fuzz import hooks

CONSOLE: Final = "a-token-of-the-console"
ADMIN: Final = "a-token-of-sixteen-or-more"
PATIENCE_S: Final = 30
PUBLIC_PAGE: Final = "docs/openapi.yaml"
ADMINS_PAGE: Final = "docs/openapi-admin.yaml"

EXAMPLES: Final = "ANTIRELOU_FUZZ_EXAMPLES"
"""In the environment: requests a description and test, for `python -m tests.fuzz`."""
FIGURES: Final = "ANTIRELOU_FUZZ_FIGURES"
"""In the environment: a file, a line for each description that was tried."""

TOML: Final = f"""
[store]
url = "sqlite:{{folder}}/antirelou.db"
key_file = "{{folder}}/antirelou.key"

[web]
public_url = "https://sms.example.org"
admin_listen = "127.0.0.1:9180"
admin_token = "{ADMIN}"

[log]
level = "error"

[channels.twilio]
kind = "sms.twilio"
account_sid = "{exchange.ACCOUNT}"
auth_token = "{exchange.TOKEN}"
addresses = ["+33639980010"]
base_url = "http://127.0.0.1:1"
countries = []

[channels.seven]
kind = "sms.seven"
api_key = "{"k" * 20}"
signing_key = "{hooks.KEY}"
addresses = ["+33639980011"]

[channels.smsgate]
kind = "sms.smsgate"
api = "phone"
url = "http://127.0.0.1:1"
username = "u"
password = "{"p" * 12}"
signing_key = "{hooks.KEY}"
addresses = ["+33639980012"]

[channels.signal]
kind = "signal"
number = "+33639980013"
secret = "{hooks.KEY.replace("-", "")}"
url = "http://127.0.0.1:1"
transport = "webhook"

[channels.sms]
kind = "simulator"
addresses = ["{hooks.OURS}"]

[channels.handle]
kind = "simulator"
network = "signal"
addresses = ["alex.00"]
"""
SIMULATED: Final = ("sms", "handle")
# Asks its provider at an address that is no setting; here nobody is asked beyond this machine.
_LISTENERS: Final = 2
ELSEWHERE: Final = "seven"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A program that answers. `public`, `admin`: its two addresses."""

    folder: Path
    public: str
    admin: str

    def rows(self) -> dict[str, int]:
        """Messages stored, by channel."""
        with contextlib.closing(sqlite3.connect(self.folder / "antirelou.db")) as beside:
            told = beside.execute("SELECT channel, count(*) FROM inbound GROUP BY channel")
            return dict(told.fetchall())


def told(folder: Path) -> config.Settings:
    """Its settings; the ports are taken when it starts."""
    file = folder / "config.toml"
    file.write_text(TOML.format(folder=folder))
    file.chmod(0o600)
    made = config.load(file, environ={})
    # Any free ones: the configuration has no word for that.
    web = dataclasses.replace(made.web, port=0, admin_listen=("127.0.0.1", 0))
    return dataclasses.replace(made, web=web)


async def opened(settings: config.Settings) -> build.House:
    """What `antirelou demo` makes of them."""
    moment = clock.LapseClock(clock.SystemClock(), 1.0)
    return await build.house(settings, moment=moment, console_token=CONSOLE)


async def live(folder: Path) -> None:
    """Run until SIGTERM, without the channel that would ask outside; says its ports."""
    settings = told(folder)
    near = {k: v for k, v in settings.channels.items() if k != ELSEWHERE}
    settings = dataclasses.replace(settings, channels=near)
    logs.setup(settings.log.level, settings.log.format)
    made = await opened(settings)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    listeners = app._listeners(settings, made, build.Role.ALL)

    def say() -> None:
        sys.stdout.write(" ".join(str(one.port) for one in listeners) + "\n")
        sys.stdout.flush()

    try:
        await app._live(made, build.Role.ALL, listeners, stop, say)
    finally:
        await app._close(made.rooms.bridges)
        await made.rooms.store.close()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Running]:
    """It answers until the block ends, in a process of its own; what it logs of faults fails."""
    log = folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.surface", str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=said,
        )
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
        ports = process.stdout.readline().split() if ready else []
        if len(ports) != _LISTENERS:
            raise AssertionError(f"it does not answer:\n{log.read_text()[-4_000:]}")
        public, admin = (f"http://127.0.0.1:{int(port)}" for port in ports)
        yield Running(folder=folder, public=public, admin=admin)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.communicate()
    assert "Traceback" not in log.read_text()


def counted(name: str, statuses: Sequence[int]) -> None:
    """Tell whoever asked for the figures."""
    file = os.environ.get(FIGURES)
    if file is not None:
        with Path(file).open("a", encoding="utf-8") as figures:
            figures.write(json.dumps({"name": name, "statuses": statuses}) + "\n")


def operations(page: str, web: Any = None) -> dict[str, Any]:  # noqa: ANN401 (ASGI)
    """By their names, each a strategy for requests; raises where the description is faulty."""
    # A schema of its own each time: what was asked is kept with its application.
    schema = schemathesis.openapi.from_path(ROOT / page)
    schema.app = web
    made: list[Any] = [one.ok() for one in schema.get_all_operations()]  # type: ignore[union-attr]
    return {one.definition.raw["operationId"]: one for one in made}


def templates(page: str) -> dict[str, re.Pattern[str]]:
    """The described paths; what stands in braces is one piece of a path."""
    paths = {one.path for one in operations(page).values()}
    return {path: re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))) for path in paths}


def described(path: str, among: Mapping[str, re.Pattern[str]]) -> bool:
    """Whether any of them is this path."""
    return any(one.fullmatch(path) for one in among.values())


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1])))
