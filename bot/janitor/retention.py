"""Forgetting: what is older than `[retention]` allows is deleted, in slices.

What to delete is looked for on a reader, which keeps nobody waiting; each slice is a short
transaction of its own that asks the same question again. Counters, caps and postings stay: they
hold sums and no person. So do keyed hashes of people who opted out or were blocked.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from bot.policy import settings
from bot.policy.lifecycle import State
from bot.store import database, tables

SLICE: Final = 1_000
# A run stops after this many slices a table and goes on next time.
SLICES: Final = 200
# Texts of held messages, should any be kept: no setting makes it longer.
TEXTS_H: Final = 72
# Longer than anybody asks about an unknown send (budget.unknown_after_s): then its address goes.
UNSURE_DAYS: Final = 7
# Who spoke up in the moderators' room without being on its list; said again after an hour.
STRANGERS_DAYS: Final = 1
_STRANGERS: Final = ("room.stranger", "room.trouble")
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000

_OPEN: Final = (State.HELD, State.SCHEDULED, State.SENDING)
# Nothing more is sent for these, so nobody needs to know where.
_OVER: Final = (State.SENT, State.DELIVERED, State.FAILED, State.CANCELLED, State.EXPIRED)

_s, _i, _n = tables.seen, tables.inbound, tables.identities
_e, _p, _r = tables.events, tables.persons, tables.replies

Finish = Callable[[sa.Connection, sa.ColumnElement[bool]], int]


async def forget(store: database.Store, core: settings.Core, now_ms: int) -> dict[str, int]:
    """All of it; how many rows went, by what they were."""
    keep = core.retention
    old_ms = now_ms - keep.persons_days * _DAY_MS
    inbound_ms = now_ms - keep.inbound_days * _DAY_MS
    events_ms = now_ms - keep.events_days * _DAY_MS
    # A reply may fall due that long after the message, and live as long from then on.
    slack_ms = (core.reply.delay_max_s + core.reply.expires_after_s) * 1000 + _DAY_MS
    newest = sa.select(sa.func.max(_e.c.id)).scalar_subquery()
    chores: tuple[tuple[str, sa.Column[Any], sa.ColumnElement[bool], Finish], ...] = (
        ("seen", _s.c.hash, _s.c.at_ms < now_ms - keep.seen_days * _DAY_MS, _delete(_s)),
        (
            "addresses",
            _r.c.id,
            sa.and_(
                sa.or_(
                    _r.c.state.in_(_OVER),
                    sa.and_(
                        _r.c.state == State.UNKNOWN,
                        _r.c.started_ms < now_ms - UNSURE_DAYS * _DAY_MS,
                    ),
                ),
                sa.or_(_r.c.address_enc.is_not(None), _r.c.text_enc.is_not(None)),
            ),
            _wipe(_r, "address_enc", "text_enc"),
        ),
        ("inbound", _i.c.id, _i.c.received_ms < inbound_ms, _delete(_i)),
        # The newest stays: readers go by the id, which must never start again from one.
        ("events", _e.c.id, sa.and_(_e.c.at_ms < events_ms, _e.c.id < newest), _delete(_e)),
        (
            "replies",
            _r.c.id,
            sa.and_(_r.c.first_ms < old_ms, _r.c.due_ms < old_ms, _r.c.state.not_in(_OPEN)),
            _delete(_r),
        ),
        ("persons", _p.c.id, _gone(min(old_ms, inbound_ms) - slack_ms, now_ms), _delete_persons),
    )
    out: dict[str, int] = {}
    for name, key, which, finish in chores:
        out[name] = await _slices(store, key, which, finish)
    return out


async def words(store: database.Store, now_ms: int) -> dict[str, int]:
    """Words of people go as soon as nothing of theirs is held, and after three days at the most.

    `scheduled`, too, is kept for: it is about to be held, or was just let go.
    """
    waits = sa.select(sa.literal(1)).where(_r.c.state.in_((State.HELD, State.SCHEDULED)))
    of_reply = sa.exists(waits.where(_r.c.id == _i.c.reply_id))
    of_person = sa.exists(waits.where(_r.c.person_id == _i.c.person_id))
    which = sa.and_(
        _i.c.text_enc.is_not(None),
        sa.or_(
            _i.c.received_ms < now_ms - TEXTS_H * _HOUR_MS,
            sa.and_(_i.c.reply_id.is_not(None), ~of_reply),
            sa.and_(_i.c.reply_id.is_(None), ~of_person),
        ),
    )
    return {"words": await _slices(store, _i.c.id, which, _wipe(_i, "text_enc"))}


async def room(store: database.Store, core: settings.Core, now_ms: int) -> dict[str, int]:
    """What was said and asked in the moderators' room; the trail of their acts stays."""
    old_ms = now_ms - core.retention.events_days * _DAY_MS
    e, o, p = tables.room_events, tables.room_outgoing, tables.room_prompts
    c, f, s = tables.room_codes, tables.proofs, tables.storage
    met_ms = sa.cast(s.c.value, sa.BigInteger)
    strangers = sa.and_(s.c.channel.in_(_STRANGERS), met_ms < now_ms - STRANGERS_DAYS * _DAY_MS)
    newest = sa.select(sa.func.max(o.c.id)).scalar_subquery()
    said = sa.and_(o.c.created_ms < old_ms, o.c.state != "waiting")
    chores: tuple[tuple[sa.Table, sa.Column[Any], sa.ColumnElement[bool]], ...] = (
        (e, e.c.id, sa.and_(e.c.taken_ms < old_ms, e.c.state == "done")),
        # The newest stays: its number is our name for it on the network.
        (o, o.c.id, sa.and_(said, o.c.id < newest)),
        (p, p.c.id, sa.and_(p.c.created_ms < old_ms, p.c.state != "open")),
        (c, c.c.code, c.c.expires_ms < old_ms),
        (f, f.c.hash, f.c.expires_ms < now_ms),
        (s, s.c.key, strangers),
    )
    out = await words(store, now_ms)
    for table, key, which in chores:
        out[table.name] = await _slices(store, key, which, _delete(table))
    return out


