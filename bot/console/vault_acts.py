"""Forgetting one person, and telling one person what is kept: only after their own proof.

What must outlive an erasure is a suppression entry: the keyed hash of the address with the window,
the opt-out and the block, so that nobody is answered twice by being forgotten (C44).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot import outbox
from bot.console import audit, holding
from bot.contract import money
from bot.policy import decision, reasons
from bot.policy.lifecycle import State
from bot.store import people, tables, vault

_p, _i, _r, _in = tables.persons, tables.identities, tables.replies, tables.inbound
_a = tables.audit
# These may be out there; they are settled first, and hold no address meanwhile.
_OUT: Final = (State.SENDING, State.UNKNOWN)
_WAITS: Final = (State.HELD, State.SCHEDULED)
_WENT_OUT: Final = (State.SENT, State.DELIVERED, State.FAILED)
_OF_A_PERSON: Final = (
    *("address_enc", "text_enc", "words", "topic", "opinion", "quoted_micros"),
    *("written_channel", "written_address", "refused_by", "retry_of"),
)
# Kinds of events that name a person by number. Acts stay as acts: their trail is a chain.
_NAMING: Final = ("priority", "proof", audit.KIND)
_FORGOTTEN: Final = "forgotten"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """`kept`: whether a suppression entry stays; `left`: replies that must be settled first.

    `at_provider`: how many of the replies went out under a provider's name, so that the janitor
    still has to look whether they are removed there.
    """

    messages: int
    replies: int
    left: int
    at_provider: int
    kept: bool


def all_of(tx: sa.Connection, person_id: int) -> list[int]:
    """The person and all that were merged into it."""
    ids, fresh = [person_id], [person_id]
    while fresh:
        fresh = list(tx.execute(sa.select(_p.c.id).where(_p.c.merged_into.in_(fresh))).scalars())
        ids += fresh
    return ids


def erase(
    tx: sa.Connection,
    keys: vault.Vault,
    person_id: int,
    *,
    now_ms: int,
    who: str,
    why: str | None = None,
) -> Erased:
    """Everything of them goes from every table; the suppression entry stays while it must.

    `why`: on what other ground than their own proof; it stays in the trail.
    """
    ids = all_of(tx, person_id)
    waits = sa.select(_r).where(_r.c.person_id.in_(ids), _r.c.state.in_(_WAITS))
    rows = [dict(row) for row in tx.execute(waits).mappings()]
    # One that waits was not sent: the window is given back, as ever.
    holding.cancel(tx, rows, decision.Reason.BY_HAND)
    messages = tx.execute(sa.delete(_in).where(_in.c.person_id.in_(ids))).rowcount
    gone = sa.select(_r.c.id).where(_r.c.person_id.in_(ids), _r.c.state.not_in(_OUT))
    gone_ids = list(tx.execute(gone).scalars())
    _forget_receipts(tx, gone_ids)
    at_provider = _disown(tx, gone_ids, now_ms)
    tx.execute(sa.delete(_r).where(_r.c.id.in_(gone_ids), _r.c.person_id != people.NOBODY))
    left = tx.execute(
        sa.update(_r)
        .where(_r.c.person_id.in_(ids))
        # Without a language no later attempt is made of it (`receipts.retries`).
        .values(address_enc=None, text_enc=None, words=None, topic=None, language="")
    ).rowcount
    tx.execute(sa.delete(tables.room_codes).where(tables.room_codes.c.person_id.in_(ids)))
    _forget_questions(tx, keys, ids)
    kept = _suppress(tx, person_id, ids, left=left > 0, now_ms=now_ms)
    audit.note(tx, now_ms, who, "erase", persons=[person_id], why=why)
    # After the note, which makes an event too.
    _forget_events(tx, ids)
    return Erased(
        messages=messages, replies=len(gone_ids), left=left, at_provider=at_provider, kept=kept
    )


def _disown(tx: sa.Connection, reply_ids: Sequence[int], now_ms: int) -> int:
    """Of what went out only the provider's name of it stays, and what its price needs.

    It is nobody's from now on; the janitor (`afterwards`) has it removed at the provider and
    deletes it. How many.
    """
    out = sa.update(_r).where(
        _r.c.id.in_(reply_ids), _r.c.provider_id.is_not(None), _r.c.state.in_(_WENT_OUT)
    )
    # By hand: no later attempt is made of such.
    empty = dict.fromkeys(_OF_A_PERSON) | {"language": "", "own_address": "", "window_ms": 0}
    told = {"person_id": people.NOBODY, "automatic": False, "first_ms": now_ms, "due_ms": now_ms}
    return tx.execute(out.values(**empty, **told)).rowcount


def _forget_receipts(tx: sa.Connection, reply_ids: Sequence[int]) -> None:
    """Also those that came before their send was recorded and know the provider's id only."""
    t = tables.receipts
    known = sa.select(_r.c.provider_id).where(_r.c.id.in_(reply_ids), _r.c.provider_id.is_not(None))
    tx.execute(sa.delete(t).where(sa.or_(t.c.reply_id.in_(reply_ids), t.c.provider_id.in_(known))))


def _forget_events(tx: sa.Connection, ids: Sequence[int]) -> None:
    """Emptied and not deleted: readers go by the number of the newest."""
    t = tables.events
    found = tx.execute(sa.select(t.c.id, t.c.kind, t.c.data).where(t.c.kind.in_(_NAMING)))
    for row in found.all():
        told = json.loads(row.data)
        if ids_in(row.data) & set(ids):
            is_act = row.kind == audit.KIND
            left = (
                {k: v for k, v in told.items() if k not in {"person", "persons"}} if is_act else {}
            )
            values = {"kind": row.kind if is_act else _FORGOTTEN, "data": json.dumps(left)}
            tx.execute(sa.update(t).where(t.c.id == row.id).values(values))


