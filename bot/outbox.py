"""The durable queue of replies: every change of a reply's state is a conditional update here.

Moves follow `policy.lifecycle`. An update that changes fewer rows than it was given lost a race
and raises ConflictError, so that the whole transaction runs again on what is true now.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from bot.policy import lifecycle
from bot.policy.lifecycle import State
from bot.store import database, prepared, tables, vault

_r = tables.replies
_p = tables.persons
_KEY_DIGITS: Final = 32


class DueReply(NamedTuple):
    """A scheduled reply whose time has come, with what decides about its person.

    A row as the database gives it: by the hundred in each claim, so no object is built of it.
    """

    id: int
    person_id: int
    automatic: bool
    network: str
    channel: str
    own_address: str
    country: str | None
    language: str
    address_enc: bytes | None
    text_enc: bytes | None
    first_ms: int
    due_ms: int
    window_ms: int
    attempts: int
    words: bytes | None
    approved: bool
    opinion: int | None
    opted_out_ms: int | None
    blocked_ms: int | None
    blocked_until_ms: int
    merged_into: int | None
    written_channel: str | None
    written_address: str | None
    refused_by: str | None

    @property
    def written_to(self) -> tuple[str, str]:
        """The channel and the address of ours that he wrote to, wherever it was tried since."""
        return self.written_channel or self.channel, self.written_address or self.own_address

    @property
    def refused(self) -> frozenset[str]:
        """Channels that refused it for good."""
        return frozenset((self.refused_by or "").split())

    @property
    def superseded(self) -> bool:
        """Whether the person's window is another reply's by now, or the person another one."""
        changed = self.merged_into is not None or self.blocked_until_ms != self.window_ms
        return self.automatic and changed


_DUE_NAMES: Final = DueReply._fields
_DUE = prepared.Prepared(
    sa.select(*(_r.c[name] if name in _r.c else _p.c[name] for name in _DUE_NAMES))
    .join(_p, _p.c.id == _r.c.person_id)
    # A literal, so that the partial index is used (SPEED.md).
    .where(sa.literal_column("replies.state") == sa.literal_column("'scheduled'"))
    .where(_r.c.due_ms <= sa.bindparam("now_ms"))
    .order_by(_r.c.due_ms, _r.c.id)
    .limit(sa.bindparam("limit"))
    # On PostgreSQL each worker takes others; SQLite knows no such clause and needs none.
    .with_for_update(of=_r, skip_locked=True)
)
_NEXT = prepared.Prepared(
    sa.select(sa.func.min(_r.c.due_ms)).where(
        sa.literal_column("state") == sa.literal_column("'scheduled'")
    )
)
# Each asks its own partial index: counting states would read every reply there ever was.
_GOES_ON = tuple(
    prepared.Prepared(
        sa.select(sa.func.min(_r.c.due_ms)).where(
            sa.literal_column("state") == sa.literal_column(f"'{state}'")
        )
    )
    for state in (State.HELD, State.SCHEDULED, State.SENDING)
)
_GIVE_BACK = prepared.Prepared(
    sa.update(_p)
    .where(_p.c.id == sa.bindparam("person"), _p.c.blocked_until_ms == sa.bindparam("window"))
    # The window of a later attempt is that of the one that went out before it.
    .where(~sa.exists().where(_r.c.id == sa.bindparam("of"), _r.c.retry_of.is_not(None)))
    .values(blocked_until_ms=0)
)
_TAKE_WINDOW = prepared.Prepared(
    sa.update(_p)
    .where(_p.c.id == sa.bindparam("person"), _p.c.blocked_until_ms == sa.bindparam("window"))
    .values(blocked_until_ms=sa.bindparam("until"))
)


def key(keys: vault.Vault, reply_id: int) -> str:
    """The reply's name for the outside: 32 hexadecimal digits that nobody can make up."""
    return f"{reply_id:016x}{keys.lasting('reply', str(reply_id)).hex()[:16]}"


def read_key(keys: vault.Vault, text: str) -> int | None:
    """The id behind a reply's outside name, None if it is not one of ours."""
    if len(text) != _KEY_DIGITS or not text.isascii():
        return None
    try:
        reply_id = int(text[:16], 16)
    except ValueError:
        return None
    return reply_id if reply_id < 1 << 63 and key(keys, reply_id) == text else None


