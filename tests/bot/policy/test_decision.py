"""Decisions at arrival and at due time, as tables and as properties of all facts."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import messages
from bot.policy import decision, settings
from bot.policy.decision import Reason, Step, Verdict

RULES = settings.Reply()
NOW_MS = 1_800_000_000_000
PLAIN = decision.Facts(
    at_ms=NOW_MS,
    kind=messages.Kind.TEXT,
    wish=None,
    machine=False,
    ineligible=None,
    opted_out=False,
    blocked=False,
    blocked_until_ms=0,
    pending=False,
    draw=0.5,
)


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        ({}, Verdict.REPLY, Reason.FIRST_CONTACT),
        ({"kind": messages.Kind.ATTACHMENT}, Verdict.REPLY, Reason.FIRST_CONTACT),
        ({"kind": messages.Kind.CALL}, Verdict.SILENCE, Reason.CALL),
        ({"wish": messages.Wish.STOP}, Verdict.OPT_OUT, Reason.STOP),
        ({"wish": messages.Wish.START}, Verdict.SILENCE, Reason.START),
        ({"machine": True}, Verdict.SILENCE, Reason.MACHINE),
        ({"ineligible": "premium"}, Verdict.SILENCE, "premium"),
        ({"opted_out": True}, Verdict.SILENCE, Reason.OPTED_OUT),
        ({"blocked": True}, Verdict.SILENCE, Reason.BLOCKED),
        ({"pending": True}, Verdict.SILENCE, Reason.PENDING),
        ({"blocked_until_ms": NOW_MS + 1}, Verdict.SILENCE, Reason.ANSWERED),
        ({"blocked_until_ms": NOW_MS}, Verdict.REPLY, Reason.FIRST_CONTACT),
    ],
)
def test_each_fact_decides(change: dict[str, object], verdict: Verdict, reason: str) -> None:
    facts = dataclasses.replace(PLAIN, **change)  # type: ignore[arg-type]
    decided = decision.decide(facts, RULES)
    assert (decided.verdict, decided.reason) == (verdict, reason)


_FACTS = st.builds(
    decision.Facts,
    at_ms=st.just(NOW_MS),
    kind=st.sampled_from(messages.Kind),
    wish=st.none() | st.sampled_from(messages.Wish),
    machine=st.booleans(),
    ineligible=st.none() | st.just("landline"),
    opted_out=st.booleans(),
    blocked=st.booleans(),
    blocked_until_ms=st.sampled_from([0, NOW_MS, NOW_MS + 5]),
    pending=st.booleans(),
    draw=st.floats(0, 1, exclude_max=True),
)


@pytest.mark.case("C15")
@pytest.mark.case("C16")
@given(_FACTS)
def test_a_wish_wins_and_a_reply_needs_every_guard(facts: decision.Facts) -> None:
    decided = decision.decide(facts, RULES)
    assert (decided.verdict is Verdict.OPT_OUT) == (facts.wish is messages.Wish.STOP)
    if decided.verdict is not Verdict.REPLY:
        assert decided.due_ms is None
        return
    assert facts.wish is None
    assert not any((facts.machine, facts.opted_out, facts.blocked, facts.pending))
    assert facts.ineligible is None
    assert facts.kind is not messages.Kind.CALL
    assert facts.blocked_until_ms <= facts.at_ms
    assert decided.due_ms is not None
    assert 3600 <= (decided.due_ms - facts.at_ms) / 1000 <= 6300


def test_release_by_hand_holds_what_would_have_been_replied_to() -> None:
    rules = settings.Reply(release_by_hand=True)
    decided = decision.decide(PLAIN, rules)
    assert (decided.verdict, decided.reason) == (Verdict.HOLD, Reason.RELEASE)
    assert decided.due_ms == decision.decide(PLAIN, RULES).due_ms


DUE = decision.DueFacts(
    now_ms=NOW_MS,
    first_ms=NOW_MS - 4_000_000,
    automatic=True,
    opted_out=False,
    blocked=False,
    night_ends_ms=None,
)


@pytest.mark.parametrize(
    ("change", "step", "reason"),
    [
        ({}, Step.SEND, ""),
        ({"opted_out": True}, Step.CANCEL, Reason.OPTED_OUT),
        ({"blocked": True}, Step.CANCEL, Reason.BLOCKED),
        ({"first_ms": NOW_MS - 86_400_000}, Step.EXPIRE, Reason.EXPIRED),
        ({"first_ms": NOW_MS - 86_399_999}, Step.SEND, ""),
        ({"night_ends_ms": NOW_MS + 9}, Step.LATER, Reason.NIGHT),
        ({"night_ends_ms": NOW_MS + 9, "automatic": False}, Step.SEND, ""),
        ({"opted_out": True, "automatic": False}, Step.CANCEL, Reason.OPTED_OUT),
        ({"topic": 7}, Step.HOLD, Reason.NEW_TOPIC),
        ({"topic": 7, "approved": True}, Step.SEND, ""),
        ({"topic": 7, "opted_out": True, "approved": True}, Step.CANCEL, Reason.OPTED_OUT),
        ({"mode_holds": True}, Step.HOLD, Reason.MODE),
        ({"mode_holds": True, "approved": True}, Step.SEND, ""),
        ({"mode_holds": True, "automatic": False}, Step.SEND, ""),
        ({"first_ms": NOW_MS - 86_400_000, "automatic": False}, Step.EXPIRE, Reason.EXPIRED),
        ({"first_ms": NOW_MS - 86_400_000 + 1, "automatic": False}, Step.SEND, ""),
    ],
)
def test_due_replies_are_decided_again(change: dict[str, object], step: Step, reason: str) -> None:
    facts = dataclasses.replace(DUE, **change)  # type: ignore[arg-type]
    due = decision.decide_due(facts, RULES)
    assert (due.step, due.reason) == (step, reason)
    assert due.at_ms == (facts.night_ends_ms if step is Step.LATER else None)


@pytest.mark.case("C16", "C32")
def test_a_clock_that_was_set_back_makes_nothing_early() -> None:
    rules = settings.Reply()
    earliest_ms = 10_000_000 + rules.delay_min_s * 1000
    early = decision.DueFacts(
        now_ms=earliest_ms - 1,
        first_ms=10_000_000,
        automatic=True,
        opted_out=False,
        blocked=False,
        night_ends_ms=None,
        approved=True,
    )
    due = decision.decide_due(early, rules)
    assert (due.step, due.at_ms) == (decision.Step.LATER, earliest_ms)
    then = dataclasses.replace(early, now_ms=earliest_ms)
    assert decision.decide_due(then, rules).step is decision.Step.SEND
