"""Guards of the real bridges, taken out one by one: the simulation's providers must show it."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.contract import intake, outcomes
from bridges.matrix import sending as matrix_sending
from bridges.signal import bridge as signal_bridge
from bridges.signal import receiving
from bridges.sms import seven
from bridges.sms.smsgate import sending as gate_sending
from bridges.sms.twilio import sending, signature, webhooks
from tests.dst import __main__ as main
from tests.dst import check, felt, outside, people, test_dst
from tests.dst import run as runs

quiet = test_dst.quiet
ENOUGH = 15
ROUNDS = 4
# Every kind of trouble must be met by these; each is a whole run with the named networks.
ALL = (
    (1, (people.TWILIO, people.SIGNAL)),
    (2, (people.TWILIO, people.GATE)),
    (3, (people.MATRIX, people.TWILIO)),
    (4, (people.SIGNAL, people.GATE)),
    (5, (people.SIM, people.TWILIO, people.MATRIX)),
    (6, (people.TWILIO,)),
    (7, (people.SIGNAL, people.TWILIO)),
    (8, (people.GATE, people.MATRIX)),
    (11, (people.GATE,)),
    (9, (people.SEVEN, people.SIGNAL)),
)


@pytest.mark.slow
@pytest.mark.case("C01", "C02", "C03", "C04", "C09")
def test_every_kind_of_trouble_is_met_felt_and_outlived() -> None:
    met: collections.Counter[str] = collections.Counter()
    effects: collections.Counter[str] = collections.Counter()
    swept = late = again = asked = 0
    for seed, channels in _runs():
        dying = frozenset({"send taken"} if seed % 2 else ())
        alone = channels == (people.TWILIO,)
        plan = runs.Plan(
            channels=channels, places=dying, messages=70, people=30, crowd=alone or None
        )
        run = runs.play(seed, plan)
        found = check.faults(run)
        assert not found, check.shown(run, found)
        met += run.faults + run.outside.faults
        effects += felt.effects(run)
        calls = run.outside.calls
        # What never was acknowledged and is stored all the same was swept in.
        swept += sum(
            one.acked_s is None and one.handed and one.channel == people.TWILIO
            for one in run.letters
        )
        late += sum(call.fate == "answer_slow" for call in calls)
        again += len(calls) - len({(call.channel, call.reply_id) for call in calls})
        asked += run.points.passed["Twilio is asked"]
        if not felt.wanting(met, effects):
            break
    assert felt.wanting(met, effects) == []
    assert min(swept, late, again, asked) > 0


def _runs() -> Iterator[tuple[int, tuple[str, ...]]]:
    """Those above, and others like them until each kind was felt."""
    for more in range(ROUNDS):
        yield from ((seed + 100 * more, channels) for seed, channels in ALL)


def test_a_kind_that_does_nothing_is_found_out() -> None:
    much = dict.fromkeys(felt.KINDS, 3)
    assert felt.wanting(much, much) == []
    assert felt.wanting({**much, "429": 0}, much) == ["429: never happened"]
    idle = felt.wanting(much, {**much, "forged": 0})
    assert idle == ["forged: 3 times, and nothing came of it"]
    half = main.Sum(counts=collections.Counter({"fault 429": 2}), seeds=main.ENOUGH)
    assert half.bad
    assert "429: 2 times, and nothing came of it" in half.wanting()


def a_time_limit_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sending.Sending._create

    async def create(*told: Any) -> outcomes.Outcome:  # noqa: ANN401 (as the real one)
        return _tried_again(await real(*told), told[0]._line.now())

    monkeypatch.setattr(sending.Sending, "_create", create)


def _tried_again(outcome: outcomes.Outcome, now: dt.datetime) -> outcomes.Outcome:
    if isinstance(outcome, outcomes.Unknown):
        return outcomes.NotNow(reason="timeout", retry_at=now + dt.timedelta(minutes=1))
    return outcome


def an_unknown_message_ends_the_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id is looked for among those that the answers of our sends have told."""
    known: set[str] = set()
    created, status = sending.Sending._create, webhooks.Webhooks._status

    async def create(*told: Any) -> outcomes.Outcome:  # noqa: ANN401 (as the real one)
        outcome = await created(*told)
        known.update({outcome.provider_id} if isinstance(outcome, outcomes.Accepted) else ())
        return outcome

    async def take(of: Any, form: Any, query: str) -> bytes:  # noqa: ANN401 (as the real one)
        if form.one("MessageSid") not in known:
            raise KeyError("MessageSid")
        return await status(of, form, query)

    monkeypatch.setattr(sending.Sending, "_create", create)
    monkeypatch.setattr(webhooks.Webhooks, "_status", take)


