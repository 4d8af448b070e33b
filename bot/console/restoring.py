"""What must change in a database that is older than what happened: nobody is answered twice by it.

Between the backup and now replies went out that it knows nothing of. So whatever could have been
sent since waits for a moderator and keeps its window; what was being sent is unknown; whoever was
known and could be answered again counts as answered; names that were given to the outside are not
given again; and sending is paused until somebody has looked. Money that was spent since is not in
the books: nobody here can know it.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import sqlalchemy as sa

from bot import outbox
from bot.console import audit
from bot.dispatcher import claim
from bot.policy import decision, settings
from bot.policy.lifecycle import State
from bot.store import events, tables

# More names than were given since, whatever happened.
LEAP: Final = 1 << 24
_DAY_MS: Final = 86_400_000
_REASON: Final = decision.Reason.RESTORED
_r, _p = tables.replies, tables.persons


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """`held`: replies that wait for a moderator; `unknown`: those that were being sent.

    `quiet`: persons who count as answered from now on.
    """

    held: int
    unknown: int
    quiet: int


def settle(tx: sa.Connection, rules: settings.Reply, *, now_ms: int, who: str) -> Restored:
    """All of it, in the transaction that makes the old database the present one."""
    window_ms = now_ms + rules.window_days * _DAY_MS
    unknown = _unknown(tx)
    held = _hold(tx, window_ms)
    quiet = sa.update(_p).where(_p.c.blocked_until_ms < now_ms, _p.c.merged_into.is_(None))
    count = tx.execute(quiet.values(blocked_until_ms=window_ms)).rowcount
    leap(tx, now_ms)
    events.control(tx, now_ms, events.RESTORED, str(now_ms))
    events.control(tx, now_ms, "paused", claim.FOREVER)
    if unknown:
        events.append(tx, now_ms, "unknown_sends", {"n": unknown})
    audit.note(tx, now_ms, who, "restore", held=held, unknown=unknown)
    return Restored(held=held, unknown=unknown, quiet=count)


def leap(tx: sa.Connection, now_ms: int) -> None:
    """Replies and messages of the room get names that no provider has seen since."""
    q, o = tables.sequences, tables.room_outgoing
    tx.execute(sa.update(q).values(next=q.c.next + LEAP))
    newest: int = tx.execute(sa.select(sa.func.coalesce(sa.func.max(o.c.id), 0))).scalar_one()
    row = {"id": newest + LEAP, "channel": "", "room_id": "", "lane": 0, "created_ms": now_ms}
    tx.execute(sa.insert(o), {**row, "state": "merged"})
    if tx.dialect.name == "postgresql":
        name = sa.func.pg_get_serial_sequence(o.name, "id")
        tx.execute(sa.select(sa.func.setval(name, newest + LEAP)))


def _unknown(tx: sa.Connection) -> int:
    """What was being sent; the janitor asks the providers about it."""
    ids = [row["id"] for row in outbox.in_state(tx, State.SENDING, 1 << 31)]
    rows = [{"id": one, "reason": _REASON, "lease_until_ms": None} for one in ids]
    outbox.move(tx, State.SENDING, State.UNKNOWN, rows)
    return len(ids)


def _hold(tx: sa.Connection, window_ms: int) -> int:
    """What waited, but for what waits for a moderator's own words."""
    waited = sa.or_(
        _r.c.state == State.SCHEDULED,
        sa.and_(_r.c.state == State.HELD, sa.or_(_r.c.automatic, _r.c.text_enc.is_not(None))),
    )
    query = sa.select(_r.c.id, _r.c.person_id, _r.c.window_ms, _r.c.automatic).where(waited)
    rows = tx.execute(query).all()
    ids = [row.id for row in rows]
    statement = sa.update(_r).where(_r.c.id == sa.bindparam("of"))
    if ids:
        values = {"state": State.HELD.value, "reason": _REASON.value, "approved": False}
        tx.execute(statement.values(**values, topic=None), [{"of": one} for one in ids])
    mine = [row for row in rows if row.automatic]
    tx.execute(
        sa.update(_r)
        .where(_r.c.state == State.HELD, _r.c.reason == _REASON, _r.c.automatic)
        # As outbox.keep_windows, for any number of them.
        .values(retry_of=_r.c.id)
    )
    # A window of a whole length, as if it went out now; one that is another reply's stays so.
    took = sa.update(_p).where(_p.c.id == sa.bindparam("of"))
    took = took.where(_p.c.blocked_until_ms == sa.bindparam("was"))
    for row in mine:
        same = tx.execute(
            took.values(blocked_until_ms=window_ms), {"of": row.person_id, "was": row.window_ms}
        )
        if same.rowcount:
            tx.execute(statement.values(window_ms=window_ms), {"of": row.id})
    return len(ids)
