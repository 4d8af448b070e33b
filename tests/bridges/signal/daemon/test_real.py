"""The real signal-cli daemon, without an account: what it says, and what we make of it."""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from pathlib import Path

import pytest

from bot.contract import bridge, clock
from bridges.signal import settings, transport
from bridges.signal.daemon import calls, handing, jsonrpc, place
from bridges.signal.daemon import subscribed as subscribing
from bridges.signal.transport import Verdict
from tests.bridges.signal.daemon import desk, silence
from tests.peers import signal_cli

ACI = "11111111-1111-4111-8111-000000001110"
WAYS = ["unix", "tcp", "http"]

pytestmark = pytest.mark.slow


def url(real: signal_cli.RealDaemon, way: str) -> str:
    ways = {
        "unix": f"unix://{real.path}",
        "tcp": f"tcp://127.0.0.1:{real.port}",
        "http": f"http://127.0.0.1:{real.http_port}",
    }
    return ways[way]


@pytest.mark.parametrize("way", WAYS)
async def test_it_answers(real: signal_cli.RealDaemon, way: str) -> None:
    async with desk.opened(url(real, way)) as daemon:
        about = await daemon.about()
        assert about == transport.About(
            version=about.version, mode="daemon", accounts=0, ours=False
        )
        assert about.version.split(".")[0] == "0"
        several = await asyncio.gather(*(daemon.about() for _ in range(20)))
        assert set(several) == {about}


@pytest.mark.case("C28")
@pytest.mark.parametrize("way", WAYS)
async def test_an_account_it_does_not_have(real: signal_cli.RealDaemon, way: str) -> None:
    async with desk.opened(url(real, way)) as daemon:
        assert (await daemon.send(ACI, "bonjour")).verdict is Verdict.GONE
        assert (await daemon.note_to_self("x")).verdict is Verdict.GONE
        with pytest.raises(bridge.BridgeDownError) as down:
            await daemon.receive(desk.Keeping())
        assert down.value.needs_human
        answers = await asyncio.gather(
            daemon.search(["+33639980002"]),
            daemon.untrusted(),
            daemon.trust(ACI),
            daemon.solve("token", "signalcaptcha://x"),
            daemon.profile_name(),
            daemon.set_profile_name("."),
            daemon.go_covert(),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers} == {transport.AwayError}


async def test_polling_an_account_it_does_not_have(real: signal_cli.RealDaemon) -> None:
    async with desk.opened(url(real, "unix"), way=settings.Way.DAEMON_POLLING) as daemon:
        with pytest.raises(bridge.BridgeDownError) as down:
            await daemon.receive(desk.Keeping())
    assert down.value.needs_human


async def test_its_error_answers(real: signal_cli.RealDaemon) -> None:
    """The codes that `jsonrpc` names are those that it uses."""
    asking = calls.OverSocket(place.read(url(real, "tcp")), clock.SystemClock())
    codes = []
    for method, params in (
        ("nonsense", {}),
        ("send", {"recipient": [ACI]}),
        ("unsubscribeReceive", {"subscription": 77}),
    ):
        with pytest.raises(jsonrpc.RefusedError) as refused:
            await asking.ask(method, params, 30)
        codes.append(refused.value.code)
    await asking.close()
    assert codes == [jsonrpc.METHOD_NOT_FOUND, jsonrpc.INVALID_PARAMS, jsonrpc.USER_ERROR]


async def test_it_is_seen_how_it_was_started(real: signal_cli.RealDaemon) -> None:
    async with desk.opened(url(real, "unix")) as daemon:
        found = {one.about: one.verdict for one in await daemon.findings()}
    assert found == {
        "signal-cli's daemon": bridge.Verdict.GOOD,
        "account": bridge.Verdict.FAULT,
        "start of the daemon": bridge.Verdict.GOOD,
    }
    async with desk.opened(url(real, "http")) as daemon:
        assert (await daemon.findings())[-1].verdict is bridge.Verdict.WARNING


def subscribed(
    real: signal_cli.RealDaemon, port: int, pace: handing.Pace
) -> subscribing.Subscribed:
    """To all accounts that it has: none, but it answers."""
    where = place.Place(host="127.0.0.1", port=port)
    return subscribing.Subscribed(where, clock.SystemClock(), account={}, pace=pace)


