"""The canary by every other way of Signal: polling, websocket, and signal-cli's daemon itself.

The neighbour and the daemon are fakes on loopback; the program that they talk to is the real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bridges.signal import envelopes, neighbour
from tests.e2e import program
from tests.peers import signal_cli_fake, signal_cli_http
from tests.privacy import canary, test_canary

ODD = ({"message": {"not": canary.WORDS}}, {"groupInfo": canary.WORDS, "message": canary.WORDS})


def envelope(at_ms: int, words: str = canary.WORDS) -> envelopes.Raw:
    return envelopes.text(canary.ACI, words, at_ms, number=canary.NUMBER)


class Ways:
    """A fake of each way, and what was written by it."""

    def __init__(self, folder: Path) -> None:
        self.polled = neighbour.Neighbour("normal")
        self.linked = neighbour.Neighbour("json-rpc")
        self.socket = signal_cli_fake.FakeDaemon(folder / "socket")
        self.http = signal_cli_http.FakeHttp()
        self._now_ms = time.time_ns() // 1_000_000
        said = [self.told(n) for n in range(4)]
        for one in (self.socket, self.http):
            one.envelope = said.__getitem__

    def told(self, n: int) -> object:
        """Well-formed, the same again, and odd ones; each from the canary."""
        if n < 2:
            return envelope(self._now_ms)
        return envelopes.data(canary.ACI, self._now_ms + n, ODD[n - 2])

    def tables(self) -> str:
        """The channels' part of the settings."""
        ways = {
            "polled": (self.polled.url, "polling"),
            "linked": (self.linked.url, "websocket"),
            "socket": (self.socket.url, "daemon"),
            "http": (self.http.url, "daemon"),
        }
        return "".join(
            f'\n[channels.{name}]\nkind = "signal"\nnumber = "{envelopes.OURS}"\n'
            f'secret = "{test_canary.SECRET}"\nurl = "{url}"\ntransport = "{way}"\n'
            "canary = false\nsend_limit_s = 2\ngap_s = 0\n"
            for name, (url, way) in ways.items()
        )

    async def write(self) -> None:
        """All of it, by every way, once somebody listens."""
        await self.linked.linked()
        for n in range(4):
            told = self.told(n)
            self.polled.waiting.append(told)
            for link in list(self.linked.links):
                await self.linked.push(told)  # type: ignore[arg-type]  # one envelope
                await link.send_str(f'{{"envelope": {{"sourceNumber": "{canary.NUMBER}"')
        self.polled.waiting.append({"envelope": {"source": canary.NUMBER, "dataMessage": []}})
        for one in (self.socket, self.http):
            one.post(0, 1, 2, 3)


@pytest.fixture
async def ways(tmp_path: Path) -> AsyncIterator[Ways]:
    made = Ways(tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        for one in (made.polled, made.linked):
            await one.open()
            stack.push_async_callback(one.close)
        for daemon in (made.socket, made.http):
            await stack.enter_async_context(daemon)
        yield made


def channels(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
        return {row[0] for row in connection.execute("SELECT channel FROM inbound")}


@pytest.mark.slow
@pytest.mark.case("C33")
async def test_the_canary_is_found_nowhere_whatever_the_way(tmp_path: Path, ways: Ways) -> None:
    living = test_canary.Living(tmp_path, ways.tables())
    wanted = {"polled", "linked", "socket", "http"}
    # The first send of each way is refused in words that name him.
    for side in (ways.polled, ways.linked):
        side.faults.append("500")
    async with program.ended(living.house) as house:
        await house.start()
        await house.ready()
        await asyncio.wait_for(ways.write(), 30)

        async def stored() -> bool:
            return await asyncio.to_thread(channels, house.database) >= wanted

        await program.until("each way's message", stored)
        await program.until("its replies", lambda: test_canary.quiet(house.database))
        await living.get(f"http://127.0.0.1:{living.admin}", "/metrics")
        await living.get(f"http://127.0.0.1:{living.admin}", "/health")
        living.keep_files("alive")
        # They go away, in mid-connection, and the program says what it thinks of that.
        await ways.socket.stop()
        await ways.linked.close()
        await living.types(0, ["status", "--json"])
        await house.terminate(20)
    living.keep_files("ended")
    assert b'"level": "debug"' in living.shown["ended: antirelou.log"]
    assert canary.places(living.shown) == []
