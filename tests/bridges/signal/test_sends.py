"""What becomes of a send, by every answer that the neighbour is known to give."""

import asyncio
import datetime as dt
import functools
import itertools
from collections.abc import Callable, Sequence

import pytest

from bot.contract import address, bridge, messages, outcomes
from bot.contract.conformance import fakes
from bridges import signal
from bridges.signal import answers, pace, settings, transport
from bridges.signal import bridge as signal_bridge
from tests.bridges.signal import envelopes, line, neighbour, world

HIM = address.Address(address.SIGNAL, world.HIM)


async def turn(clock: fakes.FakeClock, until: Callable[[], bool], seconds: float = 0.1) -> None:
    """Let virtual time pass until it is so; bounded by real time."""
    async with asyncio.timeout(20):
        while not until():
            await clock.advance(seconds)
            await asyncio.sleep(0)


async def sent(
    made: signal_bridge.Signal, clock: fakes.FakeClock, one: messages.OutboundReply
) -> outcomes.Outcome:
    """One send to its end while virtual time passes; told to come back, it does, as the core."""
    while True:
        task = asyncio.create_task(made.send(one))
        await turn(clock, task.done)
        outcome = task.result()
        if not isinstance(outcome, outcomes.NotNow) or outcome.reason != "pace":
            return outcome
        await turn(clock, functools.partial(_is_past, clock, outcome.retry_at))


def _is_past(clock: fakes.FakeClock, moment: dt.datetime) -> bool:
    return clock.now() >= moment


@pytest.mark.parametrize("newer", [True, False])
async def test_both_shapes_of_taken(newer: bool) -> None:
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock)) as (side, made):
        side.newer = newer
        outcome = await sent(made, clock, world.reply())
        assert isinstance(outcome, outcomes.Accepted)
        (got,) = side.ledger
        assert (got.recipient, got.text) == (world.HIM, "Bonjour.")
        assert outcome.provider_id == str(got.timestamp)


@pytest.mark.case("C04")
@pytest.mark.parametrize("fault", ["cut delivered", "500", "nonsense", "reset", "hang", "failed"])
async def test_what_may_have_gone_out_is_unknown(fault: str) -> None:
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock)) as (side, made):
        side.faults.append(fault)
        assert isinstance(await sent(made, clock, world.reply()), outcomes.Unknown)
        # Nor is it sent when it is asked for again: it may be there.
        assert isinstance(await sent(made, clock, world.reply()), outcomes.Unknown)
        asked = [one for one in side.asked if one.path == "/v2/send"]
        assert len(asked) == 1


@pytest.mark.case("C28")
async def test_a_challenge_is_for_a_moderator() -> None:
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock)) as (side, made):
        side.faults.append("limited")
        before = clock.now()
        outcome = await sent(made, clock, world.reply())
        assert isinstance(outcome, outcomes.NotNow)
        assert outcome.challenge == neighbour.TOKEN
        assert outcome.retry_at - before >= dt.timedelta(seconds=86_400)
        told = await made.health()
        assert told.condition is bridge.Condition.NEEDS_HUMAN
        assert "antirelou captcha signal" in told.detail
        assert "https://signalcaptchas.org/challenge/generate.html" in told.detail
        assert not await made.solve(neighbour.TOKEN, "signalcaptcha://wrong")
        assert (await made.health()).condition is bridge.Condition.NEEDS_HUMAN
        assert await made.solve(neighbour.TOKEN, side.captcha)
        assert (await made.health()).condition is bridge.Condition.UP


@pytest.mark.case("C28")
async def test_a_plain_limit_keeps_everybody_quiet_over_a_restart() -> None:
    clock, storage = fakes.FakeClock(), fakes.FakeStorage()
    async with world.bench(lent=world.context(clock, storage)) as (side, made):
        side.faults.append("slow down")
        first = await sent(made, clock, world.reply())
        assert isinstance(first, outcomes.NotNow)
        assert first.challenge is None
        again = signal.create(world.table(side.url), world.context(clock, storage))
        second = await sent(again, clock, world.reply(2))
        assert isinstance(second, outcomes.NotNow)
        await clock.advance(3_601)
        assert isinstance(await sent(again, clock, world.reply(2)), outcomes.Accepted)
        await again.close()


@pytest.mark.case("C28")
@pytest.mark.parametrize("fault", ["gone", "outdated"])
async def test_a_lost_account_stops_the_bridge_and_replies_wait(fault: str) -> None:
    clock = fakes.FakeClock()
    door = fakes.FakeIntake()
    async with world.bench(lent=world.context(clock)) as (side, made):
        made.routes(door)
        listening = asyncio.create_task(made.listen(door))
        await turn(clock, lambda: any(one.path == "/v1/accounts" for one in side.asked))
        side.faults.append(fault)
        outcome = await sent(made, clock, world.reply())
        assert isinstance(outcome, outcomes.NotNow)
        await turn(clock, listening.done)
        with pytest.raises(bridge.BridgeDownError) as told:
            listening.result()
        assert told.value.needs_human
        assert envelopes.OURS not in str(told.value)
        assert (await made.health()).condition is bridge.Condition.NEEDS_HUMAN


async def test_nobody_there_is_final_and_names_nobody() -> None:
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock)) as (side, made):
        side.faults.append("unregistered")
        outcome = await sent(made, clock, world.reply())
        assert isinstance(outcome, outcomes.Rejected)
        assert world.HIM not in outcome.reason
        assert not outcome.stop_channel


