"""What came of each kind of trouble: read off our program's reaction, not where it is made.

A fault that is counted and changes nothing proves nothing. What shows at once is counted in
`outside.Outside.effects` on the way; the rest is looked up at the end of a run.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Mapping
from typing import Final

import sqlalchemy as sa

from bot import outbox
from bot.contract import bridge, messages, outcomes
from bot.policy.decision import Reason
from bot.policy.lifecycle import State
from bot.store import events, tables, vault
from tests.dst import books, moderators, outside, told

KINDS: Final = (
    *(kind for kind in outside.FATES if kind != "accepted"),
    *("question_hangs", "question_cut", "question_absent", "news_before_answer", "news_twice"),
    *("news_lost", "not_delivered", "not_delivered_30003", "not_delivered_30008"),
    *("not_delivered_for_good", "delivered_twice", "one_sms_two_events", "look_up_limited"),
    *("look_up_challenged", "crowd"),
    *("webhook_late", "webhook_lost", "webhook_again", "webhook_given_up"),
    *("ack_lost", "answer_lost", "forged", "repeat_dropped"),
    *("disk_away", "commit_failed", "write_refused", "clock_jump", "tried_again", "key_turned"),
    *("paused", "decided_twice", "decided_against", "cap_changed", "text_changed"),
    *("blocked", "by_hand", "by_hand_twice", "merged", "erased"),
    *("wish: stop", "wish: stop at due", "wish: start"),
)
_SLOW_S: Final = 1.0

_i, _p, _r, _e = tables.inbound, tables.persons, tables.replies, tables.events
_NAMES: Final = sa.select(_r.c.id, _r.c.provider_id, _r.c.state)


def wanting(faults: Mapping[str, int], effects: Mapping[str, int]) -> list[str]:
    """The kinds that never happened, or of which nothing ever came; in plain words."""
    never = [f"{kind}: never happened" for kind in KINDS if not faults.get(kind)]
    idle = [
        f"{kind}: {faults[kind]} times, and nothing came of it"
        for kind in KINDS
        if faults.get(kind) and not effects.get(kind)
    ]
    return never + idle


def watch(one: bridge.Bridge, world: outside.Outside) -> None:
    """See what each send of this bridge says of the requests that it made."""
    real = one.send

    async def send(reply: messages.OutboundReply) -> outcomes.Outcome:
        calls: list[outside.Call] = []
        before = outside.SENDING.set(calls)
        begun_s = world.clock.monotonic()
        try:
            outcome = await real(reply)
        finally:
            outside.SENDING.reset(before)
        lasted_s = world.clock.monotonic() - begun_s
        if calls:
            fate = calls[-1].fate
            world.effects[fate] += _shown(fate, outcome, lasted_s)
        elif isinstance(outcome, outcomes.Accepted):
            # The other end had it already, and we believe that it is the same one.
            world.effects["repeat_dropped"] += 1
        return outcome

    one.send = send  # type: ignore[method-assign]  # the same, watched


def _shown(fate: str, outcome: outcomes.Outcome, lasted_s: float) -> bool:
    """Whether the bridge told of this fate what it must, and not that all is well."""
    match fate:
        case "answer_slow":
            return isinstance(outcome, outcomes.Accepted) and lasted_s >= _SLOW_S
        case "hang_after" | "hang_before":
            return not isinstance(outcome, outcomes.Accepted) and lasted_s >= _SLOW_S
        case "absent" | "429" | "429_bare":
            return isinstance(outcome, outcomes.NotNow)
        case "refused":
            return isinstance(outcome, outcomes.Rejected)
        case _:
            return not isinstance(outcome, outcomes.Accepted)


def effects(run: told.Run) -> collections.Counter[str]:
    """All that came of it, once the run is over."""
    found = collections.Counter(run.outside.effects)
    rows = run.disk._read(functools.partial(_by_name, run.keys))
    for call in run.outside.calls:
        # Signal knows nothing of our ids; with Twilio the message is deleted, and its name here.
        row = rows.get(call.reply_id) or rows.get(call.provider_id or "")
        for kind in call.met if row is not None else ():
            # The news that did not come is not known; that of a failure is.
            ends = (State.SENT, State.UNKNOWN) if kind == "news_lost" else (State.FAILED,)
            found[kind] += row in ends
        found["by_hand"] += call.text == moderators.BY_HAND
        found["text_changed"] += call.text in moderators.WORDS
    for letter in run.letters:
        for kind in letter.met:
            late = letter.acked_s is not None and letter.acked_s > letter.at_s + _SLOW_S
            # The others' were never told stored: lost, or swept in, which `books` judges.
            found[kind] += late if kind == "webhook_late" else letter.acked_s is None
    found["erased"] = sum(bool(one.gone or one.replies) for one in books.erased(run))
    return found + run.disk._read(_stored) + _named(run)


def _by_name(keys: vault.Vault, tx: sa.Connection) -> dict[str, str]:
    found: dict[str, str] = {}
    for reply_id, provider_id, state in tx.execute(_NAMES):
        found |= {outbox.key(keys, reply_id): state} | ({provider_id: state} if provider_id else {})
    return found


def _stored(tx: sa.Connection) -> collections.Counter[str]:
    def count(table: sa.Table, which: sa.ColumnElement[bool]) -> int:
        return tx.execute(sa.select(sa.func.count()).select_from(table).where(which)).scalar_one()

    def decided(reason: Reason) -> int:
        return count(_i, _i.c.reason == reason)

    def dropped(reason: Reason) -> int:
        return count(_r, sa.and_(_r.c.state == State.CANCELLED, _r.c.reason == reason))

    return collections.Counter(
        {
            "clock_jump": count(_e, _e.c.kind == "clock_jump"),
            "look_up_challenged": count(_e, _e.c.kind == events.CHALLENGE),
            "crowd": count(_e, _e.c.kind == "new_topic"),
            "merged": count(_p, _p.c.merged_into.is_not(None)),
            "wish: stop": decided(Reason.STOP),
            "wish: start": decided(Reason.START),
            "wish: stop at due": dropped(Reason.OPTED_OUT) + dropped(Reason.STOP),
            "blocked": decided(Reason.BLOCKED) + dropped(Reason.BLOCKED),
        }
    )


_PASSED: Final[Mapping[str, Callable[[str], bool]]] = {
    # What was sealed with the old key is sealed again.
    "key_turned": lambda name: name.startswith("after janitor.sealed."),
}


def _named(run: told.Run) -> collections.Counter[str]:
    """By the transactions that were made because of it."""
    return collections.Counter(
        {
            kind: sum(n for name, n in run.points.passed.items() if is_one(name))
            for kind, is_one in _PASSED.items()
        }
    )