def place(reply_id: int) -> str:
    """Where a reply's sealed values belong (vault)."""
    return f"replies/{reply_id}"


def load_due(tx: sa.Connection, now_ms: int, limit: int) -> list[DueReply]:
    """The scheduled replies whose time has come, oldest first."""
    return list(map(DueReply._make, _DUE.rows(tx, {"now_ms": now_ms, "limit": limit})))


def next_due(tx: sa.Connection) -> int | None:
    """When the next scheduled reply falls due."""
    moment: int | None = _NEXT.rows(tx)[0][0]
    return moment


def goes_on(tx: sa.Connection) -> bool:
    """Whether any reply is held, scheduled or being sent; a look at the partial indexes."""
    return any(found.rows(tx)[0][0] is not None for found in _GOES_ON)


def add(tx: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert new replies (held or scheduled); the index refuses a person's second active one."""
    _ADD.many(tx, rows)


_ADD = prepared.Insert(_r)
_MOVES: dict[tuple[State, State, tuple[str, ...]], prepared.Prepared] = {}


def move(
    tx: sa.Connection,
    before: State,
    after: State,
    rows: Sequence[Mapping[str, Any]],
    *,
    gives_back: bool = True,
) -> None:
    """Move replies from one state to another, setting the other columns of each row.

    `rows`: dicts of one shape, `id` and columns to set. Where the new state gives the window
    back, `person_id` and `window_ms` are expected too (not set); without `gives_back` it is kept
    all the same. Raises ConflictError if one of them is not in `before` any more,
    lifecycle.IllegalMoveError for an impossible move.
    """
    if not rows:
        return
    lifecycle.check(before, after)
    skip = {"id", "person_id", "window_ms"} if after in lifecycle.GIVES_BACK else {"id"}
    columns = tuple(sorted(set(rows[0]) - skip))
    changed = _statement(before, after, columns).many(tx, rows)
    if changed != len(rows):
        raise database.ConflictError(f"{len(rows) - changed} replies are no longer {before}")
    if gives_back and after in lifecycle.GIVES_BACK:
        back = [{"person": r["person_id"], "window": r["window_ms"], "of": r["id"]} for r in rows]
        _GIVE_BACK.many(tx, back)


def _statement(before: State, after: State, columns: tuple[str, ...]) -> prepared.Prepared:
    statement = _MOVES.get((before, after, columns))
    if statement is None:
        values: dict[str, Any] = {c: sa.bindparam(f"to_{c}") for c in columns}
        statement = prepared.Prepared(
            sa.update(_r)
            .where(_r.c.id == sa.bindparam("of"))
            .where(sa.literal_column("state") == sa.literal_column(f"'{before}'"))
            .values(state=sa.literal_column(f"'{after}'"), **values),
            {"of": "id", **{f"to_{c}": c for c in columns}},
        )
        _MOVES[before, after, columns] = statement
    return statement


def set_aside(tx: sa.Connection, ids: Sequence[int], reason: str) -> dict[int, str]:
    """Hold these scheduled or held replies for another reason.

    Those for which it is news, with the language of each.
    """
    if not ids:
        return {}
    statement = (
        sa.update(_r)
        .where(_r.c.id.in_(ids), _r.c.reason != reason)
        .where(_r.c.state.in_((State.HELD, State.SCHEDULED)))
        .values(state=State.HELD, reason=reason, topic=None, approved=False)
        .returning(_r.c.id, _r.c.language)
    )
    found: dict[int, str] = dict(tx.execute(statement).all())
    return found


def by_hand(tx: sa.Connection, persons: Iterable[int]) -> set[int]:
    """Those of these people for whom a reply waits that is not the automatic one."""
    query = sa.select(_r.c.person_id).where(
        sa.literal_column("state") == sa.literal_column(f"'{State.HELD}'"),
        _r.c.automatic.is_(False),
        _r.c.person_id.in_(list(persons)),
    )
    return set(tx.execute(query).scalars())


# Spelled like their indexes, so that they are used.
_BY_HAND = tuple(
    prepared.Listed(
        sa.select(_r.c.id, _r.c.person_id, _r.c.state, _r.c.due_ms, _r.c.window_ms)
        .where(_r.c.person_id.in_(sa.bindparam("ids", expanding=True)))
        .where(sa.text(f"NOT automatic AND text_enc IS {told}")),
        "ids",
    )
    for told in (
        "NOT NULL AND state IN ('held', 'scheduled', 'sending')",
        "NULL AND state = 'held'",
    )
)


def follow(tx: sa.Connection, persons: Sequence[int], survivor: int, reason: str) -> None:
    """These people are one: what waits for them by hand is the survivor's, one of each kind.

    The one on its way stays, else the one due first; the others are cancelled for this reason.
    """
    for kind in _BY_HAND:
        found = sorted(kind.rows(tx, persons), key=functools.partial(_nearest, survivor))
        for reply_id, person_id, before, _, window_ms in found[1:]:
            # What is being sent cannot be called back; it stays the other person's row.
            if before != State.SENDING:
                row = {"id": reply_id, "person_id": person_id, "window_ms": window_ms}
                row |= {"reason": reason, "address_enc": None, "text_enc": None}
                move(tx, State(before), State.CANCELLED, [row], gives_back=False)
        for reply_id, *_ in found[:1]:
            tx.execute(sa.update(_r).where(_r.c.id == reply_id).values(person_id=survivor))


def _nearest(survivor: int, row: Sequence[Any]) -> tuple[bool, bool, int, int]:
    reply_id, person_id, before, due_ms, _ = row
    sending = before == State.SENDING
    # Of two on their way his own stays his: he can have but one.
    return not sending, sending and person_id != survivor, due_ms, reply_id


def take_windows(tx: sa.Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    """Move persons' windows to their send start: (person, window held, window from now).

    Raises ConflictError if a person's window is not the one this reply took.
    """
    if not rows:
        return
    values = [{"person": p, "window": held, "until": until} for p, held, until in rows]
    changed = _TAKE_WINDOW.many(tx, values)
    if changed != len(rows):
        raise database.ConflictError("a person's window changed hands")


def keep_windows(tx: sa.Connection, ids: Sequence[int]) -> None:
    """Whatever becomes of these, they never give their persons' windows back.

    Each counts as the later attempt of one that may have gone out: itself, before a backup was
    put back.
    """
    if ids:
        tx.execute(sa.update(_r).where(_r.c.id.in_(ids)).values(retry_of=_r.c.id))


_LOAD = sa.select(_r).where(_r.c.id.in_(sa.bindparam("ids", expanding=True)))


_LOAD_HELD = _LOAD.order_by(_r.c.id).with_for_update()


def load(
    tx: sa.Connection, ids: Sequence[int], *, held: bool = False
) -> dict[int, Mapping[str, Any]]:
    """Whole rows by id; `held`: on PostgreSQL nobody else changes them until the end."""
    if not ids:
        return {}
    query = _LOAD_HELD if held else _LOAD
    return {row["id"]: dict(row) for row in tx.execute(query, {"ids": list(ids)}).mappings()}


def in_state(tx: sa.Connection, state: State, limit: int) -> list[Mapping[str, Any]]:
    """Rows of one state by due time: what moderators and the janitor look through."""
    query = (
        sa.select(_r)
        .where(sa.literal_column("state") == sa.literal_column(f"'{state}'"))
        .order_by(_r.c.due_ms, _r.c.id)
        .limit(limit)
    )
    return [dict(row) for row in tx.execute(query).mappings()]


def counts(tx: sa.Connection) -> dict[str, int]:
    """How many replies are in each state."""
    query = sa.select(_r.c.state, sa.func.count()).group_by(_r.c.state)
    found: dict[str, int] = dict(tx.execute(query).all())
    return {state.value: found.get(state.value, 0) for state in State}


_STATES = prepared.Listed(
    sa.select(_r.c.id, _r.c.state).where(_r.c.id.in_(sa.bindparam("ids", expanding=True))), "ids"
)


def states(tx: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    """The present state of each reply."""
    return dict(_STATES.rows(tx, ids))
