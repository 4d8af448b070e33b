"""What we hold of chosen people and days, for a complaint: plain files, no address unless told.

Only facts that are in the database already; nothing is worked out and nobody is called anything.
Who of the moderators acted is left out: a complaint is about those who wrote.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from bot import outbox
from bot.console import vault_acts
from bot.policy import reasons
from bot.store import people, tables, vault

_i, _in, _r, _a = tables.identities, tables.inbound, tables.replies, tables.audit
READ_ME: Final = "README.txt"
PERSONS: Final = "persons.json"
_TOLD: Final = """\
What this is
  What the collective that runs a shared number holds of {people} between {first} and {last}
  (both days included, {zone}), taken out on {made}.

Files
  persons.json   each person as person-1, person-2, ...: keyed hashes of their addresses
  messages.json  each message: when, on which network and channel of ours, what kind, how long,
                 what was decided and why. "words" is what was written, if it is still there:
                 words are kept for held messages only, for three days at the most
  replies.json   what we answered, when, from which address of ours
  acts.json      what moderators did about these persons, and when
  counts.csv     messages by person, day and channel
  manifest.json  the SHA-256 of each of these files, and our public key
  manifest.sig   our signature of manifest.json (Ed25519, base64)

Keyed hashes
  An address is kept as HMAC-SHA256 under a secret key, cut to 128 bits. Nobody can read an
  address out of it. Whoever holds the key file can check whether a given address is that
  person: antirelou evidence --verify FILE --person ADDRESS

What it proves
  That these files are as we signed them, on the key that manifest.json names. That a message
  came to us from whoever our provider or network named as its sender.

What it does not prove
  Who held the telephone. A number of an SMS can be faked. Nor when it was signed, beyond our
  word: the hash of manifest.json stands in our chained trail of acts; a time stamp of a third
  party is yours to add. Nor that nothing else was written: what is old is forgotten.

Checking it
  antirelou evidence --verify FILE, or without it: compare the sums (sha256sum) with
  manifest.json, and manifest.sig with the public key by any program that knows Ed25519.
  Ask the collective for the fingerprint of its key by a way that you trust.
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Whole days, both included, with what they are in milliseconds."""

    first: str
    last: str
    zone: str
    from_ms: int
    until_ms: int


def gather(
    tx: sa.Connection,
    keys: vault.Vault,
    persons: Sequence[int],
    span: Span,
    *,
    addresses: Mapping[int, Sequence[str]] | None,
    now_ms: int,
) -> dict[str, bytes]:
    """Name -> content. `addresses`: as they were typed, by person; None: none go out at all."""
    named = {one: f"person-{n}" for n, one in enumerate(persons, 1)}
    who = {i: name for one, name in named.items() for i in vault_acts.all_of(tx, one)}
    messages = _messages(tx, keys, who, span)
    told = _TOLD.format(
        people=f"{len(persons)} person" + ("s" if len(persons) > 1 else ""),
        first=span.first,
        last=span.last,
        zone=span.zone,
        made=_when(now_ms),
    )
    return {
        READ_ME: told.encode(),
        PERSONS: _json([_person(tx, name, one, who, addresses) for one, name in named.items()]),
        "messages.json": _json(messages),
        "replies.json": _json(_replies(tx, keys, who, span, with_addresses=addresses is not None)),
        "acts.json": _json(_acts(tx, who, span)),
        "counts.csv": _counts(messages),
    }


def _person(
    tx: sa.Connection,
    name: str,
    person: int,
    who: Mapping[int, str],
    addresses: Mapping[int, Sequence[str]] | None,
) -> dict[str, object]:
    ids = [one for one, held in who.items() if held == name]
    hashes = tx.execute(sa.select(_i.c.hash).where(_i.c.person_id.in_(ids))).scalars()
    told: dict[str, object] = {"person": name, "keyed_hashes": sorted(one.hex() for one in hashes)}
    if addresses is not None:
        told["addresses_as_given_by_us"] = list(addresses.get(person, ()))
    return told


def _messages(
    tx: sa.Connection, keys: vault.Vault, who: Mapping[int, str], span: Span
) -> list[dict[str, object]]:
    query = (
        sa.select(_in)
        .where(_in.c.person_id.in_(list(who)), _within(_in.c.received_ms, span))
        .order_by(_in.c.received_ms, _in.c.id)
    )
    return [
        {
            "person": who[row["person_id"]],
            "received": _when(row["received_ms"]),
            "network": row["network"],
            "channel": row["channel"],
            "kind": row["kind"],
            "characters": row["length"],
            "country": row["country"],
            "decision": row["decision"],
            "why": reasons.of(row["reason"]).en,
            "words": _opened(
                keys, row["text_enc"], people.text_place(row["person_id"], row["received_ms"])
            ),
        }
        for row in tx.execute(query).mappings()
    ]


def _replies(
    tx: sa.Connection,
    keys: vault.Vault,
    who: Mapping[int, str],
    span: Span,
    *,
    with_addresses: bool,
) -> list[dict[str, object]]:
    query = (
        sa.select(_r)
        .where(_r.c.person_id.in_(list(who)), _within(_r.c.first_ms, span))
        .order_by(_r.c.first_ms, _r.c.id)
    )
    out = []
    for row in tx.execute(query).mappings():
        told: dict[str, object] = {
            "person": who[row["person_id"]],
            "reply": outbox.key(keys, row["id"]),
            "automatic": row["automatic"],
            "network": row["network"],
            "channel": row["channel"],
            "from_our_address": row["own_address"],
            "language": row["language"],
            "first_message": _when(row["first_ms"]),
            "state": row["state"],
            "why": reasons.of(row["reason"]).en,
            "sent": _when(row["sent_ms"]),
        }
        if with_addresses:
            told["to"] = _opened(keys, row["address_enc"], outbox.place(row["id"]))
        out.append(told)
    return out


def _acts(tx: sa.Connection, who: Mapping[int, str], span: Span) -> list[dict[str, object]]:
    query = sa.select(_a.c.at_ms, _a.c.act, _a.c.data).where(_within(_a.c.at_ms, span))
    return [
        {
            "at": _when(row.at_ms),
            "act": row.act,
            "persons": sorted({who[one] for one in vault_acts.ids_in(row.data) & set(who)}),
        }
        for row in tx.execute(query.order_by(_a.c.id))
        if vault_acts.ids_in(row.data) & set(who)
    ]


def _counts(messages: Sequence[Mapping[str, object]]) -> bytes:
    """By person, UTC day and channel."""
    counted = Counter((m["person"], str(m["received"])[:10], m["channel"]) for m in messages)
    held = io.StringIO()
    lines = csv.writer(held, lineterminator="\n")
    lines.writerow(("person", "day_utc", "channel", "messages"))
    lines.writerows((*key, n) for key, n in sorted(counted.items(), key=str))
    return held.getvalue().encode()


def _within(column: sa.ColumnElement[int], span: Span) -> sa.ColumnElement[bool]:
    return sa.and_(column >= span.from_ms, column < span.until_ms)


def _opened(keys: vault.Vault, sealed: bytes | None, place: str) -> str | None:
    if sealed is None:
        return None
    try:
        return keys.open(sealed, place)
    except vault.SealedError:
        return None


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _when(moment_ms: int | None) -> str | None:
    if moment_ms is None:
        return None
    return dt.datetime.fromtimestamp(moment_ms / 1000, dt.UTC).isoformat(timespec="seconds")