@pytest.mark.case("C27")
async def test_new_keys_are_trusted_once_then_it_is_sent_again() -> None:
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock)) as (side, made):
        side.faults.extend(["untrusted", None, "untrusted", "untrusted"])
        assert isinstance(await sent(made, clock, world.reply()), outcomes.NotNow)
        assert side.trusted == [world.HIM]
        assert isinstance(await sent(made, clock, world.reply()), outcomes.Accepted)
        assert isinstance(await sent(made, clock, world.reply(2)), outcomes.NotNow)
        assert isinstance(await sent(made, clock, world.reply(2)), outcomes.Rejected)


async def test_a_neighbour_that_is_not_there_has_sent_nothing() -> None:
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock)) as (side, made):
        await side.close()
        assert isinstance(await sent(made, clock, world.reply()), outcomes.NotNow)
        await side.open()
        assert isinstance(await sent(made, clock, world.reply()), outcomes.Accepted)
        assert len(side.ledger) == 1


async def test_sends_keep_a_gap_and_nobody_waits_long_inside() -> None:
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock), gap_s=3) as (side, made):
        ends = await asyncio.wait_for(
            _all(made, clock, [world.reply(n) for n in range(1, 6)]), timeout=20
        )
        kinds = [type(end).__name__ for end in ends]
        # A pause or a STOP is asked for again before each, but for a second at the most (C21).
        assert kinds.count("Accepted") == 1
        retries = sorted(e.retry_at for e in ends if isinstance(e, outcomes.NotNow))
        gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(retries)]
        assert gaps == [3, 3, 3]
        assert len(side.ledger) == 1
        assert pace.PATIENCE_S < 2


async def _all(
    made: signal_bridge.Signal, clock: fakes.FakeClock, several: list[messages.OutboundReply]
) -> list[outcomes.Outcome]:
    tasks = [asyncio.create_task(made.send(one)) for one in several]
    await turn(clock, lambda: all(task.done() for task in tasks))
    return [task.result() for task in tasks]


ANSWERS = [
    (201, b'{"timestamp":"1700000000123"}', transport.Verdict.TAKEN),
    (201, b'[{"timestamp":"1700000000123"}]', transport.Verdict.TAKEN),
    (201, b'[{"timestamp":"1700000000123","errors":null}]', transport.Verdict.TAKEN),
    (201, b'[{"timestamp":"1"}]', transport.Verdict.UNSURE),
    (201, b"[]", transport.Verdict.UNSURE),
    (200, b"", transport.Verdict.UNSURE),
    (429, b"{}", transport.Verdict.LIMITED),
    (429, b"nonsense", transport.Verdict.LIMITED),
    (401, b"", transport.Verdict.AWAY),
    (404, b"<html>", transport.Verdict.AWAY),
    (502, b"", transport.Verdict.UNSURE),
    (400, b'{"error":"Failed to send message"}', transport.Verdict.UNSURE),
    (400, b'{"error":"x io"}', transport.Verdict.UNSURE),
    (400, b'{"error":"Invalid identifier group.YWJj"}', transport.Verdict.REFUSED),
    (400, b'{"error":"Unable ... untrusted recipient keys"}', transport.Verdict.UNTRUSTED),
    (400, b'{"error":"The user x is not registered."}', transport.Verdict.UNREGISTERED),
    (400, b'{"error":"Authorization failed! [401]"}', transport.Verdict.GONE),
    (400, b'{"error":{"a":1}}', transport.Verdict.UNSURE),
]


@pytest.mark.case("C04")
@pytest.mark.parametrize(("status", "body", "verdict"), ANSWERS)
def test_answers(status: int, body: bytes, verdict: transport.Verdict) -> None:
    assert answers.of_send(status, body, envelopes.OURS).verdict is verdict


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("UNREGISTERED_FAILURE", transport.Verdict.UNREGISTERED),
        ("IDENTITY_FAILURE", transport.Verdict.UNTRUSTED),
        ("RATE_LIMIT_FAILURE", transport.Verdict.LIMITED),
        ("NETWORK_FAILURE", transport.Verdict.UNSURE),
        ("SOMETHING_NEW", transport.Verdict.UNSURE),
    ],
)
def test_half_failures_of_newer_servers(reason: str, verdict: transport.Verdict) -> None:
    recipient = f'{{"number":null,"uuid":"x","reason":"{reason}"}}'
    body = f'[{{"timestamp":"1700000000123","errors":{{"recipients":[{recipient}]}}}}]'
    assert answers.of_send(201, body.encode(), envelopes.OURS).verdict is verdict


class Wary(line.Line):
    """Signal as long as it wants a captcha for every question."""

    async def search(self, numbers: Sequence[str]) -> transport.Found:
        return transport.Found(accounts={}, limited=True, challenge=neighbour.TOKEN)


@pytest.mark.case("C28")
async def test_only_a_send_begun_after_a_challenge_lifts_it() -> None:
    clock = fakes.FakeClock()
    chosen = settings.read(world.table("http://127.0.0.1:1", gap_s=0), "signal")
    made = signal_bridge.Signal(chosen, world.context(clock), Wary(clock, lambda: None))
    before = asyncio.create_task(made.send(world.reply(1)))
    for _ in range(20):
        await asyncio.sleep(0)
    with pytest.raises(bridge.ChallengedError):
        await made.look_up([address.Address(address.SMS, "+33639980031")])
    assert not before.done()
    await turn(clock, before.done)
    assert isinstance(before.result(), outcomes.Accepted)
    assert (await made.health()).condition is bridge.Condition.NEEDS_HUMAN
    later = address.Address(address.SIGNAL, envelopes.aci(2))
    assert isinstance(await sent(made, clock, world.reply(2, later)), outcomes.Accepted)
    assert (await made.health()).condition is bridge.Condition.UP