def _gone(old_ms: int, now_ms: int) -> sa.ColumnElement[bool]:
    """Silent for long, outside every window, without a wish that must outlive it.

    Messages and replies of so long ago are gone by then: asking for them by person would read
    both tables for each slice. What is still to be sent has indexes, whatever its age.
    """
    waiting = sa.union_all(
        *(
            sa.select(_r.c.person_id)
            .where(sa.literal_column("state") == sa.literal_column(f"'{state}'"))
            .where(_r.c.due_ms < old_ms)
            for state in _OPEN
        )
    )
    active = (
        sa.select(sa.literal(1))
        .where(_r.c.person_id == _p.c.id)
        .where(sa.literal_column("automatic AND state IN ('held', 'scheduled', 'sending')"))
    )
    return sa.and_(
        _p.c.last_ms < old_ms,
        _p.c.blocked_until_ms < now_ms,
        _p.c.opted_out_ms.is_(None),
        _p.c.blocked_ms.is_(None),
        ~sa.exists(active),
        _p.c.id.not_in(waiting),
    )


async def _slices(
    store: database.Store,
    key: sa.Column[Any],
    which: sa.ColumnElement[bool],
    finish: Finish,
) -> int:
    count = 0
    query = sa.select(key).where(which).limit(SLICE)

    def find(tx: sa.Connection) -> list[Any]:
        return list(tx.execute(query).scalars())

    def drop(tx: sa.Connection, keys: list[Any]) -> int:
        # Asked again: a reader may be behind, and somebody may have written since.
        return finish(tx, sa.and_(key.in_(keys), which))

    for _ in range(SLICES):
        keys = await store.read(find)
        dropped = await store.write(functools.partial(drop, keys=keys)) if keys else 0
        count += dropped
        if not dropped:
            break
    return count


def _delete(table: sa.Table) -> Finish:
    def finish(tx: sa.Connection, which: sa.ColumnElement[bool]) -> int:
        return tx.execute(sa.delete(table).where(which)).rowcount

    return finish


def _wipe(table: sa.Table, *columns: str) -> Finish:
    def finish(tx: sa.Connection, which: sa.ColumnElement[bool]) -> int:
        empty: dict[str, None] = dict.fromkeys(columns)
        return tx.execute(sa.update(table).where(which).values(empty)).rowcount

    return finish


def _delete_persons(tx: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    ids = list(tx.execute(sa.select(_p.c.id).where(which)).scalars())
    tx.execute(sa.delete(_n).where(_n.c.person_id.in_(ids)))
    return tx.execute(sa.delete(_p).where(_p.c.id.in_(ids))).rowcount
