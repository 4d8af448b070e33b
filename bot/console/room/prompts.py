"""Questions in the room that one gesture decides: known, unexpired, undecided, and once (C22).

Deciding is a compare-and-set on the row, in the transaction of the act itself.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import os
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from bot.console import names
from bot.console.room import cards, said
from bot.contract import room
from bot.store import tables, vault

YES: Final = "✅"
NO: Final = "❌"
NUMBERS: Final = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣")
LASTS_MS: Final = 24 * 3_600_000
ASKS_AGAIN_MS: Final = 600_000
_PLACE: Final = "room_prompts"
_OF: Final = "of"
_p = tables.room_prompts
_OPEN: Final = sa.literal_column("room_prompts.state") == sa.literal_column("'open'")


class Kind(enum.StrEnum):
    """What is asked."""

    AGAIN = "again"
    TEXT = "text"
    CAP = "cap"
    REPLY = "reply"
    REVEAL = "reveal"
    ERASE = "erase"
    EXPORT = "export"
    MENU = "menu"
    CLUSTER = "cluster"
    LANE = "lane"
    UNKNOWN = "unknown"


# Reactions are never encrypted, so in an encrypted room the server could make one up. What it
# could decide at worst: whether something that was held goes, as everything does in calm times.
BY_REACTION: Final = frozenset({Kind.MENU, Kind.CLUSTER, Kind.LANE, Kind.UNKNOWN})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """`sealed`: it was asked for by an encrypted command. `data`: what it needs to be done."""

    id: int
    code: str
    where: said.Where
    kind: Kind
    data: Mapping[str, Any]
    asked_by: str
    expires_ms: int
    state: str
    sealed: bool

    def open(self, now_ms: int) -> bool:
        """Whether it may still be decided."""
        return self.state == "open" and now_ms < self.expires_ms


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to ask. `asked_by`: the account, or empty for one that came up by itself."""

    kind: Kind
    data: Mapping[str, Any]
    card: cards.Card
    asked_by: str = ""
    sealed: bool = False
    reactions: tuple[str, ...] = (YES, NO)
    lasts_ms: int = LASTS_MS


def ask(
    tx: sa.Connection,
    keys: vault.Vault,
    where: said.Where,
    question: Question,
    *,
    now_ms: int,
    language: str = "en",
    answers: str | None = None,
    mentions: tuple[str, ...] = (),
) -> int:
    """Say the card with its code and its reactions; the prompt's id."""
    code = names.letters(os.urandom(5), 5)
    typed = question.sealed and question.kind not in BY_REACTION
    yes, no = ("oui", "non") if language == "fr" else ("yes", "no")
    foot = (f"!{yes} {code} · !{no} {code}",)
    shown = dataclasses.replace(question.card, foot=(*question.card.foot, *foot))
    extras = said.Extras(
        answers=answers, reactions=() if typed else question.reactions, mentions=mentions
    )
    out_id = said.say(tx, keys, where, shown, lane=room.Lane.PROMPT, now_ms=now_ms, extras=extras)
    data = {"sealed": question.sealed, _OF: answers, **question.data}
    row = {
        "code": code,
        "channel": where.channel,
        "room_id": where.room_id,
        "out_id": out_id,
        "kind": question.kind.value,
        "data_enc": keys.seal(json.dumps(data), _PLACE),
        "asked_by": question.asked_by,
        "created_ms": now_ms,
        "expires_ms": now_ms + question.lasts_ms,
        "state": "open",
    }
    made: int = tx.execute(sa.insert(_p).returning(_p.c.id), row).scalar_one()
    return made


def by_message(
    tx: sa.Connection, keys: vault.Vault, where: said.Where, event_id: str
) -> Prompt | None:
    """The question behind a message of ours in this room."""
    out_id = said.said_as(tx, where.channel, event_id)
    return None if out_id is None else _found(tx, keys, where, _p.c.out_id == out_id)


def by_code(tx: sa.Connection, keys: vault.Vault, where: said.Where, code: str) -> Prompt | None:
    """The newest question of that code in this room."""
    return _found(tx, keys, where, _p.c.code == code)


def by_command(
    tx: sa.Connection, keys: vault.Vault, where: said.Where, event_id: str
) -> list[Prompt]:
    """The open questions that a command led to."""
    query = sa.select(_p).where(_OPEN, _p.c.channel == where.channel, _p.c.room_id == where.room_id)
    rows = tx.execute(query.order_by(_p.c.id)).mappings()
    found = [_prompt(keys, where, row) for row in rows]
    return [one for one in found if one.data.get(_OF) == event_id]


def _found(
    tx: sa.Connection, keys: vault.Vault, where: said.Where, which: sa.ColumnElement[bool]
) -> Prompt | None:
    query = sa.select(_p).where(which, _p.c.channel == where.channel, _p.c.room_id == where.room_id)
    row = tx.execute(query.order_by(_p.c.id.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else _prompt(keys, where, row)


def _prompt(keys: vault.Vault, where: said.Where, row: sa.RowMapping) -> Prompt:
    data: dict[str, Any] = {}
    if row["data_enc"] is not None:
        data = json.loads(keys.open(row["data_enc"], _PLACE))
    return Prompt(
        id=row["id"],
        code=row["code"],
        where=where,
        kind=Kind(row["kind"]),
        data=data,
        asked_by=row["asked_by"],
        expires_ms=row["expires_ms"],
        state=row["state"],
        sealed=bool(data.get("sealed")),
    )


def decide(tx: sa.Connection, prompt: Prompt, choice: str, who: str) -> bool:
    """Take the decision if nobody has yet; what it was about is forgotten with it."""
    statement = (
        sa.update(_p)
        .where(_p.c.id == prompt.id, _p.c.state == "open")
        .values(state="decided", choice=choice, decided_by=who, data_enc=None)
    )
    return tx.execute(statement).rowcount == 1


def overdue(tx: sa.Connection, now_ms: int) -> bool:
    """Whether `expire` would find any."""
    query = sa.select(_p.c.id).where(_OPEN, _p.c.expires_ms <= now_ms)
    return tx.execute(query.limit(1)).scalar() is not None


def expire(tx: sa.Connection, now_ms: int) -> int:
    """Nobody decided in time; how many."""
    statement = sa.update(_p).where(_OPEN, _p.c.expires_ms <= now_ms)
    return tx.execute(statement.values(state="expired", data_enc=None)).rowcount