def anybody_may_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "good", lambda *_, **__: True)


def signal_sends_again_what_it_is_not_sure_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unsure(of: Any, reply: Any, _answer: Any) -> outcomes.Outcome:  # noqa: ANN401
        await of._doubts.certain(reply.reply_id)
        return of._later("unsure", 60)  # type: ignore[no-any-return]

    monkeypatch.setattr(signal_bridge.Signal, "_unsure", unsure)


def signal_is_told_stored_when_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    real = receiving.Ear.hand

    async def hand(of: Any, batch: Any) -> None:  # noqa: ANN401 (as the real one)
        try:
            await real(of, batch)
        except intake.NotStoredError:
            return

    monkeypatch.setattr(receiving.Ear, "hand", hand)


def the_phone_gets_a_new_id_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, real = random.Random(1), gate_sending.body

    def body(reply: Any, *more: Any) -> dict[str, object]:  # noqa: ANN401 (as the real one)
        named = dataclasses.replace(reply, reply_id=f"{draw.randrange(16**32):032x}")
        return real(named, *more)

    monkeypatch.setattr(gate_sending, "body", body)


def matrix_gets_a_new_transaction_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, real = random.Random(1), matrix_sending.Voice.put

    async def put(of: Any, room: str, transaction: str, *more: Any, **how: Any) -> str:  # noqa: ANN401
        return await real(of, room, f"{transaction}{draw.randrange(1000)}", *more, **how)

    monkeypatch.setattr(matrix_sending.Voice, "put", put)


def seven_takes_silence_for_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    real = seven.Seven.send

    async def send(of: Any, reply: Any) -> outcomes.Outcome:  # noqa: ANN401 (as the real one)
        return _tried_again(await real(of, reply), of._clock.now())

    monkeypatch.setattr(seven.Seven, "send", send)


Sabotage = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sabotage", "channels", "word"),
    [
        (a_time_limit_is_a_no, (people.TWILIO,), "sent again"),
        (an_unknown_message_ends_the_callback, (people.TWILIO,), "raised KeyError"),
        (anybody_may_sign, (people.TWILIO,), "are stored"),
        (signal_sends_again_what_it_is_not_sure_of, (people.SIGNAL,), "sent again"),
        (signal_is_told_stored_when_it_is_not, (people.SIGNAL,), "are stored"),
        (the_phone_gets_a_new_id_each_time, (people.GATE,), "two replies"),
        (matrix_gets_a_new_transaction_each_time, (people.MATRIX,), "two replies"),
        (seven_takes_silence_for_a_no, (people.SEVEN,), "sent again"),
    ],
    ids=lambda told: getattr(told, "__name__", None),
)
def test_a_guard_of_a_bridge_that_is_taken_out_is_seen(
    sabotage: Sabotage, channels: tuple[str, ...], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    # Half of them die once just when the provider has taken a send: then the bridge repeats it.
    dying = runs.Plan(channels=channels, places=frozenset({"send taken"}), crashes=0)
    plans = (runs.Plan(channels=channels), dying)
    seen = (
        one
        for seed in range(1, ENOUGH + 1)
        for one in check.faults(runs.play(seed, plans[seed % 2]))
    )
    assert any(word in one for one in seen)


def test_the_share_of_each_fate_is_a_whole() -> None:
    assert sum(outside.FATES.values()) == pytest.approx(1)
    assert set(outside.FATES) >= outside.OUT | outside.CERTAIN
    unsure = set(outside.FATES) - outside.OUT - outside.CERTAIN
    assert unsure == {"hang_before", "cut_before", "5xx_before"}
