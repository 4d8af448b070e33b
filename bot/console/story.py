"""Why somebody was or was not answered: the whole story of one person in plain words."""

from __future__ import annotations

import dataclasses
from typing import Final

import sqlalchemy as sa

from bot import outbox
from bot.console import names, telling
from bot.console.results import Words
from bot.contract import money
from bot.policy import reasons, settings
from bot.store import tables, vault

MESSAGES_SHOWN: Final = 200
_p, _r, _in = tables.persons, tables.replies, tables.inbound


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it was decided on; its words are not kept."""

    id: str
    at_ms: int
    channel: str
    network: str
    kind: str
    decision: str
    reason: str
    why: Words
    reply: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`cost`: the true price, or what is set aside until it is known.

    `flood`: what the flood had to do with it, None if nothing.
    """

    reply: str
    state: str
    means: Words
    reason: str
    why: Words
    flood: Words | None
    channel: str
    country: str | None
    language: str
    first_ms: int
    due_ms: int
    sent_ms: int | None
    attempts: int
    parts: int | None
    cost: money.Money | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`written`: all messages, of which `messages` holds the newest, oldest first."""

    who: str
    created_ms: int
    written: int
    opted_out_ms: int | None
    blocked_ms: int | None
    answered_until_ms: int | None
    messages: tuple[Message, ...]
    replies: tuple[Reply, ...]


def of_person(
    tx: sa.Connection, keys: vault.Vault, person_id: int, budget: settings.Budget, now_ms: int
) -> Story:
    """The story; `person_id` must be one that exists and was not merged away."""
    ids = _all_of(tx, person_id)
    person = tx.execute(sa.select(_p).where(_p.c.id == person_id)).mappings().one()
    written = sa.select(sa.func.sum(_p.c.messages)).where(_p.c.id.in_(ids))
    return Story(
        who=names.person(keys, person_id),
        created_ms=person["created_ms"],
        written=tx.execute(written).scalar_one(),
        opted_out_ms=person["opted_out_ms"],
        blocked_ms=person["blocked_ms"],
        answered_until_ms=person["blocked_until_ms"] or None,
        messages=_messages(tx, keys, ids),
        replies=_replies(tx, keys, ids, budget, now_ms),
    )


def _all_of(tx: sa.Connection, person_id: int) -> list[int]:
    """The person and all that were merged into it; rows written before keep their old id."""
    ids, fresh = [person_id], [person_id]
    while fresh:
        query = sa.select(_p.c.id).where(_p.c.merged_into.in_(fresh))
        fresh = list(tx.execute(query).scalars())
        ids += fresh
    return ids


def _messages(tx: sa.Connection, keys: vault.Vault, ids: list[int]) -> tuple[Message, ...]:
    query = (
        sa.select(_in)
        .where(_in.c.person_id.in_(ids))
        .order_by(_in.c.received_ms.desc(), _in.c.id.desc())
        .limit(MESSAGES_SHOWN)
    )
    rows = list(tx.execute(query).mappings())
    return tuple(
        Message(
            id=str(row["id"]),
            at_ms=row["received_ms"],
            channel=row["channel"],
            network=row["network"],
            kind=row["kind"],
            decision=row["decision"],
            reason=row["reason"],
            why=reasons.of(row["reason"]),
            reply=None if row["reply_id"] is None else outbox.key(keys, row["reply_id"]),
        )
        for row in reversed(rows)
    )


def _replies(
    tx: sa.Connection, keys: vault.Vault, ids: list[int], budget: settings.Budget, now_ms: int
) -> tuple[Reply, ...]:
    query = sa.select(_r).where(_r.c.person_id.in_(ids)).order_by(_r.c.first_ms, _r.c.id)
    out = []
    for row in tx.execute(query).mappings().all():
        micros = cost_micros(row["price_micros"], row["reserved_micros"])
        out.append(
            Reply(
                reply=outbox.key(keys, row["id"]),
                state=row["state"],
                means=reasons.of_state(row["state"]),
                reason=row["reason"],
                why=reasons.of(row["reason"]),
                flood=telling.of_reply(tx, row, budget, now_ms),
                channel=row["channel"],
                country=row["country"],
                language=row["language"],
                first_ms=row["first_ms"],
                due_ms=row["due_ms"],
                sent_ms=row["sent_ms"],
                attempts=row["attempts"],
                parts=row["parts"],
                cost=None if micros is None else money.Money(micros, budget.currency),
            )
        )
    return tuple(out)


def cost_micros(price: int | None, reserved: int | None) -> int | None:
    """What a reply cost: the true price once it is known, until then what is set aside."""
    return reserved if price is None else price
