"""Answers by hand: in place of the automatic one, to somebody whose address is still kept.

The address is kept only while a reply waits. The person's window stays taken: they had an answer,
so no automatic one follows. Nothing leaves before the delay is over, lest the number be tested in
front of whoever gave it out (C16); words of distress are answered at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot import ledger, outbox
from bot.console import audit
from bot.console.room.here import Here
from bot.contract import address, money
from bot.policy import decision
from bot.policy.distress import Lane
from bot.policy.lifecycle import State
from bot.store import tables, vault

_r = tables.replies
_WAITS: Final = (State.HELD, State.SCHEDULED)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Somebody who can be answered: by which row, over which channel, at what price.

    `price` None: the channel does not reach them or cannot say.
    """

    person: int
    row: Mapping[str, Any]
    price: money.Money | None


def targets(
    tx: sa.Connection, here: Here, persons: Sequence[int], text: str | None
) -> list[Target]:
    """Those of these people who have a waiting reply, with a quote of this text."""
    query = sa.select(_r).where(_r.c.person_id.in_(persons), _r.c.state.in_(_WAITS))
    rows = tx.execute(query.order_by(_r.c.automatic.desc(), _r.c.id)).mappings()
    first: dict[int, dict[str, Any]] = {}
    for row in rows:
        if row["address_enc"] is not None:
            first.setdefault(row["person_id"], dict(row))
    return [
        Target(person=person, row=row, price=None if text is None else _price(here, row, text))
        for person, row in first.items()
    ]


def _price(here: Here, row: Mapping[str, Any], text: str) -> money.Money | None:
    way = here.bridges.get(row["channel"])
    try:
        value = here.keys.open(row["address_enc"], outbox.place(row["id"]))
    except vault.SealedError:
        return None
    recipient = address.Address(row["network"], value)
    if way is None or not way.reaches(recipient):
        return None
    quote = way.quote(recipient, text)
    amount = None if quote is None else ledger.convert(here.core.budget, quote.price)
    return None if amount is None else money.Money(amount.micros, here.core.budget.currency)


def send(
    tx: sa.Connection, here: Here, found: Sequence[Target], text: str, *, lane: str | None = None
) -> int:
    """Put the answers into the queue and end the automatic ones; when the last one is due.

    `found` must be of this transaction. `lane`: of whoever wrote in distress, which waits not.
    """
    due_ms = here.now_ms
    for one in found:
        row, new_id = one.row, here.take("replies")
        value = here.keys.open(row["address_enc"], outbox.place(row["id"]))
        at_ms = here.now_ms
        if lane != Lane.DISTRESS:
            at_ms = max(at_ms, row["first_ms"] + here.core.reply.delay_min_s * 1000)
        due_ms = max(due_ms, at_ms)
        outbox.add(
            tx,
            [
                {
                    "id": new_id,
                    "person_id": one.person,
                    "automatic": False,
                    "state": State.SCHEDULED,
                    "reason": decision.Reason.BY_HAND,
                    "network": row["network"],
                    "channel": row["written_channel"] or row["channel"],
                    "own_address": row["written_address"] or row["own_address"],
                    "country": row["country"],
                    "language": row["language"],
                    "address_enc": here.keys.seal(value, outbox.place(new_id)),
                    "text_enc": here.keys.seal(text, outbox.place(new_id)),
                    "first_ms": here.now_ms,
                    "due_ms": at_ms,
                    "window_ms": 0,
                    "attempts": 0,
                    "approved": True,
                }
            ],
        )
    end(tx, [one.person for one in found])
    replies = [one.row["id"] for one in found]
    audit.note(tx, here.now_ms, here.who, "reply_by_hand", replies=replies, lane=lane)
    return due_ms


def end(tx: sa.Connection, persons: Sequence[int]) -> int:
    """Cancel what waits for these people, and keep their windows: no other one follows."""
    query = sa.select(_r.c.id, _r.c.person_id, _r.c.window_ms, _r.c.state).where(
        _r.c.person_id.in_(persons),
        _r.c.state.in_(_WAITS),
        sa.or_(_r.c.automatic, _r.c.text_enc.is_(None)),
    )
    rows = list(tx.execute(query).mappings())
    for before in _WAITS:
        moved = [
            {
                "id": row["id"],
                "person_id": row["person_id"],
                "window_ms": row["window_ms"],
                "reason": decision.Reason.BY_HAND,
                "address_enc": None,
                "text_enc": None,
            }
            for row in rows
            if row["state"] == before
        ]
        outbox.move(tx, before, State.CANCELLED, moved, gives_back=False)
    return len(rows)
