"""What came of sends, written many at once: state, money, wishes, alarms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot import ledger, outbox
from bot.contract import clock, outcomes
from bot.dispatcher.claim import FOREVER, Claim
from bot.policy import decision, settings
from bot.policy.lifecycle import State
from bot.store import events, people, tables

Result = tuple[Claim, outcomes.Outcome | None]

_OPT_OUT = (
    sa.update(tables.persons)
    .where(tables.persons.c.id == sa.bindparam("of"), tables.persons.c.opted_out_ms.is_(None))
    .values(opted_out_ms=sa.bindparam("at"))
)

_REFUSED = (
    sa.update(tables.replies)
    .where(tables.replies.c.id == sa.bindparam("of"))
    .values(refused_by=sa.bindparam("by"))
)

_LEASE = (
    sa.update(tables.replies)
    .where(tables.replies.c.id == sa.bindparam("of"))
    .where(sa.literal_column("state") == sa.literal_column("'sending'"))
    .values(lease_until_ms=sa.bindparam("until"))
)


def record(
    tx: sa.Connection, *, results: Sequence[Result], core: settings.Core, now_ms: int
) -> None:
    """One transaction for all of them. None as outcome: a pause came first.

    A reply that is not `sending` any more (its lease ran out while the database was away) was
    made unknown by the janitor: what is certain by now settles it, the rest changes nothing.
    """
    _challenges(tx, results, now_ms)
    states = outbox.states(tx, [claim.id for claim, _ in results])
    late = [(c, o) for c, o in results if states.get(c.id) == State.UNKNOWN]
    results = [(c, o) for c, o in results if states.get(c.id) == State.SENDING]
    moving = [c.reservation for c, o in [*late, *results] if _moves_money(c, o, core.budget)]
    ledger.hold(tx, moving, core.budget)
    _late(tx, late, core, now_ms)
    accepted = [(c, o) for c, o in results if isinstance(o, outcomes.Accepted)]
    # What was handed over before may be out, whatever the network says to the repeat.
    unsure = [
        (c, outcomes.Unknown(reason=o.reason))
        for c, o in results
        if isinstance(o, outcomes.Rejected) and c.torn
    ]
    refused = [(c, o) for c, o in results if isinstance(o, outcomes.Rejected) and not c.torn]
    rejected = [(c, o) for c, o in refused if not _goes_on(c, o)]
    unknown = [(c, o) for c, o in results if isinstance(o, outcomes.Unknown)] + unsure
    not_now = [(c, o) for c, o in results if isinstance(o, outcomes.NotNow)]
    back = [c for c, o in results if o is None]
    _accepted(tx, State.SENDING, accepted, core, now_ms)
    _rejected(tx, State.SENDING, rejected, core, now_ms)
    _stopped(tx, [c for c, o in refused if o.stop_channel], now_ms)
    _elsewhere(tx, [(c, o) for c, o in refused if _goes_on(c, o)], core, now_ms)
    _not_now(tx, [(c, o) for c, o in not_now if not c.torn], core, now_ms)
    held_back = [(c, c.due_ms, decision.Reason.PAUSED) for c in back if not c.torn]
    _put_back(tx, held_back, core, now_ms)
    _wait(tx, [(c, now_ms) for c in back if c.torn])
    _wait(tx, [(c, clock.to_ms(o.retry_at)) for c, o in not_now if c.torn])
    _unknown(tx, unknown, now_ms)
    events.count(
        tx,
        now_ms,
        {"sent": len(accepted), "rejected": len(refused), "unknown": len(unknown)},
    )


def _moves_money(claim: Claim, outcome: outcomes.Outcome | None, budget: settings.Budget) -> bool:
    """Whether it may change what its caps hold."""
    if not isinstance(outcome, outcomes.Accepted):
        return not isinstance(outcome, outcomes.Unknown)
    told = None if outcome.price is None else ledger.convert(budget, outcome.price)
    return told is not None and told.micros != claim.reservation.micros


def _late(tx: sa.Connection, results: Sequence[Result], core: settings.Core, now_ms: int) -> None:
    """Outcomes that come after the lease: an unknown reply is settled, never scheduled again."""
    accepted = [(c, o) for c, o in results if isinstance(o, outcomes.Accepted)]
    rejected = [(c, o) for c, o in results if isinstance(o, outcomes.Rejected) and not c.torn]
    unsent = [
        (c, outcomes.Rejected(reason=decision.Reason.EXPIRED))
        for c, o in results
        if (o is None or isinstance(o, outcomes.NotNow)) and not c.torn
    ]
    _accepted(tx, State.UNKNOWN, accepted, core, now_ms)
    _rejected(tx, State.UNKNOWN, [*rejected, *unsent], core, now_ms)
    _stopped(tx, [c for c, o in rejected if o.stop_channel], now_ms)


def _accepted(
    tx: sa.Connection,
    before: State,
    results: Sequence[tuple[Claim, outcomes.Accepted]],
    core: settings.Core,
    now_ms: int,
) -> None:
    told = [(c.reservation, o.price) for c, o in results if o.price is not None]
    prices = dict(
        zip(
            (one.reply_id for one, _ in told),
            ledger.post(tx, told, core.budget, now_ms),
            strict=True,
        )
    )
    rows = [
        {
            "id": c.id,
            "sent_ms": now_ms,
            "provider_id": o.provider_id,
            "parts": o.parts or c.reservation.parts,
            "price_micros": prices.get(c.id),
            "lease_until_ms": None,
            "address_enc": None,
            "text_enc": None,
        }
        for c, o in results
    ]
    outbox.move(tx, before, State.SENT, rows)


def _rejected(
    tx: sa.Connection,
    before: State,
    results: Sequence[tuple[Claim, outcomes.Rejected]],
    core: settings.Core,
    now_ms: int,
) -> None:
    free = [c.reservation for c, o in results if o.fee is None]
    ledger.void(tx, free, core.budget, now_ms)
    fees = [(c.reservation, o.fee) for c, o in results if o.fee is not None]
    paid = ledger.post(tx, fees, core.budget, now_ms)
    prices = {one.reply_id: p for (one, _), p in zip(fees, paid, strict=True)}
    rows: list[dict[str, Any]] = [
        {
            "id": c.id,
            "person_id": c.person_id,
            "window_ms": c.window_ms,
            "reason": o.reason,
            "price_micros": prices.get(c.id, 0),
            "lease_until_ms": None,
            "address_enc": None,
            "text_enc": None,
        }
        for c, o in results
    ]
    outbox.move(tx, before, State.FAILED, rows)
    left = [{"of": people.survivor(tx, c.person_id), "at": now_ms} for c, o in results if o.opt_out]
    if left:
        tx.execute(_OPT_OUT, left)
        events.append(tx, now_ms, "opt_outs", {"n": len(left)})


def _stopped(tx: sa.Connection, claims: Sequence[Claim], now_ms: int) -> None:
    for channel in sorted({c.channel for c in claims}):
        events.control(tx, now_ms, f"stopped:{channel}", FOREVER)
        events.append(tx, now_ms, "channel_stopped", {"channel": channel})


def _goes_on(claim: Claim, outcome: outcomes.Rejected) -> bool:
    """Whether a refusal ends only this way, and not the reply.

    An account that is in trouble says nothing of him. Neither does a channel that he did not
    write to: there is at least the one he wrote to. Both are certain that nothing went out.
    """
    if outcome.opt_out or outcome.fee is not None:
        return False
    return outcome.stop_channel or claim.moved_from is not None


def _elsewhere(
    tx: sa.Connection,
    results: Sequence[tuple[Claim, outcomes.Rejected]],
    core: settings.Core,
    now_ms: int,
) -> None:
    """Back in the queue, never again by a way that refused him for good."""
    _put_back(tx, [(c, now_ms, o.reason) for c, o in results], core, now_ms)
    rows = [
        {"of": c.id, "by": " ".join(sorted({*c.refused, c.channel}))}
        for c, o in results
        if not o.stop_channel
    ]
    if rows:
        tx.execute(_REFUSED, rows)


def _not_now(
    tx: sa.Connection,
    results: Sequence[tuple[Claim, outcomes.NotNow]],
    core: settings.Core,
    now_ms: int,
) -> None:
    rows = [(c, max(clock.to_ms(o.retry_at), now_ms + 1_000), o.reason) for c, o in results]
    _put_back(tx, rows, core, now_ms)


def _challenges(tx: sa.Connection, results: Sequence[Result], now_ms: int) -> None:
    told = {
        c.channel: o.challenge
        for c, o in results
        if isinstance(o, outcomes.NotNow) and o.challenge is not None
    }
    for channel, token in sorted(told.items()):
        events.challenge(tx, now_ms, channel, token)


def _put_back(
    tx: sa.Connection,
    rows: Sequence[tuple[Claim, int, str]],
    core: settings.Core,
    now_ms: int,
) -> None:
    """Certainly not sent: money back, scheduled again."""
    ledger.void(tx, [c.reservation for c, _, _ in rows], core.budget, now_ms)
    moved = [
        {
            "id": c.id,
            "due_ms": due_ms,
            "reason": reason,
            "lease_until_ms": None,
            "reserved_micros": None,
        }
        for c, due_ms, reason in rows
    ]
    outbox.move(tx, State.SENDING, State.SCHEDULED, moved)


def _wait(tx: sa.Connection, rows: Sequence[tuple[Claim, int]]) -> None:
    """A torn send that was not made again now: it may be out, so it stays as it is till then."""
    if rows:
        tx.execute(_LEASE, [{"of": c.id, "until": until_ms} for c, until_ms in rows])


def _unknown(
    tx: sa.Connection, results: Sequence[tuple[Claim, outcomes.Unknown]], now_ms: int
) -> None:
    """It may have gone out: money stays reserved, the address stays for reconciliation."""
    rows = [{"id": c.id, "reason": o.reason, "lease_until_ms": None} for c, o in results]
    outbox.move(tx, State.SENDING, State.UNKNOWN, rows)
    if rows:
        events.append(tx, now_ms, "unknown_sends", {"n": len(rows)})
