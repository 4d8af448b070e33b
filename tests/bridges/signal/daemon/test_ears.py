"""The ways in: what is stored before what is read, silence, cuts, and a stop that loses nothing."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.contract import bridge
from bot.contract.conformance import fakes
from bridges.signal import settings
from tests.bridges.signal.daemon import desk
from tests.peers import signal_cli_fake, signal_cli_http

POLLING = settings.Way.DAEMON_POLLING


async def test_messages_wait_until_somebody_listens(fake: signal_cli_fake.FakeDaemon) -> None:
    fake.post(*range(500))
    hand = desk.Keeping()
    async with desk.opened(fake.url) as daemon, desk.running(daemon.receive(hand)):
        await desk.until(lambda: len(hand.numbers) == 500)
        fake.post(500)
        await desk.until(lambda: len(hand.numbers) == 501)
    assert hand.numbers == list(range(501))


async def test_nothing_more_is_read_before_the_last_is_stored(
    fake: signal_cli_fake.FakeDaemon,
) -> None:
    """A full socket holds signal-cli back, so most of a flood stays at Signal."""
    hand = desk.Keeping()
    hand.open.clear()
    async with desk.opened(fake.url) as daemon, desk.running(daemon.receive(hand)):
        fake.post(*range(12_000))
        await desk.until(hand.knocked.is_set)
        settled = -1
        while settled != len(fake.at_signal):
            settled = len(fake.at_signal)
            for _ in range(50):
                await asyncio.sleep(0)
        assert settled > 2_000
        hand.open.set()
        await desk.until(lambda: len(hand.numbers) == 12_000)
    assert hand.numbers == list(range(12_000))


async def test_what_was_not_stored_is_handed_over_again(fake: signal_cli_fake.FakeDaemon) -> None:
    hand = desk.Keeping()
    hand.refusals = 3
    fake.post(*range(50))
    async with desk.opened(fake.url) as daemon, desk.running(daemon.receive(hand)):
        await desk.until(lambda: len(hand.numbers) == 50)
    assert hand.numbers == list(range(50))
    assert hand.refusals == 0


@pytest.mark.case("C27")
async def test_every_recorded_envelope_is_handed_on_as_it_came(
    fake: signal_cli_fake.FakeDaemon, shared_dir: Path
) -> None:
    lines = (shared_dir / "contracts" / "signal-envelopes.sample.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    fake.envelope = lambda number: told[number]
    heard: list[object] = []

    async def hand(batch: Sequence[object]) -> None:
        heard.extend(batch)

    async with desk.opened(fake.url) as daemon, desk.running(daemon.receive(hand)):
        fake.post(*range(len(told)))
        await desk.until(lambda: len(heard) == len(told))
    assert [event["result"] for event in heard if isinstance(event, dict)] == told


@pytest.mark.case("C26")
async def test_a_planned_stop_loses_nothing(fake: signal_cli_fake.FakeDaemon) -> None:
    """Cancelled in the middle of a flood, fifty times: it unsubscribes and stores the rest."""
    fake.post(*range(5_000))
    hand = desk.Keeping()
    async with desk.opened(fake.url) as daemon:
        for turn in range(50):
            async with desk.running(daemon.receive(hand)):
                await desk.until(lambda turn=turn: len(hand.numbers) >= 50 * turn)  # type: ignore[misc]
        async with desk.running(daemon.receive(hand)):
            await desk.until(lambda: not fake.at_signal and fake.on_disk is None)
    assert sorted(set(hand.numbers)) == list(range(5_000))
    assert all(client.parted for client in fake.clients)


@pytest.mark.case("C26")
@pytest.mark.parametrize("deed", ["cut", "stop", "reset"])
async def test_a_lost_link_is_down_and_comes_back(
    fake: signal_cli_fake.FakeDaemon, deed: str
) -> None:
    hand = desk.Keeping()
    async with desk.opened(fake.url) as daemon:
        async with desk.running(daemon.receive(hand)) as listening:
            fake.post(1)
            await desk.until(lambda: hand.numbers == [1])
            if deed == "cut":
                fake.cut_all()
            else:
                await fake.stop(reset=deed == "reset")
            with pytest.raises(bridge.BridgeDownError, match="cut"):
                await listening
        if deed != "cut":
            with pytest.raises(bridge.BridgeDownError, match="not there"):
                await daemon.receive(hand)
            fake.start()
        fake.post(2)
        async with desk.running(daemon.receive(hand)):
            await desk.until(lambda: hand.numbers == [1, 2])


@pytest.mark.case("C26")
async def test_a_half_open_link_is_noticed_within_a_minute(
    fake: signal_cli_fake.FakeDaemon,
) -> None:
    moment = fakes.FakeClock()
    hand = desk.Keeping()
    async with (
        desk.opened(fake.url, moment) as daemon,
        desk.running(daemon.receive(hand)) as listening,
    ):
        await desk.until(lambda: bool(hand.batches))
        for _ in range(10):  # it answers: five minutes of nobody writing are no fault
            await moment.advance(31)
            heard = len(hand.batches)
            await desk.until(lambda heard=heard: len(hand.batches) >= heard)  # type: ignore[misc]
            await desk.until(lambda: fake.asked[-1][0] == "version")
            fake.asked.append(("looked", {}))
        assert not listening.done()
        fake.after = lambda _client, _method, _raw: b""
        began_s = moment.monotonic()
        while not listening.done():
            await moment.advance(1)
        assert moment.monotonic() - began_s <= 60
        with pytest.raises(bridge.BridgeDownError, match="half open"):
            await listening


async def test_a_daemon_that_never_answers_the_subscription(
    fake: signal_cli_fake.FakeDaemon,
) -> None:
    moment = fakes.FakeClock()
    fake.after = lambda _client, _method, _raw: b""
    async with (
        desk.opened(fake.url, moment) as daemon,
        desk.running(daemon.receive(desk.Keeping())) as listening,
    ):
        await desk.until(lambda: bool(fake.asked))
        await moment.advance(60)
        with pytest.raises(bridge.BridgeDownError, match="does not answer"):
            await listening


@pytest.mark.case("C28")
@pytest.mark.parametrize("way", [settings.Way.DAEMON, POLLING])
async def test_an_unknown_account_needs_somebody(
    fake: signal_cli_fake.FakeDaemon, way: settings.Way
) -> None:
    def gone(client: object, method: str, params: object) -> None:
        raise signal_cli_fake.Trouble(-32602, "Specified account does not exist")

    fake.before = gone
    async with desk.opened(fake.url, way=way) as daemon:
        with pytest.raises(bridge.BridgeDownError) as down:
            await daemon.receive(desk.Keeping())
    assert down.value.needs_human
    assert desk.NUMBER not in f"{down.value} {down.value.needs_human}"


async def test_nonsense_between_messages_costs_no_message(
    fake: signal_cli_fake.FakeDaemon,
) -> None:
    hand = desk.Keeping()
    async with desk.opened(fake.url) as daemon, desk.running(daemon.receive(hand)):
        await desk.until(lambda: bool(hand.batches))
        client = fake.clients[-1]
        fake.post(1)
        await desk.until(lambda: hand.numbers == [1])
        await client.say(b'nonsense\n{"method":"x"}\n[]\n\n\xff\n{"id":"1","result":{}}\n')
        unasked = {"method": "receive", "params": signal_cli_fake.envelope(2)}  # on-start mode
        await client.say(json.dumps(unasked).encode() + b"\n")
        await desk.until(lambda: hand.numbers == [1, 2])
    assert len(fake.clients) == 1


async def test_a_line_without_end_is_refused(fake: signal_cli_fake.FakeDaemon) -> None:
    async with (
        desk.opened(fake.url) as daemon,
        desk.running(daemon.receive(desk.Keeping())) as listening,
    ):
        await desk.until(lambda: bool(fake.clients and fake.clients[0].subscription is not None))
        with contextlib.suppress(OSError):
            await fake.clients[0].say(b"x" * (8 << 20))
        with pytest.raises(bridge.BridgeDownError, match="cut"):
            await listening


async def test_polling_takes_a_batch_at_a_time(fake: signal_cli_fake.FakeDaemon) -> None:
    moment = fakes.FakeClock()
    hand = desk.Keeping()
    fake.post(*range(120))
    async with (
        desk.opened(fake.url, moment, POLLING, poll_batch=50, poll_s=5) as daemon,
        desk.running(daemon.receive(hand)),
    ):
        await desk.until(lambda: len(hand.numbers) == 120)
        assert hand.batches == [50, 50, 20]
        fake.post(120)
        await moment.advance(6)
        await desk.until(lambda: len(hand.numbers) == 121)
    assert hand.numbers == list(range(121))


@pytest.mark.case("C26")
async def test_polling_stopped_in_a_call_stores_what_it_brings(
    fake: signal_cli_fake.FakeDaemon,
) -> None:
    late = asyncio.Event()
    asked = fake._do_receive

    async def slow(client: signal_cli_fake.Client, params: signal_cli_fake.Rpc) -> object:
        taken = await asked(client, params)
        await late.wait()
        return taken

    fake._do_receive = slow  # type: ignore[assignment,method-assign]
    fake.post(*range(20))
    hand = desk.Keeping()
    async with desk.opened(fake.url, way=POLLING) as daemon:
        listening = asyncio.ensure_future(daemon.receive(hand))
        await desk.until(lambda: not fake.at_signal)
        listening.cancel()
        asyncio.get_running_loop().call_later(0.05, late.set)
        await asyncio.gather(listening, return_exceptions=True)
    assert hand.numbers == list(range(20))


async def test_events_over_http() -> None:
    async with signal_cli_http.FakeHttp() as fake:
        fake.post(*range(3_000))
        hand = desk.Keeping()
        async with desk.opened(fake.url) as daemon:
            async with desk.running(daemon.receive(hand)) as listening:
                await desk.until(lambda: len(hand.numbers) == 3_000)
                fake.cut_all()
                with pytest.raises(bridge.BridgeDownError, match=r"ended|cut"):
                    await listening
            fake.post(3_000)
            async with desk.running(daemon.receive(hand)):
                await desk.until(lambda: len(hand.numbers) == 3_001)
    assert hand.numbers == list(range(3_001))


@pytest.mark.case("C26")
async def test_silent_events_over_http_are_noticed() -> None:
    moment = fakes.FakeClock()
    async with (
        signal_cli_http.FakeHttp() as fake,
        desk.opened(fake.url, moment) as daemon,
        desk.running(daemon.receive(desk.Keeping())) as listening,
    ):
        await desk.until(lambda: bool(fake.clients))
        began_s = moment.monotonic()
        while not listening.done():
            await moment.advance(1)
        assert 15 < moment.monotonic() - began_s <= 90
        with pytest.raises(bridge.BridgeDownError, match="half open"):
            await listening
