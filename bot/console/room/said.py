"""The durable queue of what is to be said: written with the act, offered until it is there.

A card is a message with a name; saying it again edits it, and an edit that still waits gives way
to the newer one. Ids are never used twice, nor are rows deleted while they are the newest.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from bot.console.room import cards
from bot.contract import room
from bot.store import keyvalue, tables, vault

_PLACE: Final = "room_outgoing"
_o = tables.room_outgoing
_WAITING: Final = sa.literal_column("room_outgoing.state") == sa.literal_column("'waiting'")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A room on a channel."""

    channel: str
    room_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a message may carry beside its words. `answers`: the event id that it replies to."""

    answers: str | None = None
    reactions: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    image: room.Image | None = None


NO_EXTRAS: Final = Extras()


def say(
    tx: sa.Connection,
    keys: vault.Vault,
    where: Where,
    card: cards.Card,
    *,
    lane: room.Lane,
    now_ms: int,
    extras: Extras = NO_EXTRAS,
    replaces: int | None = None,
) -> int:
    """Put it at the end of its lane; the row's id."""
    body: dict[str, Any] = {"plain": cards.plain(card), "html": cards.html(card)}
    body |= {name: value for name, value in _told(extras).items() if value}
    if replaces is not None:
        statement = sa.update(_o).where(_o.c.replaces == replaces).where(_WAITING)
        tx.execute(statement.values(state="merged", body_enc=None))
    row = {
        "channel": where.channel,
        "room_id": where.room_id,
        "lane": int(lane),
        "body_enc": keys.seal(json.dumps(body), _PLACE),
        "replaces": replaces,
        "created_ms": now_ms,
        "state": "waiting",
    }
    out_id: int = tx.execute(sa.insert(_o).returning(_o.c.id), row).scalar_one()
    return out_id


def _told(extras: Extras) -> dict[str, Any]:
    told: dict[str, Any] = {
        "answers": extras.answers,
        "reactions": list(extras.reactions),
        "mentions": list(extras.mentions),
    }
    if extras.image is not None:
        image = dataclasses.asdict(extras.image)
        told["image"] = image | {"png": base64.b64encode(extras.image.png).decode()}
    return told


def card(
    tx: sa.Connection,
    keys: vault.Vault,
    where: Where,
    name: str,
    shown: cards.Card,
    *,
    now_ms: int,
    extras: Extras = NO_EXTRAS,
) -> int:
    """Say a named card, or edit it if it was said; the id of the message itself.

    `extras` count when it is first said; an edit wakes nobody.
    """
    key = f"card:{where.channel}:{where.room_id}:{name}"
    told = keyvalue.get(tx, "", key)
    if told is not None:
        say(tx, keys, where, shown, lane=room.Lane.NOTICE, now_ms=now_ms, replaces=int(told))
        return int(told)
    out_id = say(tx, keys, where, shown, lane=room.Lane.NOTICE, now_ms=now_ms, extras=extras)
    keyvalue.put(tx, "", key, str(out_id))
    return out_id


def withdraw(tx: sa.Connection, keys: vault.Vault, where: Where, out_id: int, now_ms: int) -> None:
    """Take a message back as soon as it is there."""
    row = {
        "channel": where.channel,
        "room_id": where.room_id,
        "lane": int(room.Lane.ANSWER),
        "body_enc": keys.seal(json.dumps({"plain": "", "html": "", "withdraws": True}), _PLACE),
        "replaces": out_id,
        "created_ms": now_ms,
        "state": "waiting",
    }
    tx.execute(sa.insert(_o), row)


def close(tx: sa.Connection, where: Where, name: str) -> None:
    """The next card of that name is a new message."""
    keyvalue.put(tx, "", f"card:{where.channel}:{where.room_id}:{name}", None)


def outside(keys: vault.Vault, out_id: int) -> str:
    """The id for the network: no other installation on the same account has it."""
    return f"a{keys.lasting('room outgoing', '')[:4].hex()}-{out_id}"


def inside(keys: vault.Vault, text: str) -> int | None:
    """The row behind an outside id, None if it is not ours."""
    digits = text.rpartition("-")[2]
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 18:  # noqa: PLR2004 (63 bits)
        return None
    return int(digits) if outside(keys, int(digits)) == text else None


def waiting(tx: sa.Connection, keys: vault.Vault, channel: str, limit: int) -> list[room.Outgoing]:
    """What is to be said next; an edit of what is not there yet waits for it."""
    first = _o.alias("first")
    there = sa.or_(_o.c.replaces.is_(None), first.c.event_id.is_not(None))
    query = (
        sa.select(_o.c.id, _o.c.room_id, _o.c.lane, _o.c.body_enc, first.c.event_id)
        .select_from(_o.outerjoin(first, first.c.id == _o.c.replaces))
        .where(_WAITING, _o.c.channel == channel, there)
        .order_by(_o.c.lane, _o.c.id)
        .limit(limit)
    )
    return [_outgoing(keys, row) for row in tx.execute(query).mappings()]


def _outgoing(keys: vault.Vault, row: sa.RowMapping) -> room.Outgoing:
    body: Mapping[str, Any] = json.loads(keys.open(row["body_enc"], _PLACE))
    image = body.get("image")
    return room.Outgoing(
        id=outside(keys, row["id"]),
        room_id=row["room_id"],
        lane=room.Lane(row["lane"]),
        plain=body["plain"],
        html=body["html"],
        replaces=None if body.get("withdraws") else row["event_id"],
        withdraws=row["event_id"] if body.get("withdraws") else None,
        answers=body.get("answers"),
        reactions=tuple(body.get("reactions", ())),
        mentions=tuple(body.get("mentions", ())),
        image=None
        if image is None
        else room.Image(**{**image, "png": base64.b64decode(image["png"])}),
    )


def settled(tx: sa.Connection, out_id: int, event_id: str | None) -> None:
    """It is there (`event_id`), or never will be (None); the words are not needed any more."""
    state = "refused" if event_id is None else "sent"
    statement = sa.update(_o).where(_o.c.id == out_id).where(_WAITING)
    tx.execute(statement.values(state=state, event_id=event_id, body_enc=None))
    if event_id is None:
        # Edits of what will never be there.
        orphans = sa.update(_o).where(_o.c.replaces == out_id).where(_WAITING)
        tx.execute(orphans.values(state="merged", body_enc=None))


def unsure(tx: sa.Connection, channel: str, event_id: str) -> bool:
    """Whether it may be a question of ours that is there already and we do not know it yet."""
    query = sa.select(_o.c.id).where(
        _WAITING, _o.c.channel == channel, _o.c.lane == int(room.Lane.PROMPT)
    )
    asked = tx.execute(query.limit(1)).scalar() is not None
    return asked and said_as(tx, channel, event_id) is None


def said_as(tx: sa.Connection, channel: str, event_id: str) -> int | None:
    """Our message behind an event id, None if it is none of ours."""
    query = sa.select(_o.c.id).where(
        _o.c.event_id == event_id, _o.c.channel == channel, _o.c.replaces.is_(None)
    )
    found: int | None = tx.execute(query).scalar()
    return found
