"""20,000 messages in bursts, 100 restarts of ours and 100 of theirs: what is lost, and where."""

import asyncio
import collections
import dataclasses
import itertools
import multiprocessing
import multiprocessing.process
import random
import re
import sys
from pathlib import Path
from typing import Self

import pytest

from bridges.signal import settings
from tests.bridges.signal.daemon import desk, worker
from tests.peers import signal_cli_fake, signal_cli_http

BURST = 400
LOAD = {"unix": (20_000, 100), "tcp": (4_000, 12), "polling": (4_000, 12), "http": (4_000, 12)}
# The most that can be on its way: what 4 MiB of a socket hold, and the most of one polled answer.
WINDOW = {"unix": 700, "tcp": 20_000, "http": 20_000, "polling": 50}

pytestmark = pytest.mark.slow
_processes = multiprocessing.get_context("forkserver")


class Ours:
    """Our program: started, killed, told to stop."""

    def __init__(self, chosen: settings.Settings, folder: Path) -> None:
        _processes.set_forkserver_preload([worker.__name__])
        self._chosen = chosen
        self.path = folder / "stored"
        self.path.touch()
        self._process: multiprocessing.process.BaseProcess | None = None
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        asked = (self._chosen, self.path, self.starts)
        self._process = _processes.Process(target=worker.run, args=asked)
        self._process.start()

    async def stop(self, *, hard: bool) -> None:
        process = self._process
        assert process is not None
        (process.kill if hard else process.terminate)()
        await asyncio.to_thread(process.join, 20)
        # -15: told before it had begun to listen.
        assert process.exitcode in ((-9,) if hard else (0, -15))
        process.close()
        self._process = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            await self.stop(hard=True)

    def stored(self) -> list[int]:
        return [int(whole) for whole in re.findall(r"<(\d+)>", self.path.read_text())]


@dataclasses.dataclass(slots=True, kw_only=True)
class Tally:
    """What one run lost, a connection each, by what ended it."""

    lost: dict[str, list[int]]

    @property
    def most(self) -> int:
        return max(max(each) for each in self.lost.values())

    def say(self, way: str, capsys: pytest.CaptureFixture[str]) -> None:
        told = [
            f"{cause}: {len(lost)} connections, {sum(lost)} messages lost, at most {max(lost)}"
            for cause, lost in sorted(self.lost.items())
        ]
        with capsys.disabled():
            sys.stdout.write(f"\nloss of {LOAD[way][0]} over {way}: {'; '.join(told)}\n")


def tally(fake: signal_cli_fake.FakeDaemon, stored: list[int]) -> Tally:
    """Lost is the end of what was written to a connection, and nothing from its middle."""
    kept = set(stored)
    lost: dict[str, list[int]] = collections.defaultdict(list)
    for client in fake.clients:
        if not client.written:
            continue
        # What was still on their disk when they were killed was written to the next one as well.
        last = client.written[-1]
        again = last in kept and any(last in o.written for o in fake.clients if o is not client)
        written = client.written[:-1] if again else client.written
        gone = [number for number in written if number not in kept]
        assert not gone or gone == written[-len(gone) :], "a hole, not a window"
        lost[f"{client.ended} side{', planned' if client.parted else ''}"].append(len(gone))
    return Tally(lost=lost)


async def storm(fake: signal_cli_fake.FakeDaemon, ours: Ours, messages: int, restarts: int) -> None:
    """Bursts while now we and now they are killed; then all that is left is let through."""
    draw = random.Random(26)
    deeds = ["killed"] * (restarts // 2) + ["stopped"] * (restarts // 2) + ["theirs"] * restarts
    draw.shuffle(deeds)
    posted = iter(range(messages))
    ours.start()
    for deed in deeds:
        burst = draw.randrange(BURST) if len(fake.at_signal) < 3 * BURST else 0
        fake.post(*itertools.islice(posted, burst))
        enough = ours.path.stat().st_size + draw.randrange(400)
        await desk.until(
            lambda enough=enough: ours.path.stat().st_size > enough or not fake.at_signal  # type: ignore[misc]
        )
        if deed == "theirs":
            await fake.restart()
            continue
        for client in fake.clients:
            client.parted |= deed == "stopped" and not client.ended
        await ours.stop(hard=deed == "killed")
        await desk.until(lambda: all(client.ended for client in fake.clients))
        ours.start()
    fake.post(*posted)
    await desk.until(lambda: not fake.at_signal and fake.on_disk is None)


@pytest.mark.case("C26")
@pytest.mark.parametrize("way", list(LOAD))
async def test_what_restarts_lose(
    way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = (
        signal_cli_http.FakeHttp()
        if way == "http"
        else signal_cli_fake.FakeDaemon(tmp_path / "s" if way == "unix" else None)
    )
    chosen_way = settings.Way.DAEMON_POLLING if way == "polling" else settings.Way.DAEMON
    messages, restarts = LOAD[way]
    async with fake, Ours(desk.chosen(fake.url, chosen_way, poll_s=0.01), tmp_path) as ours:
        await storm(fake, ours, messages, restarts)
        await ours.stop(hard=False)
        stored = ours.stored()
        assert fake.restarts == restarts
        assert ours.starts == restarts + 1
    told = tally(fake, stored)
    told.say(way, capsys)
    repeats = [number for number, times in collections.Counter(stored).items() if times > 1]
    # Twice comes only what was on their disk when they were killed, or in hand when we were told
    # to stop: the same id, which intake drops.
    assert len(repeats) <= fake.restarts + BURST
    planned = [sum(each) for cause, each in told.lost.items() if "ours side, planned" in cause]
    assert sum(planned) == 0 or way == "http"  # it has no way to unsubscribe
    assert told.most <= WINDOW[way]
    missing = set(range(messages)) - set(stored)
    assert len(missing) <= sum(map(sum, told.lost.values()))
    assert missing <= {number for client in fake.clients for number in client.written}
