"""Two persons turn out to be one (a Signal account shows the number of somebody on SMS).

The older id survives. If either was answered in the window the merged one was; opt-out and
block win; of two waiting replies the earlier stays and the other is cancelled (C48). So it is with
what moderators wrote by hand; their words stay though the other one had the usual reply, for they
may answer distress.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa

from bot import outbox
from bot.inbox import state
from bot.policy import decision
from bot.policy.lifecycle import State
from bot.store import database, events, prepared, tables

_p, _i, _r = tables.persons, tables.identities, tables.replies

# Changes nothing, and so locks the row where others write beside us.
_SAME = prepared.Prepared(
    sa.update(_p)
    .where(_p.c.id == sa.bindparam("of"), _p.c.blocked_until_ms == sa.bindparam("was"))
    .where(sa.func.coalesce(_p.c.opted_out_ms, -1) == sa.bindparam("wished"))
    .where(_p.c.merged_into.is_(None))
    .values(last_ms=_p.c.last_ms)
)


def _first(values: Sequence[int | None]) -> int | None:
    return min((v for v in values if v is not None), default=None)


def join(tx: sa.Connection, owners: Sequence[state.Person], at_ms: int) -> None:
    """Merge persons as loaded (the first survives) at the time of the message that told."""
    survivor, *others = owners
    _still(tx, owners)
    answered = any(
        (p.waiting is None or p.waiting.again) and p.blocked_until_ms > at_ms for p in owners
    )
    kept = _keep_one(tx, owners, answered=answered)
    # After the cancellations: the window of the reply that stays, or of the answer that went out.
    windows = [
        0 if p.waiting in kept.cancelled and not p.waiting.again else p.blocked_until_ms
        for p in owners
    ]
    window_ms = kept.waiting.window_ms if kept.waiting else max(windows)
    if answered and kept.waiting is not None:
        # Both have had their one reply; if the one being sent comes back, it is superseded.
        window_ms = max(windows) + 1
    for other in others:
        tx.execute(sa.update(_i).where(_i.c.person_id == other.id).values(person_id=survivor.id))
        tx.execute(sa.update(_p).where(_p.c.id == other.id).values(merged_into=survivor.id))
    if kept.waiting is not None:
        statement = sa.update(_r).where(_r.c.id == kept.waiting.reply_id)
        tx.execute(statement.values(person_id=survivor.id))
    outbox.follow(tx, [p.id for p in owners], survivor.id, decision.Reason.MERGED)
    tx.execute(
        sa.update(_p)
        .where(_p.c.id == survivor.id)
        .values(
            blocked_until_ms=window_ms,
            opted_out_ms=_first([p.opted_out_ms for p in owners]),
            blocked_ms=_first([p.blocked_ms for p in owners]),
        )
    )
    events.append(tx, at_ms, "merged", {"persons": len(owners)})


def _still(tx: sa.Connection, owners: Sequence[state.Person]) -> None:
    """They are as they were loaded, and stay so until the end; else all of it runs again."""
    rows = [
        {
            "of": p.id,
            "was": p.blocked_until_ms,
            "wished": -1 if p.opted_out_ms is None else p.opted_out_ms,
        }
        for p in owners
    ]
    if _SAME.many(tx, rows) != len(rows):
        raise database.ConflictError("a person changed meanwhile")


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    waiting: state.Waiting | None
    cancelled: list[state.Waiting]


def _keep_one(tx: sa.Connection, owners: Sequence[state.Person], *, answered: bool) -> _Kept:
    """Of all waiting replies keep the one being sent, else the earliest, none after an answer."""
    pairs = [(p, p.waiting) for p in owners if p.waiting is not None]

    def rank(pair: tuple[state.Person, state.Waiting]) -> tuple[bool, bool, int, int]:
        person, reply = pair
        sending = reply.state == State.SENDING
        # The survivor can have one active reply, and his own that is being sent stays his.
        moves = sending and person is not owners[0]
        return not sending, moves, reply.first_ms, reply.reply_id

    pairs.sort(key=rank)
    sending = bool(pairs) and pairs[0][1].state == State.SENDING
    kept = pairs[0][1] if pairs and (sending or not answered) else None
    cancelled = []
    for person, reply in pairs:
        # One that is being sent cannot be called back; it stays the other person's row.
        if reply is kept or reply.state == State.SENDING:
            continue
        row = {
            "id": reply.reply_id,
            "person_id": person.id,
            "window_ms": reply.window_ms,
            "reason": decision.Reason.MERGED,
            "address_enc": None,
        }
        outbox.move(tx, State(reply.state), State.CANCELLED, [row])
        cancelled.append(reply)
    return _Kept(kept, cancelled)