@pytest.mark.case("C26")
async def test_a_line_gone_dead_is_noticed(real: signal_cli.RealDaemon) -> None:
    """By the real clock: alive through five pings, then dead and noticed, with wide margins."""
    hand = desk.Keeping()
    pace = handing.Pace(ping_every_s=0.1, ping_limit_s=2.0)
    async with silence.Line(real.port) as line:
        async with desk.running(subscribed(real, line.port, pace).listen(hand)) as listening:
            await desk.until(lambda: len(hand.batches) >= 6)
            assert not listening.done()
            line.die()
            async with asyncio.timeout(20):
                with pytest.raises(bridge.BridgeDownError, match="half open"):
                    await listening
        line.live()
        seen = len(hand.batches)
        async with desk.running(subscribed(real, line.port, pace).listen(hand)):
            await desk.until(lambda: len(hand.batches) > seen + 2)
    assert line.connections == 2


@pytest.mark.case("C26")
async def test_calls_over_a_dead_line_end_in_time_and_a_new_line_serves(
    real: signal_cli.RealDaemon,
) -> None:
    async with silence.Line(real.port) as line:
        asking = calls.OverSocket(
            place.Place(host="127.0.0.1", port=line.port), clock.SystemClock()
        )
        assert await asking.ask("version", {}, 20)
        line.die()
        with pytest.raises(calls.NoAnswerError):
            await asking.ask("version", {}, 0.3)
        line.live()
        assert await asking.ask("version", {}, 20)
        await asking.close()
    assert line.connections == 2


@pytest.mark.case("C26")
async def test_it_is_restarted(real: signal_cli.RealDaemon) -> None:
    """Killed, then back: the link is told as cut, and all works again."""
    pace = handing.Pace()
    ear = subscribed(real, real.port, pace)
    hand = desk.Keeping()
    async with desk.opened(url(real, "unix")) as daemon:
        before = await daemon.about()
        async with desk.running(ear.listen(hand)) as listening:
            await desk.until(lambda: bool(hand.batches))
            await asyncio.to_thread(real.stop)
            with pytest.raises(bridge.BridgeDownError, match="cut"):
                await listening
        assert (await daemon.send(ACI, "x")).verdict is Verdict.AWAY
        with pytest.raises(bridge.BridgeDownError, match="not there"):
            await ear.listen(hand)
        await asyncio.to_thread(real.start)
        assert await daemon.about() == before
        heard = len(hand.batches)
        async with desk.running(ear.listen(hand)):
            await desk.until(lambda: len(hand.batches) > heard)


@pytest.mark.parametrize("way", ["unix", "tcp"])
async def test_how_much_stands_in_its_socket(
    real: signal_cli.RealDaemon, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loss window of a subscription when we are killed: what it writes to a silent reader.

    Its answers to `version` are as long as an envelope, by a long id.
    """
    opened = await place.connect(place.read(url(real, way)))
    line = jsonrpc.request("x" * 570, "version", {})
    loop = asyncio.get_running_loop()
    with opened:
        writing = asyncio.ensure_future(loop.sock_sendall(opened, line * 20_000))
        held, before = -1, -2
        while held != before:
            before = held
            await asyncio.wait({writing}, timeout=0.7)
            held = _waiting(opened)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    with capsys.disabled():
        said = f"{held} bytes, about {held // len(line)} messages of {len(line)} bytes"
        sys.stdout.write(f"\nwindow of the real signal-cli over {way}: {said}\n")
    assert 0 < held < 16 << 20


def _waiting(opened: socket.socket) -> int:
    """Bytes on their way to us: in our own queue, and in the sender's where it is TCP."""
    told = fcntl.ioctl(opened, termios.FIONREAD, b"\0" * 4)
    ours = int(struct.unpack("i", told)[0])
    if opened.family == socket.AF_UNIX:
        return ours
    port = f":{opened.getsockname()[1]:04X}"
    rows = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    theirs = [row.split() for row in rows.splitlines()]
    return ours + sum(int(f[4].split(":")[0], 16) for f in theirs if f[2].endswith(port))
