"""Writing what the fold decided, set-wise, guarded by what was loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot import ledger, outbox
from bot.inbox import state
from bot.policy import decision
from bot.policy.lifecycle import State
from bot.store import database, events, prepared, statements, tables

_p, _r = tables.persons, tables.replies

# The window and the wish are as they were loaded, or another worker was faster.
_CHANGE = prepared.Prepared(
    sa.update(_p)
    .where(_p.c.id == sa.bindparam("of"))
    .where(_p.c.blocked_until_ms == sa.bindparam("was_blocked"))
    .where(sa.func.coalesce(_p.c.opted_out_ms, -1) == sa.bindparam("was_opted_out"))
    .where(_p.c.merged_into.is_(None))
    .values(
        last_ms=sa.bindparam("last"),
        messages=_p.c.messages + sa.bindparam("added"),
        blocked_until_ms=sa.bindparam("blocked"),
        opted_out_ms=sa.bindparam("opted_out"),
    )
)
_PUSH = prepared.Prepared(
    sa.update(_r)
    .where(_r.c.id == sa.bindparam("of"), _r.c.due_ms < sa.bindparam("due"))
    .where(sa.text("state IN ('held', 'scheduled')"))
    .values(due_ms=sa.bindparam("due"))
)
# Made up by the thousand they would fill the events; a real one is sent again if it was missed.
_PROOFS = 100
_SEEN = prepared.Insert(tables.seen)
_IDENTITIES = prepared.Insert(tables.identities)
_PERSONS = prepared.Insert(_p)
_INBOUND = prepared.Insert(tables.inbound)
_FLOOD = prepared.Prepared(statements.bump(tables.flood, "n"))
_CURSOR = statements.upsert(tables.cursors).on_conflict_do_update(
    index_elements=["channel"],
    set_={"cursor": statements.upsert(tables.cursors).excluded.cursor},
)


def seen(tx: sa.Connection, batch: Sequence[state.Item], now_ms: int) -> None:
    """Remember ids; plain inserts, so that a parallel twin fails here and runs again."""
    rows = [{"hash": h, "at_ms": now_ms} for item in batch for h in item.fresh]
    _SEEN.many(tx, rows)


def folded(
    tx: sa.Connection,
    context: state.Context,
    known: state.Known,
    written: state.Written,
    now_ms: int,
) -> None:
    """All rows of one fold."""
    changed = [p for p in known.persons.values() if p.added]
    _persons(tx, changed)
    _IDENTITIES.many(tx, written.identities)
    told = _lanes(tx, written.lanes)
    _cancel(tx, changed)
    outbox.add(tx, written.replies)
    _push(tx, changed)
    _INBOUND.many(tx, written.inbound)
    flood(tx, written)
    events.count(tx, now_ms, written.counts)
    if written.costs:
        ledger.take_inbound(tx, written.costs, context.core.budget, now_ms)
    if written.optouts:
        events.append(tx, now_ms, "opt_outs", {"n": written.optouts})
    for one in told:
        about = {"person": one.person_id, "reply": one.reply_id, "language": one.language}
        events.append(tx, now_ms, "priority", {"lane": one.lane, **about})
    for person_id, letters in written.proofs[:_PROOFS]:
        word = context.keys.lasting("proof", letters).hex()
        events.append(tx, now_ms, "proof", {"person": person_id, "word": word})


def _lanes(tx: sa.Connection, found: Sequence[state.Lane]) -> list[state.Lane]:
    """Those that are news: what is held for a moderator already is not told again."""
    if not found:
        return []
    asides = [one.reply_id for one in found if one.language is None]
    fresh = outbox.set_aside(tx, asides, decision.Reason.PRIORITY)
    known = outbox.by_hand(tx, {one.person_id for one in found if one.row is not None})
    told, rows = [], []
    for one in found:
        if one.row is not None:
            if one.person_id in known:
                continue
            known.add(one.person_id)
            rows.append(one.row)
        language = one.language or fresh.get(one.reply_id)
        if language is not None:
            told.append(dataclasses.replace(one, language=language))
    outbox.add(tx, rows)
    return told


def flood(tx: sa.Connection, written: state.Written) -> None:
    """Add the first contacts' words to the flood's counts."""
    counted = sorted(written.flood.items())
    if counted:
        _FLOOD.many(tx, [{"bucket_ms": b, "word": w, "n": n} for (b, w), n in counted])


def _persons(tx: sa.Connection, changed: Sequence[state.Person]) -> None:
    new = [_new(p) for p in changed if p.new]
    _PERSONS.many(tx, new)
    old = [_old(p) for p in changed if not p.new]
    if old and _CHANGE.many(tx, old) != len(old):
        raise database.ConflictError("a person changed meanwhile")


def _new(person: state.Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "created_ms": person.created_ms,
        "last_ms": person.last_ms,
        "messages": person.added,
        "blocked_until_ms": person.blocked_until_ms,
        "opted_out_ms": person.opted_out_ms,
    }


def _old(person: state.Person) -> dict[str, Any]:
    was = person.was_opted_out_ms
    return {
        "of": person.id,
        "was_blocked": person.was_blocked_until_ms,
        "was_opted_out": -1 if was is None else was,
        "last": person.last_ms,
        "added": person.added,
        "blocked": person.blocked_until_ms,
        "opted_out": person.opted_out_ms,
    }


def _cancel(tx: sa.Connection, changed: Sequence[state.Person]) -> None:
    for before in (State.SCHEDULED, State.HELD):
        outbox.move(
            tx,
            before,
            State.CANCELLED,
            [
                {
                    "id": w.reply_id,
                    "due_ms": w.due_ms,
                    "reason": decision.Reason.OPTED_OUT,
                    "address_enc": None,
                }
                for p in changed
                for w in p.cancelled
                if w.state == before
            ],
            # The fold did, and may have given him another one since, that ends as this one did.
            gives_back=False,
        )


def _push(tx: sa.Connection, changed: Sequence[state.Person]) -> None:
    rows = [
        {"of": p.waiting.reply_id, "due": p.waiting.due_ms}
        for p in changed
        if p.waiting is not None and p.waiting.pushed
    ]
    if rows:
        _PUSH.many(tx, rows)


def cursor(tx: sa.Connection, channel: str, value: str) -> None:
    """Keep a bridge's cursor in the messages' own transaction."""
    tx.execute(_CURSOR, {"channel": channel, "cursor": value})
