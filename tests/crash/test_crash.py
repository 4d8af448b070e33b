"""A few kills on PostgreSQL, and proof that the checks of every kill loop see what they should."""

from __future__ import annotations

import dataclasses
import pathlib
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bot.store import vault
from tests.crash import __main__ as crash
from tests.e2e import books, crowd, kills, truth
from tests.peers import postgres

ROUNDS = 5
HOUR = "2026-11-22"
MICROS = 80_000


@pytest.mark.slow
@pytest.mark.case("C01", "C02", "C03", "C06")
@pytest.mark.parametrize("idempotent", [True, False], ids=["dropped", "delivered"])
async def test_killed_on_postgresql_nothing_is_lost_and_nobody_answered_twice(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], *, idempotent: bool
) -> None:
    if reason := postgres.missing():
        pytest.skip(reason)
    seed = random.SystemRandom().randrange(1 << 32)
    with postgres.running(fsync=True) as cluster:
        plan = kills.Plan(
            seed=seed,
            rounds=ROUNDS,
            idempotent=idempotent,
            cap_day="10000" if idempotent else "1",
            server=books.Server(cluster, "postgres"),
            meanwhile=crash.Trouble(cluster),
        )
        run = await kills.killed(tmp_path, plan)
    with capsys.disabled():
        print(f"\n{run}")  # noqa: T201 (the seed is what repeats it)
    truth.check_stored(run.truth, run.crowd.messages)
    truth.check_phones(run.truth, run.crowd.messages, kills.DELAY_S[0])
    truth.check_replies(run.truth)
    truth.check_money(run.truth)
    # So few rounds need not have met a send; what they did meet is unknown where it must be.
    if not idempotent:
        assert run.truth.states["unknown"] == run.torn
    assert set(kills.broken(run).values()) == {0}


# ---------------------------------------------------------------- the checks themselves


def kept_run(**change: Any) -> kills.Run:  # noqa: ANN401 (any field of the truth)
    """One message, one reply, all promises kept; then `change`."""
    keys = vault.throwaway(1)
    letter = crowd.Message(
        id="m1", channel="sms", sender="p1", text="salut", first_try_ms=1_000, acknowledged_ms=1_010
    )
    reply: Mapping[str, Any] = {
        "id": 1,
        "state": "sent",
        "person_id": 1,
        "automatic": True,
        "price_micros": MICROS,
        "reserved_micros": MICROS,
        "attempts": 1,
        "opted_out_ms": None,
    }
    told: dict[str, Any] = {
        "seen": frozenset({keys.hash("seen", "sms\x00m1")}),
        "inbound": 1,
        "replies": {"r1": reply},
        "caps": {f"day:{HOUR}": MICROS, f"month:{HOUR[:7]}": MICROS},
        "postings": [{"account": "replies", "day": HOUR, "amount_micros": MICROS}],
        "deliveries": [{"to": "p1", "reply_id": "r1", "at_ms": 2_500}],
        "repeats": 1,
        "keys": keys,
    }
    people = crowd.Crowd("", 1)
    people.messages.append(letter)
    plan = kills.Plan(seed=1, rounds=1, idempotent=True, cap_day="10000")
    return kills.Run(plan=plan, crowd=people, truth=truth.Truth(**{**told, **change}), torn=1)


def test_a_run_that_kept_everything_passes() -> None:
    run = kept_run()
    kills.check(run)
    assert set(kills.broken(run).values()) == {0}


TWICE = [{"to": "p1", "reply_id": "r1", "at_ms": 2_500}] * 2
EARLY = [{"to": "p1", "reply_id": "r1", "at_ms": 1_999}]
DEAR = {"caps": {f"day:{HOUR}": 10**10 + 50_000, f"month:{HOUR[:7]}": 10**10 + 50_000}}


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ({"seen": frozenset()}, "lost"),
        ({"inbound": 2}, "stored twice"),
        ({"deliveries": TWICE}, "answered twice"),
        ({"deliveries": EARLY}, "early"),
        (DEAR, "cents over"),
    ],
    ids=["lost", "stored", "answered", "early", "over"],
)
def test_each_broken_promise_is_seen_and_counted(change: dict[str, Any], counted: str) -> None:
    run = kept_run(**change)
    assert kills.broken(run)[counted] > 0
    with pytest.raises(AssertionError):
        kills.check(run)


def doubled(run: kills.Run) -> dict[str, Any]:
    return {"replies": {**run.truth.replies, "r2": {**run.truth.replies["r1"], "id": 2}}}


def never_sent(run: kills.Run) -> dict[str, Any]:
    return {"deliveries": []}


def never_heard_of(run: kills.Run) -> dict[str, Any]:
    return {"deliveries": [{"to": "p1", "reply_id": "r9", "at_ms": 2_500}]}


def forgotten_money(run: kills.Run) -> dict[str, Any]:
    return {"postings": []}


@pytest.mark.parametrize("spoil", [doubled, never_sent, never_heard_of, forgotten_money])
def test_books_that_do_not_agree_are_seen(spoil: Callable[[kills.Run], dict[str, Any]]) -> None:
    with pytest.raises(AssertionError):
        kills.check(kept_run(**spoil(kept_run())))


def test_an_unknown_that_no_kill_explains_is_seen() -> None:
    run = kept_run()
    unrepeatable = dataclasses.replace(run.plan, idempotent=False)
    told = dataclasses.replace(run.truth, repeats=0)
    with pytest.raises(AssertionError):
        kills.check(dataclasses.replace(run, plan=unrepeatable, truth=told))