def _forget_questions(tx: sa.Connection, keys: vault.Vault, ids: Sequence[int]) -> None:
    """What the room was asked about them and has not decided."""
    t = tables.room_prompts
    open_ones = tx.execute(sa.select(t.c.id, t.c.data_enc).where(t.c.data_enc.is_not(None)))
    theirs = [row.id for row in open_ones if ids_in(_opened(keys, row.data_enc, t.name)) & set(ids)]
    tx.execute(sa.update(t).where(t.c.id.in_(theirs)).values(state="expired", data_enc=None))


def ids_in(data: str | None) -> set[int]:
    """The persons that an event, an act or a question (as JSON) names."""
    told = json.loads(data or "{}")
    several, one = told.get("persons"), told.get("person")
    # In an event of a merge it is how many they were.
    return {*(several if isinstance(several, list) else ()), *(() if one is None else (one,))}


def _suppress(
    tx: sa.Connection, person_id: int, ids: Sequence[int], *, left: bool, now_ms: int
) -> bool:
    """Keep the hash with what it forbids, or forget it too."""
    row = tx.execute(sa.select(_p).where(_p.c.id == person_id)).mappings().one()
    forbids = row["blocked_until_ms"] > now_ms or row["opted_out_ms"] or row["blocked_ms"] or left
    merged = [one for one in ids if one != person_id]
    if not forbids:
        tx.execute(sa.delete(_i).where(_i.c.person_id.in_(ids)))
        tx.execute(sa.delete(_p).where(_p.c.id.in_(ids)))
        return False
    tx.execute(sa.update(_i).where(_i.c.person_id.in_(merged)).values(person_id=person_id))
    tx.execute(sa.delete(_p).where(_p.c.id.in_(merged)))
    # Silent since ever: retention takes it as soon as nothing is forbidden any more. But known
    # since now only: whoever writes again may be standing beside her (C16).
    statement = sa.update(_p).where(_p.c.id == person_id)
    tx.execute(statement.values(messages=0, last_ms=0, created_ms=now_ms))
    return True


def export(
    tx: sa.Connection,
    keys: vault.Vault,
    person_id: int,
    currency: str,
    *,
    now_ms: int,
    who: str,
    why: str | None = None,
) -> Mapping[str, object]:
    """All that is kept about them, as plain values; their address is theirs to know.

    `why` as in `erase`. Who acted on them is not theirs to know; what was done, and when, is.
    """
    ids = all_of(tx, person_id)
    person = tx.execute(sa.select(_p).where(_p.c.id == person_id)).mappings().one()
    wrote = sa.select(_in).where(_in.c.person_id.in_(ids)).order_by(_in.c.received_ms, _in.c.id)
    got = sa.select(_r).where(_r.c.person_id.in_(ids)).order_by(_r.c.first_ms, _r.c.id)
    audit.note(tx, now_ms, who, "export", persons=[person_id], why=why)
    trail = tx.execute(sa.select(_a.c.at_ms, _a.c.act, _a.c.data).order_by(_a.c.id))
    return {
        "first_seen": _when(person["created_ms"]),
        "last_seen": _when(person["last_ms"]),
        "messages_counted": person["messages"],
        "no_reply_before": _when(person["blocked_until_ms"] or None),
        "opted_out": _when(person["opted_out_ms"]),
        "blocked": _when(person["blocked_ms"]),
        "addresses": "kept as keyed hashes, which cannot be read back",
        "messages": [_message(keys, row) for row in tx.execute(wrote).mappings()],
        "replies": [_reply(keys, row, currency) for row in tx.execute(got).mappings()],
        "acts": [
            {"at": _when(row.at_ms), "act": row.act} for row in trail if ids_in(row.data) & set(ids)
        ],
    }


def _message(keys: vault.Vault, row: sa.RowMapping) -> dict[str, object]:
    return {
        "received": _when(row["received_ms"]),
        "network": row["network"],
        "channel": row["channel"],
        "kind": row["kind"],
        "characters": row["length"],
        "country": row["country"],
        "number_type": row["number_type"],
        "decision": row["decision"],
        "why": reasons.of(row["reason"]).en,
        "words": _opened(
            keys, row["text_enc"], people.text_place(row["person_id"], row["received_ms"])
        ),
    }


def _reply(keys: vault.Vault, row: sa.RowMapping, currency: str) -> dict[str, Any]:
    micros = row["price_micros"] if row["price_micros"] is not None else row["reserved_micros"]
    return {
        "state": row["state"],
        "why": reasons.of(row["reason"]).en,
        "automatic": row["automatic"],
        "network": row["network"],
        "channel": row["channel"],
        "language": row["language"],
        "due": _when(row["due_ms"]),
        "sent": _when(row["sent_ms"]),
        "cost": None if micros is None else str(money.Money(micros, currency)),
        "to": _opened(keys, row["address_enc"], outbox.place(row["id"])),
        "words": _opened(keys, row["text_enc"], outbox.place(row["id"])),
    }


def _opened(keys: vault.Vault, sealed: bytes | None, place: str) -> str | None:
    if sealed is None:
        return None
    try:
        return keys.open(sealed, place)
    except vault.SealedError:
        return None


def _when(moment_ms: int | None) -> str | None:
    if moment_ms is None:
        return None
    return dt.datetime.fromtimestamp(moment_ms / 1000, dt.UTC).isoformat(timespec="seconds")
