"""Persons: found by an address typed at the command line or by a reply, blocked and unblocked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot import outbox
from bot.console import audit, holding, names
from bot.console.results import Done, said
from bot.contract import address
from bot.policy import decision
from bot.store import tables, vault

_p, _i, _r = tables.persons, tables.identities, tables.replies
_ACI = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_SEPARATORS = re.compile(r"[\s.()\-\u00a0]")
_WAITING: Final = sa.text("automatic AND state IN ('held', 'scheduled', 'sending')")


def read_address(typed: str) -> tuple[address.Address, ...]:
    """The addresses somebody may mean; empty if it is none. A number serves SMS and Signal."""
    shown = typed.strip()
    try:
        if shown.startswith("@") and ":" in shown:
            return (address.Address(address.MATRIX, shown),)
        if _ACI.match(shown.lower()):
            return (address.Address(address.SIGNAL, shown.lower()),)
        number = address.Address(address.SMS, _SEPARATORS.sub("", shown))
    except ValueError:
        return ()
    if not number.is_e164:
        return ()
    return (number, address.Address(address.SIGNAL, number.value))


def find(tx: sa.Connection, keys: vault.Vault, addresses: Sequence[address.Address]) -> list[int]:
    """The persons behind these addresses, as they are now (after merging)."""
    hashes = [h for a in addresses for h in keys.hash_address(a.network, a.value)]
    query = sa.select(_i.c.person_id).where(_i.c.hash.in_(hashes)).distinct()
    return sorted(tx.execute(query).scalars())


def of_reply(tx: sa.Connection, reply_id: int) -> int | None:
    """The person a reply is for, None if there is no such reply."""
    row = outbox.load(tx, [reply_id]).get(reply_id)
    return None if row is None else survivor(tx, row["person_id"])


def survivor(tx: sa.Connection, person_id: int) -> int:
    """The person that this one was merged into, itself if never."""
    while True:
        query = sa.select(_p.c.merged_into).where(_p.c.id == person_id)
        into: int | None = tx.execute(query).scalar_one_or_none()
        if into is None:
            return person_id
        person_id = into


def block(
    tx: sa.Connection, persons: Sequence[int], *, keys: vault.Vault, now_ms: int, who: str
) -> Done:
    """Never answer them again; a waiting reply is cancelled."""
    if not persons:
        return _nobody()
    statement = sa.update(_p).where(_p.c.id.in_(persons), _p.c.blocked_ms.is_(None))
    tx.execute(statement.values(blocked_ms=now_ms))
    query = sa.select(_r).where(_r.c.person_id.in_(persons)).where(_WAITING)
    waiting: list[dict[str, Any]] = [dict(row) for row in tx.execute(query).mappings()]
    holding.cancel(tx, waiting, decision.Reason.BLOCKED)
    audit.note(tx, now_ms, who, "block", persons=list(persons))
    codes = _codes(keys, persons)
    return Done(
        ok=True,
        said=said(f"{codes}: blocked.", f"{codes} : ne recevra rien."),
        replies=tuple(outbox.key(keys, w["id"]) for w in waiting if w["state"] != "sending"),
    )


def unblock(
    tx: sa.Connection, persons: Sequence[int], *, keys: vault.Vault, now_ms: int, who: str
) -> Done:
    """They may be answered again, if they write again and did not opt out."""
    if not persons:
        return _nobody()
    tx.execute(sa.update(_p).where(_p.c.id.in_(persons)).values(blocked_ms=None))
    audit.note(tx, now_ms, who, "unblock", persons=list(persons))
    codes = _codes(keys, persons)
    return Done(ok=True, said=said(f"{codes}: no longer blocked.", f"{codes} : débloqué."))


def _codes(keys: vault.Vault, persons: Sequence[int]) -> str:
    return ", ".join(names.person(keys, one) for one in persons)


def _nobody() -> Done:
    return Done(
        ok=False,
        said=said("Nobody with this address has written.", "Personne n'a écrit de cette adresse."),
    )
