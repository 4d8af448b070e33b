"""Reading what a batch needs, set-wise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from bot.contract import address, clock, messages, optout
from bot.inbox import state
from bot.policy import numbers, proof
from bot.store import prepared, tables

_s, _i, _p, _r = tables.seen, tables.identities, tables.persons, tables.replies

OLDEST_MS: Final = 900_000

_SEEN = prepared.Listed(
    sa.select(_s.c.hash).where(_s.c.hash.in_(sa.bindparam("hashes", expanding=True))), "hashes"
)
_IDENTITIES = prepared.Listed(
    sa.select(_i.c.hash, _i.c.person_id).where(
        _i.c.hash.in_(sa.bindparam("hashes", expanding=True))
    ),
    "hashes",
)
_PERSONS = prepared.Listed(
    sa.select(
        _p.c.id,
        _p.c.created_ms,
        _p.c.last_ms,
        _p.c.blocked_until_ms,
        _p.c.opted_out_ms,
        _p.c.blocked_ms,
    ).where(_p.c.id.in_(sa.bindparam("ids", expanding=True))),
    "ids",
)
_WAITING = prepared.Listed(
    sa.select(
        _r.c.person_id,
        _r.c.id,
        _r.c.state,
        _r.c.first_ms,
        _r.c.due_ms,
        _r.c.window_ms,
        _r.c.retry_of.is_not(None),
    )
    .where(_r.c.person_id.in_(sa.bindparam("ids", expanding=True)))
    # Spelt like the index, so that it is used.
    .where(sa.text("automatic AND state IN ('held', 'scheduled', 'sending')")),
    "ids",
)


def items(
    context: state.Context, batch: Iterable[messages.InboundMessage], now_ms: int
) -> list[state.Item]:
    """The batch in its order (`ordered`).

    What a network dates long back (a sweep, a clock of its own) counts as OLDEST_MS old at the
    most: nothing leaves as soon as it came, whatever somebody else's clock says.
    """
    keys = context.keys
    out = []
    for told in batch:
        message = spelled(told)
        names = [f"{message.channel}\x00{message.provider_id}"]
        if message.fingerprint is not None:
            names.append(f"{message.channel}\x00\x00{message.fingerprint}")
        rings = [keys.ring("seen", name) for name in names]
        # All withheld senders share one person, who is never answered.
        hidden = not message.sender.value and bool(message.aliases)
        people = message.aliases if hidden else (message.sender, *message.aliases)
        out.append(
            state.Item(
                message=message,
                at_ms=max(clock.to_ms(message.received_at), now_ms - OLDEST_MS),
                seen=tuple([h for ring in rings for h in ring]),
                fresh=tuple([ring[0] for ring in rings]),
                hashes=tuple([keys.hash_address(a.network, a.value) for a in people]),
                wish=_wish(message),
                proof=proof.read(message.text),
            )
        )
    return ordered(out)


def ordered(batch: list[state.Item]) -> list[state.Item]:
    """In place: by time of receipt, then by the provider's id."""
    # An id is unique within its channel only.
    batch.sort(key=lambda item: (item.at_ms, item.message.provider_id, item.message.channel))
    return batch


def _wish(message: messages.InboundMessage) -> messages.Wish | None:
    if message.wish is not None or message.kind is not messages.Kind.TEXT:
        return message.wish
    return optout.read(message.text)


def spelled(message: messages.InboundMessage) -> messages.InboundMessage:
    """One number, one spelling: `+330639...` and `+33639...` are one person."""
    if message.sender.network != address.SMS:
        return message
    known = numbers.read(message.sender.value).e164
    if known is None or known == message.sender.value:
        return message
    return dataclasses.replace(message, sender=address.Address(address.SMS, known))


def unseen(tx: sa.Connection, batch: Sequence[state.Item]) -> list[state.Item]:
    """Those whose ids were never seen, neither before nor earlier in this batch."""
    hashes = [h for item in batch for h in item.seen]
    known: set[bytes] = {row[0] for row in _SEEN.rows(tx, hashes)}
    out = []
    for item in batch:
        if known.isdisjoint(item.seen):
            out.append(item)
        known.update(item.seen)
    return out


def known(tx: sa.Connection, batch: Sequence[state.Item]) -> state.Known:
    """Persons behind the batch's addresses, with their waiting replies."""
    out = state.Known()
    hashes = {h for item in batch for ring in item.hashes for h in ring}
    if not hashes:
        return out
    out.by_hash = dict(_IDENTITIES.rows(tx, hashes))
    ids = set(out.by_hash.values())
    for row in _PERSONS.rows(tx, ids):
        out.persons[row[0]] = _person(*row)
    for person_id, reply_id, told, first_ms, due_ms, window_ms, again in _WAITING.rows(tx, ids):
        out.persons[person_id].waiting = state.Waiting(
            reply_id=reply_id,
            state=told,
            first_ms=first_ms,
            due_ms=due_ms,
            window_ms=window_ms,
            again=bool(again),
        )
    return out


def _person(  # noqa: PLR0917 (the columns of _PERSONS in their order)
    person_id: int,
    created_ms: int,
    last_ms: int,
    blocked_until_ms: int,
    opted_out_ms: int | None,
    blocked_ms: int | None,
) -> state.Person:
    return state.Person(
        id=person_id,
        created_ms=created_ms,
        new=False,
        last_ms=last_ms,
        blocked_until_ms=blocked_until_ms,
        opted_out_ms=opted_out_ms,
        blocked_ms=blocked_ms,
        was_blocked_until_ms=blocked_until_ms,
        was_opted_out_ms=opted_out_ms,
    )
