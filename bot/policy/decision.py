"""What becomes of a message, at arrival and again when its reply falls due.

Pure functions of frozen facts. The order of the questions is the policy: a wish to be left
alone comes before everything, then who must not be answered, then who was answered already.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

from bot.contract import messages
from bot.policy import delay, settings


class Verdict(enum.StrEnum):
    """The four things that can become of a message."""

    REPLY = "reply"
    HOLD = "hold"
    SILENCE = "silence"
    OPT_OUT = "opt_out"


class Reason(enum.StrEnum):
    """Why; each has its plain words in `bot.policy.reasons`."""

    FIRST_CONTACT = "first_contact"
    STOP = "stop"
    START = "start"
    BLOCKED = "blocked"
    OPTED_OUT = "opted_out"
    CALL = "call"
    MACHINE = "machine"
    PENDING = "pending"
    ANSWERED = "answered"
    RELEASE = "release"
    MONEY = "money"
    QUOTA = "quota"
    PACE = "pace"
    NEW_TOPIC = "new_topic"
    SEALED = "sealed"
    MODE = "mode"
    MERGED = "merged"
    TOO_DEAR = "too_dear"
    NO_ROUTE = "no_route"
    NIGHT = "night"
    EXPIRED = "expired"
    BY_HAND = "by_hand"
    PAUSED = "paused"
    PRIORITY = "priority"
    PROOF = "proof"
    RETRY = "retry"
    NOBODY = "nobody"
    RESTORED = "restored"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known of one message when it arrives.

    `ineligible`: why its number may not be answered, None if it may. `machine`: whether a
    program wrote it. `pending`: a reply to this person waits. `draw`: in [0, 1). `release`: a
    moderator releases the replies of this channel. `lane`: somebody should read it first
    (`bot.policy.distress`). `proof`: it is a word that we asked for (`bot.policy.proof`).
    """

    at_ms: int
    kind: messages.Kind
    wish: messages.Wish | None
    machine: bool
    ineligible: str | None
    opted_out: bool
    blocked: bool
    blocked_until_ms: int
    pending: bool
    draw: float
    release: bool = False
    lane: str | None = None
    proof: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`reason` is a Reason, or the number's own reason from `bot.policy.numbers`."""

    verdict: Verdict
    reason: str
    due_ms: int | None = None


def decide(facts: Facts, rules: settings.Reply) -> Decision:
    """At arrival. A reply or a hold comes with its due time."""
    if facts.wish is messages.Wish.STOP:
        return Decision(verdict=Verdict.OPT_OUT, reason=Reason.STOP)
    silent = _silent(facts)
    if silent is not None:
        return Decision(verdict=Verdict.SILENCE, reason=silent)
    due_ms = delay.first(facts.at_ms, rules, facts.draw)
    if facts.lane is not None:
        return Decision(verdict=Verdict.HOLD, reason=Reason.PRIORITY, due_ms=due_ms)
    if rules.release_by_hand or facts.release:
        return Decision(verdict=Verdict.HOLD, reason=Reason.RELEASE, due_ms=due_ms)
    return Decision(verdict=Verdict.REPLY, reason=Reason.FIRST_CONTACT, due_ms=due_ms)


def _silent(facts: Facts) -> str | None:
    """The first reason to stay silent, None if there is none."""
    for reason, holds in (
        (Reason.START, facts.wish is messages.Wish.START),
        (Reason.PROOF, facts.proof),
        (Reason.BLOCKED, facts.blocked),
        (Reason.OPTED_OUT, facts.opted_out),
        (Reason.CALL, facts.kind is messages.Kind.CALL),
        (Reason.MACHINE, facts.machine),
    ):
        if holds:
            return reason
    if facts.ineligible is not None:
        return facts.ineligible
    if facts.pending:
        return Reason.PENDING
    if facts.blocked_until_ms > facts.at_ms:
        return Reason.ANSWERED
    return None


