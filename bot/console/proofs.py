"""Words that prove an address: handed out in the room or at the command line, seen when they come.

Only hashes of them are kept. The room asks as soon as one comes; the command line is run again and
looks. A word counts for the one thing it was handed out for, and for a week.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from bot.contract import address
from bot.policy import proof
from bot.store import people, tables, vault

LASTS_MS: Final = 7 * 86_400_000
COMMAND_LINE: Final = ""
"""In the place of a channel: no room is told when the word comes."""
KIND: Final = "proof"
_t, _e = tables.proofs, tables.events


def hand_out(
    tx: sa.Connection,
    keys: vault.Vault,
    kind: str,
    *,
    place: tuple[str, str],
    now_ms: int,
    who: str,
) -> str:
    """A new word, as it is to be sent. `place`: channel and room, or `of` some addresses."""
    letters = "".join(secrets.choice(proof.ALPHABET) for _ in range(proof.LETTERS))
    row = {
        "hash": keys.lasting("proof", letters),
        "kind": kind,
        "asked_by": who,
        "channel": place[0],
        "room_id": place[1],
        "expires_ms": now_ms + LASTS_MS,
    }
    tx.execute(sa.insert(_t), row)
    return proof.spelled(letters)


def of(keys: vault.Vault, addresses: Sequence[address.Address]) -> tuple[str, str]:
    """The place of words for these addresses, in which nobody can read them."""
    named = " ".join(sorted(f"{a.network} {a.value}" for a in addresses))
    return COMMAND_LINE, keys.lasting("proof of", named).hex()


def waits_until(tx: sa.Connection, kind: str, place: tuple[str, str], now_ms: int) -> int | None:
    """When the newest word that is still good ends, None if there is none."""
    ends: int | None = tx.execute(
        sa.select(sa.func.max(_t.c.expires_ms)).where(_which(kind, place, now_ms))
    ).scalar_one_or_none()
    return ends


def proven(
    tx: sa.Connection, kind: str, place: tuple[str, str], persons: Sequence[int], now_ms: int
) -> list[int]:
    """Those of these persons who have sent a word that was handed out for it."""
    words = {
        found.hex()
        for found in tx.execute(sa.select(_t.c.hash).where(_which(kind, place, now_ms))).scalars()
    }
    came = sa.select(_e.c.data).where(_e.c.kind == KIND, _e.c.at_ms >= now_ms - LASTS_MS)
    told = [json.loads(data) for data in tx.execute(came).scalars()] if words else []
    senders = {people.survivor(tx, int(one["person"])) for one in told if one["word"] in words}
    return [one for one in persons if one in senders]


def used(tx: sa.Connection, kind: str, place: tuple[str, str]) -> None:
    """What was asked for is done: these words are good for nothing any more."""
    tx.execute(
        sa.delete(_t).where(_t.c.kind == kind, _t.c.channel == place[0], _t.c.room_id == place[1])
    )


def _which(kind: str, place: tuple[str, str], now_ms: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        _t.c.kind == kind,
        _t.c.channel == place[0],
        _t.c.room_id == place[1],
        _t.c.expires_ms > now_ms,
    )
