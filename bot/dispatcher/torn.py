"""Sends that a kill tore apart, made again where a repeat is certain to reach him once.

Such a reply may be out already. So it stays `sending`, keeps its money and its window, and is
handed over again exactly as it was: no new decision, no new route, no new reservation. Where a
repeat is not certain, or not wanted any more, the janitor makes it unknown.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot import ledger, outbox
from bot.contract import address, clock, messages
from bot.dispatcher import claim, routes
from bot.policy import decision
from bot.policy.lifecycle import State
from bot.store import events, tables, vault

_r, _p = tables.replies, tables.persons
_TORN = (
    sa.select(_r, _p.c.opted_out_ms, _p.c.blocked_ms, _p.c.merged_into)
    .join(_p, _p.c.id == _r.c.person_id)
    .where(sa.literal_column("replies.state") == sa.literal_column("'sending'"))
    .where(_r.c.lease_until_ms < sa.bindparam("now_ms"))
    .order_by(_r.c.due_ms, _r.c.id)
    .limit(sa.bindparam("limit"))
    .with_for_update(of=_r, skip_locked=True)
)
_AGAIN = (
    sa.update(_r)
    .where(_r.c.id == sa.bindparam("of"), _r.c.lease_until_ms == sa.bindparam("was"))
    .where(sa.literal_column("state") == sa.literal_column("'sending'"))
    .values(lease_until_ms=sa.bindparam("until"), attempts=_r.c.attempts + 1)
)


def take(tx: sa.Connection, *, plan: claim.Plan, now_ms: int, limit: int) -> list[claim.Claim]:
    """Claims of torn sends, their leases renewed; another worker's are left alone."""
    controls = events.controls(tx)
    plan = claim.under(plan, controls)
    claims = []
    for row in tx.execute(_TORN, {"now_ms": now_ms, "limit": limit}).mappings():
        way = plan.bridges.get(row["channel"])
        again = decision.send_again(
            idempotent=way is not None and way.idempotent,
            attempts=row["attempts"],
            unwanted=any(row[n] is not None for n in ("opted_out_ms", "blocked_ms", "merged_into")),
            expired=now_ms >= decision.expires_ms(row["first_ms"], plan.core.reply),
        )
        if not again or claim.paused(controls, row["channel"], now_ms):
            continue
        lease = {
            "of": row["id"],
            "was": row["lease_until_ms"],
            "until": now_ms + claim.LEASE_MS,
        }
        try:
            made = _claim(dict(row), plan, lease["until"])
        except vault.SealedError:
            unsure = {"id": row["id"], "reason": decision.Reason.SEALED, "lease_until_ms": None}
            outbox.move(tx, State.SENDING, State.UNKNOWN, [unsure])
            continue
        if tx.execute(_AGAIN, lease).rowcount == 1:
            claims.append(made)
    return claims


def _claim(row: dict[str, Any], plan: claim.Plan, lease_until_ms: int) -> claim.Claim:
    network = plan.bridges[row["channel"]].network
    value = plan.keys.open(row["address_enc"], outbox.place(row["id"]))
    text = routes.wording(
        row["id"],
        row["text_enc"],
        row["language"],
        row["written_address"],
        plan.core.reply,
        plan.keys,
    )
    return claim.Claim(
        id=row["id"],
        person_id=row["person_id"],
        window_ms=row["window_ms"],
        due_ms=row["due_ms"],
        automatic=row["automatic"],
        channel=row["channel"],
        outbound=messages.OutboundReply(
            reply_id=outbox.key(plan.keys, row["id"]),
            channel=row["channel"],
            sender=address.Address(network, row["own_address"]),
            recipient=address.Address(row["network"], value),
            text=text,
            valid_until=clock.from_ms(decision.expires_ms(row["first_ms"], plan.core.reply)),
        ),
        reservation=ledger.Reservation(
            reply_id=row["id"],
            channel=row["channel"],
            country=row["country"],
            micros=row["reserved_micros"] or 0,
            parts=row["parts"] or 1,
            period=row["period"],
            crossed=row["network"] != network,
        ),
        attempts=row["attempts"] + 1,
        lease_until_ms=lease_until_ms,
        torn=True,
    )
