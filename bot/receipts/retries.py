"""The one later attempt that a network says is worth it (his phone was off, 30003, 30008).

The failed reply stays failed and keeps the person's window; the attempt is a reply of its own in
the same window, made at most once, so that it has an own name for the provider and an own
reservation. Must not grant it to anybody but the person the failed reply was for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from bot import outbox
from bot.contract import clock, messages
from bot.policy import decision, settings
from bot.policy.lifecycle import State
from bot.store import events, people, tables, vault

_i, _p, _r = tables.identities, tables.persons, tables.replies


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What making a later attempt needs. `new_id` gives an unused reply's id."""

    keys: vault.Vault
    rules: settings.Reply
    new_id: Callable[[], int]


def grant(
    tx: sa.Connection,
    again: Again,
    failed: Sequence[tuple[Mapping[str, Any], messages.DeliveryReceipt]],
    now_ms: int,
) -> None:
    """Schedule the later attempts of replies that failed just now."""
    rows = [made for row, receipt in failed if (made := _made(tx, again, row, receipt)) is not None]
    outbox.add(tx, rows)
    if rows:
        events.append(tx, now_ms, "retries", {"n": len(rows)})


def _made(
    tx: sa.Connection, again: Again, row: Mapping[str, Any], receipt: messages.DeliveryReceipt
) -> dict[str, Any] | None:
    at, recipient = receipt.retry_at, receipt.recipient
    if at is None or recipient is None or not row["automatic"] or row["retry_of"] is not None:
        return None
    if not row["language"]:
        # Forgotten while it may have been on its way: nothing more is sent, no address kept anew.
        return None
    due_ms = clock.to_ms(at)
    if due_ms >= decision.expires_ms(row["first_ms"], again.rules):
        return None
    person_id = people.survivor(tx, row["person_id"])
    if person_id != row["person_id"] or not _is_his(tx, again.keys, receipt, person_id):
        return None
    held = tx.execute(
        sa.select(_p.c.blocked_until_ms, _p.c.opted_out_ms).where(_p.c.id == person_id)
    ).one()
    if held.blocked_until_ms != row["window_ms"] or held.opted_out_ms is not None:
        return None
    new_id = again.new_id()
    return {
        "id": new_id,
        "person_id": person_id,
        "automatic": True,
        "state": State.SCHEDULED,
        "reason": decision.Reason.RETRY,
        "network": row["network"],
        "channel": row["written_channel"] or row["channel"],
        "own_address": row["written_address"] or row["own_address"],
        "country": row["country"],
        "language": row["language"],
        "address_enc": again.keys.seal(recipient.value, outbox.place(new_id)),
        "first_ms": row["first_ms"],
        "due_ms": due_ms,
        "window_ms": row["window_ms"],
        "attempts": 0,
        "words": row["words"],
        "approved": row["approved"],
        "retry_of": row["id"],
    }


def _is_his(
    tx: sa.Connection, keys: vault.Vault, receipt: messages.DeliveryReceipt, person_id: int
) -> bool:
    """Whether the address that the network named is that person's."""
    if receipt.recipient is None:
        return False
    hashes = keys.hash_address(receipt.recipient.network, receipt.recipient.value)
    owners = tx.execute(sa.select(_i.c.person_id).where(_i.c.hash.in_(hashes))).scalars()
    return any(people.survivor(tx, owner) == person_id for owner in owners)
