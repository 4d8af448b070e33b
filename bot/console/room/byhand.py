"""Answers by hand: in place of the automatic one, to somebody whose address is still kept.

The address is kept only while a reply waits. The person's window stays taken: they had an answer,
so no automatic one follows. Nothing leaves before the delay is over, lest the number be tested in
front of whoever gave it out (C16); words of distress are answered at once. A second answer takes
the place of one that waits still, never beside it: nobody gets two, whoever writes them.
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
from bot.store import people, tables, vault

_r = tables.replies
_WAITS: Final = (State.HELD, State.SCHEDULED)
_KEPT: Final = (*_WAITS, State.SENDING)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Somebody who can be answered: by which row, over which channel, at what price.

    `price` None: the channel does not reach them or cannot say.
    """

    person: int
    row: Mapping[str, Any]
    price: money.Money | None

    @property
    def written(self) -> bool:
        """Whether a moderator's words wait for them already."""
        return _written(self.row)


def _written(row: Mapping[str, Any]) -> bool:
    return not row["automatic"] and row["text_enc"] is not None


def targets(
    tx: sa.Connection, here: Here, persons: Sequence[int], text: str | None
) -> list[Target]:
    """Those of these people who have a waiting reply, with a quote of this text.

    What waits by hand goes first: it is what another answer would replace. Whoever is sent one at
    this moment is not among them.
    """
    known = dict.fromkeys(people.survivor(tx, one) for one in persons)
    query = sa.select(_r).where(_r.c.person_id.in_(known), _r.c.state.in_(_KEPT))
    rows = [dict(row) for row in tx.execute(query).mappings()]
    busy = {row["person_id"] for row in rows if row["state"] == State.SENDING and _written(row)}
    first: dict[int, dict[str, Any]] = {}
    for row in sorted(rows, key=_order):
        waits = row["state"] in _WAITS and row["address_enc"] is not None
        if waits and row["person_id"] not in busy:
            first.setdefault(row["person_id"], row)
    return [
        Target(person=person, row=row, price=None if text is None else _price(here, row, text))
        for person, row in first.items()
    ]


def _order(row: Mapping[str, Any]) -> tuple[bool, bool, int]:
    return not _written(row), not row["automatic"], row["id"]


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
    """Put the answers into the queue in place of all that waits; when the last one is due.

    `found` must be of this transaction. `lane`: of whoever wrote in distress, which waits not.
    """
    due_ms = here.now_ms
    _end(tx, [one.person for one in found], words=True)
    for one in found:
        row, new_id = one.row, here.take("replies")
        value = here.keys.open(row["address_enc"], outbox.place(row["id"]))
        at_ms = here.now_ms if lane == Lane.DISTRESS else max(here.now_ms, leaves_ms(here, one))
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
    replies = [one.row["id"] for one in found]
    audit.note(tx, here.now_ms, here.who, "reply_by_hand", replies=replies, lane=lane)
    return due_ms


def leaves_ms(here: Here, one: Target) -> int:
    """When an answer to them leaves at the earliest: the delay over, counted from their message.

    What was written by hand is dated by its writing and was due by then.
    """
    if one.written:
        return int(one.row["due_ms"])
    return int(one.row["first_ms"]) + here.core.reply.delay_min_s * 1000


def words(here: Here, one: Target) -> str:
    """What a moderator wrote that waits for them; raises vault.SealedError if it does not open."""
    return here.keys.open(one.row["text_enc"], outbox.place(one.row["id"]))


def end(tx: sa.Connection, persons: Sequence[int]) -> bool:
    """Cancel what waits for these people, and keep their windows: no other one follows.

    What a moderator wrote to them stays; whether there is such.
    """
    known = list(dict.fromkeys(people.survivor(tx, one) for one in persons))
    return _end(tx, known, words=False)


def _end(tx: sa.Connection, persons: Sequence[int], *, words: bool) -> bool:
    query = sa.select(_r).where(_r.c.person_id.in_(persons), _r.c.state.in_(_KEPT))
    rows = [dict(row) for row in tx.execute(query).mappings()]
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
            if row["state"] == before and (words or not _written(row))
        ]
        outbox.move(tx, before, State.CANCELLED, moved, gives_back=False)
    return any(_written(row) for row in rows)