class Step(enum.StrEnum):
    """What to do with a reply that fell due."""

    SEND = "send"
    HOLD = "hold"
    CANCEL = "cancel"
    EXPIRE = "expire"
    LATER = "later"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DueFacts:
    """All that is known of a reply when it falls due. `night_ends_ms`: None outside the night.

    `superseded`: his window is another reply's by now. `topic`: a new topic shared by many, that
    he writes about too. `approved`: a moderator let it go. `mode_holds`: the breaker's mode lets
    nothing go by itself. `restored`: he wrote before a backup was put back, so what is known of
    him may be of before he was answered. `erased`: he was forgotten while it was being sent, and
    nobody knows any more where to send it.
    """

    now_ms: int
    first_ms: int
    automatic: bool
    opted_out: bool
    blocked: bool
    night_ends_ms: int | None
    topic: int | None = None
    approved: bool = False
    mode_holds: bool = False
    superseded: bool = False
    restored: bool = False
    erased: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """`at_ms` only with LATER."""

    step: Step
    reason: str = ""
    at_ms: int | None = None


# Made once: every reply that falls due is answered by one of them.
_SEND: Final = Due(step=Step.SEND)
_OPTED_OUT: Final = Due(step=Step.CANCEL, reason=Reason.OPTED_OUT)
_BLOCKED: Final = Due(step=Step.CANCEL, reason=Reason.BLOCKED)
_MERGED: Final = Due(step=Step.CANCEL, reason=Reason.MERGED)
_EXPIRED: Final = Due(step=Step.EXPIRE, reason=Reason.EXPIRED)
_ERASED: Final = Due(step=Step.CANCEL, reason=Reason.BY_HAND)
_RESTORED: Final = Due(step=Step.HOLD, reason=Reason.RESTORED)
_NEW_TOPIC: Final = Due(step=Step.HOLD, reason=Reason.NEW_TOPIC)
_MODE: Final = Due(step=Step.HOLD, reason=Reason.MODE)


def decide_due(facts: DueFacts, rules: settings.Reply) -> Due:
    """At due time, by everything known by then. A hand reply is subject to the wish and its age.

    What was held comes back due at once; a clock that was set back must not make that early.
    """
    if facts.opted_out or facts.blocked:
        return _OPTED_OUT if facts.opted_out else _BLOCKED
    if facts.erased:
        return _ERASED
    if not facts.automatic:
        # Dated by when it was written; a day later nobody remembers what it answers.
        return _EXPIRED if facts.now_ms >= expires_ms(facts.first_ms, rules) else _SEND
    return _MERGED if facts.superseded else _by_time(facts, rules)


def _by_time(facts: DueFacts, rules: settings.Reply) -> Due:
    if facts.now_ms >= expires_ms(facts.first_ms, rules):
        return _EXPIRED
    earliest_ms = facts.first_ms + rules.delay_min_s * 1000
    if facts.now_ms < earliest_ms:
        return Due(step=Step.LATER, reason=Reason.FIRST_CONTACT, at_ms=earliest_ms)
    if not facts.approved and (why := _holds(facts)) is not None:
        return why
    if facts.night_ends_ms is not None:
        return Due(step=Step.LATER, reason=Reason.NIGHT, at_ms=facts.night_ends_ms)
    return _SEND


def _holds(facts: DueFacts) -> Due | None:
    """Why nobody's reply goes by itself that no moderator let go."""
    if facts.restored:
        return _RESTORED
    if facts.topic is not None:
        return _NEW_TOPIC
    return _MODE if facts.mode_holds else None


def expires_ms(first_ms: int, rules: settings.Reply) -> int:
    """When a reply is of no use any more: held or not, it is dropped then."""
    return first_ms + rules.expires_after_s * 1000


# A send that ended our process so often is not tried again, whatever the bridge says.
ATTEMPTS: Final = 5


def send_again(*, idempotent: bool, attempts: int, unwanted: bool, expired: bool) -> bool:
    """Whether a torn send is made again; otherwise it is unknown.

    `unwanted`: he opted out or was blocked since. It may be out, so it is never cancelled.
    """
    return idempotent and attempts < ATTEMPTS and not unwanted and not expired
