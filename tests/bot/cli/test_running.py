from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from bot import cli
from bot.cli import options, running
from tests.bot.cli.conftest import ROOT, Place

# Not pydantic: typer itself reads arguments with it.
SLOW = {"sqlalchemy", "rich", "phonenumbers", "asyncio", "structlog", "starlette"}
LIMIT_S = 60


# What a house of simulators has no use for before somebody asks for its page or its metrics.
UNUSED = {
    *("twilio", "nio", "aiohttp", "vodozemac", "asyncpg", "alembic", "matplotlib"),
    *("babel", "jinja2", "segno", "prometheus_client", "requests", "fpdf", "openapi_core"),
}
TELLS_MODULES = (
    "import sys, atexit\n"
    "atexit.register(lambda: print('\\n' + ' '.join(sys.modules), file=sys.stderr))\n"
    "from bot import cli\ncli.main()\n"
)


async def started(
    place: Place, *words: str, way: tuple[str, ...] = ("-m", "bot")
) -> tuple[asyncio.subprocess.Process, str]:
    """The command as a process, and the address that it prints once it answers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *way,
        *words,
        cwd=place.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        while line := (await process.stdout.readline()).decode():
            if found := re.search(r"http://\S+", line):
                return process, found[0]
    raise AssertionError("it ended without an address")


async def ended(process: asyncio.subprocess.Process) -> str:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(LIMIT_S):
        rest, _ = await process.communicate()
    return rest.decode()


def get(url: str, token: str | None = None) -> bytes:
    headers = {} if token is None else {"X-Console-Token": token}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (loopback)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 (loopback)
        body: bytes = answer.read()
    return body


async def test_the_demo_prints_an_address_that_opens(place: Place) -> None:
    process, url = await started(place, "demo", "--port", "0", "--speed", "360")
    try:
        start, _, token = url.partition("/phone/?token=")
        assert b"<html" in (await asyncio.to_thread(get, url)).lower()
        state = json.loads(await asyncio.to_thread(get, f"{start}/console/api/state", token))
        assert state["mode"] == "normal"
    finally:
        await ended(process)
    assert process.returncode == 0
    assert [path.name for path in place.folder.iterdir()] == ["config.toml"]


async def test_a_first_start_shows_an_address_and_little_else(place: Place) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run", "--set", "web.admin_listen=127.0.0.1:0"),
        cwd=place.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    seen: list[str] = []
    async with asyncio.timeout(LIMIT_S):
        while not any("ready" in line for line in seen):
            seen.append((await process.stderr.readline()).decode())
            assert seen[-1], seen
        process.send_signal(signal.SIGTERM)
        out, rest = await process.communicate()
    lines = [line.strip() for line in (*seen, *rest.decode().splitlines())]
    told = [re.sub(r"^\S+Z \[(\w+) *\] (\w+).*", r"\1 \2", line) for line in lines]
    assert told[0] == "settings: config.toml"
    assert re.fullmatch(r"open http://127\.0\.0\.1:\d+/phone/", told[1])
    assert told[2:] == ["info ready", "info stopping", "info stopped"]
    assert out == b""


async def test_commands_act_on_a_running_installation(place: Place) -> None:
    process, url = await started(place, "run")
    try:
        assert "token" not in url
        paused = await asyncio.to_thread(place.process, "pause", "sms", "--for", "1h")
        assert paused.returncode == 0, paused.stderr
        told = await asyncio.to_thread(place.process, "status", "--json")
        assert [halt["what"] for halt in json.loads(told.stdout)["halts"]] == ["sms"]
        pool = await asyncio.to_thread(place.process, "addresses", "--json")
        assert len(json.loads(pool.stdout)) == 2
    finally:
        await ended(process)
    assert process.returncode == 0


def test_a_port_in_use_is_said_in_one_line(place: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = place.process("run", "--set", f"web.port={taken.getsockname()[1]}")
    assert result.returncode == 1
    assert b"web.port" in result.stderr
    assert b"Traceback" not in result.stderr


def test_the_demo_takes_a_free_port_if_8080_is_taken(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_free", lambda _port: False)
    assert "web.port=0" in running._places(ROOT, None)
    assert "web.port=8099" in running._places(ROOT, 8099)
    monkeypatch.setattr(running, "_free", lambda _port: True)
    assert "web.port=8080" in running._places(ROOT, None)


@pytest.mark.parametrize("words", [["--help"], ["segments", "été"], ["pause", "--help"]])
def test_quick_commands_import_nothing_slow(place: Place, words: list[str]) -> None:
    """A stopwatch would judge the machine; the modules judge the program."""
    done = subprocess.run(
        [sys.executable, "-c", TELLS_MODULES, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        cwd=place.folder,
    )
    assert loaded(done.stderr.decode()) & SLOW == set()


def loaded(told: str) -> set[str]:
    return {name.partition(".")[0] for name in told.splitlines()[-1].split()}


async def test_a_house_of_simulators_loads_no_network(place: Place) -> None:
    """Start-up and memory are mostly what is imported."""
    way = ("-c", TELLS_MODULES)
    # The first start also makes the database, which is what alembic is for.
    process, url = await started(place, "run", way=way)
    page = await asyncio.to_thread(get, f"{url.partition('/phone')[0]}/fr/")
    told = await ended(process)
    assert b"<html" in page.lower()
    assert {"babel", "jinja2", "segno", "alembic"} <= loaded(told)
    process, url = await started(place, "run", way=way)
    channels = await asyncio.to_thread(get, f"{url.partition('/phone')[0]}/api/channels")
    told = await ended(process)
    assert {channel["kind"] for channel in json.loads(channels)} == {"simulator"}
    assert "sqlalchemy" in loaded(told)
    assert loaded(told) & UNUSED == set()
    assert "sqlalchemy.orm" not in told.split()


async def test_what_was_loaded_at_the_start_is_never_swept_and_all_else_is(place: Place) -> None:
    living = (
        "import atexit, gc, sys\n"
        "seen = []\n"
        "atexit.register(lambda: print(*seen, file=sys.stderr))\n"
        "from bot.web import server\n"
        "ready = server.Server.ready\n"
        "async def told(self):\n"
        "    seen.extend((gc.isenabled(), gc.get_freeze_count() > 10_000))\n"
        "    await ready(self)\n"
        "server.Server.ready = told\n"
        "from bot import cli\ncli.main()\n"
    )
    process, _ = await started(place, "run", way=("-c", living))
    assert "True True" in await ended(process)


def test_a_start_that_fails_leaves_the_sweeps_on(place: Place) -> None:
    assert place.run("run", "--set", 'channels.sms.price="dear"').exit_code == 2
    assert gc.isenabled()


def test_a_fault_of_the_program_shows_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LookupError) as caught:
        _fails("+33639980001")
    cli._last_words(LookupError, caught.value, caught.tb)
    shown = capsys.readouterr().err
    assert re.search(r"unexpected LookupError at test_running\.py:\d+", shown)
    assert "+336" not in shown
    assert options.printable("a\nb\x07") == "a\nb\\x07"


def _fails(value: str) -> None:
    raise LookupError(value)
