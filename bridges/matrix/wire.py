"""From Matrix events to what the core understands. Pure; whatever comes in, nothing raises.

Commands are read from an event's own body only: not from an edit, a notice, or the quote that a
reply carries (C22). Nothing of a display name is ever looked at.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from bot.contract import address, clock, messages, optout, room
from bridges.matrix import places

MARK: Final = "!"
ENCRYPTED: Final = "m.room.encrypted"
MESSAGE: Final = "m.room.message"
REDACTION: Final = "m.room.redaction"
MAX_MXID: Final = 255
_MEDIA: Final = frozenset({"m.image", "m.file", "m.audio", "m.video", "m.location"})
_NEEDED: Final = ("algorithm", "sender_key", "session_id", "device_id", "ciphertext")
_LATEST_MS: Final = 253_402_300_799_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One event of a timeline, decrypted where we could.

    `readable` False: still encrypted, we lack its key. `trust`: how it came, see contract.room.
    `replayed`: not readable, since another event or another time had the same ciphertext before.
    """

    event: Mapping[str, Any]
    trust: room.Trust = room.Trust.PLAIN
    readable: bool = True
    replayed: bool = False
    device: str = ""


def is_mxid(value: str) -> bool:
    """Whether this is the name of an account: `@local:server`, 255 characters at most."""
    return (
        value.startswith("@")
        and bool(value.partition(":")[2])
        and len(value) <= MAX_MXID
        and value.isprintable()
        and " " not in value
    )


def stable_id(*parts: str) -> str:
    """An event id of our own making for what has none: the same parts give the same id."""
    # Half a character is no Unicode, but JSON can spell it.
    told = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return "own-" + hashlib.sha256(told).hexdigest()[:40]


def moment(event: Mapping[str, Any]) -> dt.datetime | None:
    """When the homeserver took it in; None if it does not say so."""
    told = event.get("origin_server_ts")
    if not isinstance(told, int) or isinstance(told, bool) or not 0 <= told <= _LATEST_MS:
        return None
    return clock.from_ms(told)


def torn(event: Mapping[str, Any]) -> bool:
    """An encrypted event that lacks a field; nio would stumble over it."""
    content = event.get("content")
    return event.get("type") == ENCRYPTED and not (
        isinstance(content, Mapping) and all(isinstance(content.get(key), str) for key in _NEEDED)
    )


def read(heard: Heard, place: places.Place, own: str) -> room.RoomEvent | None:
    """What a moderator did, None for everything that is no command, reaction or misuse."""
    event, at = heard.event, moment(heard.event)
    event_id, sender, content = event.get("event_id"), event.get("sender"), event.get("content")
    if not isinstance(event_id, str) or not isinstance(sender, str) or at is None:
        return None
    if sender == own or not heard.readable or not isinstance(content, Mapping):
        return None
    by = room.By(member=place.member(sender), trust=heard.trust, device=heard.device)
    if event.get("type") == REDACTION:
        # Up to room version 10 beside the content, from 11 on in it.
        content = {"redacts": event.get("redacts"), **content}
    build = {"m.reaction": _reaction, MESSAGE: _message, REDACTION: _withdrawn}.get(
        str(event.get("type"))
    )
    try:
        return None if build is None else build(content, event_id, place, at, by)
    except ValueError:
        return None


def _reaction(
    content: Mapping[str, Any], event_id: str, place: places.Place, at: dt.datetime, by: room.By
) -> room.Reaction | None:
    relation = _relation(content)
    on, key = relation.get("event_id"), relation.get("key")
    if relation.get("rel_type") != "m.annotation":
        return None
    if not isinstance(on, str) or not isinstance(key, str):
        return None
    if not 0 < len(key) <= room.MAX_ID_CHARACTERS:
        return None
    return room.Reaction(
        event_id=event_id, room_id=place.room_id, at=at, by=by, on=on, key=messages.clean(key)
    )


def _withdrawn(
    content: Mapping[str, Any], event_id: str, place: places.Place, at: dt.datetime, by: room.By
) -> room.Withdrawn | None:
    on = content.get("redacts")
    if not isinstance(on, str):
        return None
    return room.Withdrawn(event_id=event_id, room_id=place.room_id, at=at, by=by, on=on)


def _message(
    content: Mapping[str, Any], event_id: str, place: places.Place, at: dt.datetime, by: room.By
) -> room.Command | room.Refused | None:
    body, relation = content.get("body"), _relation(content)
    if not isinstance(body, str):
        return None
    answered = relation.get("m.in_reply_to")
    answers = answered.get("event_id") if isinstance(answered, Mapping) else None
    edited = relation.get("rel_type") == "m.replace"
    if edited:
        body = _edited(content, body)
    elif answered is not None:
        body = unquoted(body)
    if not body.lstrip().startswith(MARK):
        return None
    why = None
    if edited:
        why = room.Why.EDIT
    elif content.get("msgtype") != "m.text":
        why = room.Why.NOTICE
    elif place.encrypted and by.trust is room.Trust.PLAIN:
        why = room.Why.PLAIN_IN_ENCRYPTED
    if why is not None:
        return room.Refused(event_id=event_id, room_id=place.room_id, at=at, by=by, why=why)
    return room.Command(
        event_id=event_id,
        room_id=place.room_id,
        at=at,
        by=by,
        text=body.strip(),
        answers=answers if isinstance(answers, str) else None,
    )


def unquoted(body: str) -> str:
    """A reply's body without the quote that older clients put in front of it."""
    lines = body.split("\n")
    if not lines[0].startswith("> "):
        return body
    start = next((n for n, line in enumerate(lines) if not line.startswith(">")), len(lines))
    return "\n".join(lines[start:]).lstrip("\n")


def _edited(content: Mapping[str, Any], body: str) -> str:
    """What an edit says now; `body` is its own, for clients that do not know edits."""
    changed = content.get("m.new_content")
    told = changed.get("body") if isinstance(changed, Mapping) else None
    return told if isinstance(told, str) else body.removeprefix("* ")


def _relation(content: Mapping[str, Any]) -> Mapping[str, Any]:
    told = content.get("m.relates_to")
    return told if isinstance(told, Mapping) else {}


def changes(event: Mapping[str, Any], place: places.Place, now: dt.datetime) -> list[room.Changed]:
    """Apply a state event to the room; who changed by it."""
    moved = place.take(event)
    event_id, at = event.get("event_id"), moment(event) or now
    if not isinstance(event_id, str):
        return []
    # The change has been applied, so it is told, however odd the name it came under.
    plain = len(moved) == 1 and 0 < len(event_id) <= room.MAX_ID_CHARACTERS
    plain = plain and event_id.isprintable()
    return [
        room.Changed(
            event_id=event_id if plain else stable_id(event_id, one.account),
            room_id=place.room_id,
            at=at,
            member=one,
        )
        for one in moved
    ]


def contact(
    heard: Heard, *, channel: str, own: address.Address, now: dt.datetime
) -> messages.InboundMessage | None:
    """What a stranger wrote to the public handle, None for what is no contact.

    Edits, reactions, notices (other robots: C14) and state are none. What we cannot decrypt is a
    contact without words, as a picture is: it was meant for us, and nothing of it can be read.
    An edit to an opt-out is that wish, under the id of the edit.
    """
    event = heard.event
    event_id, sender = event.get("event_id"), event.get("sender")
    if not isinstance(event_id, str) or not isinstance(sender, str) or sender == own.value:
        return None
    if not is_mxid(sender) or torn(event) or heard.replayed:
        return None
    found = _words(heard)
    if found is None:
        return None
    kind, text, wish = found
    try:
        return messages.InboundMessage(
            channel=channel,
            # Another name while it is sealed: its words must still get in when the key comes.
            provider_id=event_id if heard.readable else stable_id("sealed", event_id),
            sender=address.Address(address.MATRIX, sender),
            recipient=own,
            # Ours, not the event's: another server's clock may say anything.
            received_at=now,
            text=text,
            kind=kind,
            wish=wish,
        )
    except ValueError:
        return None


def _words(heard: Heard) -> tuple[messages.Kind, str, messages.Wish | None] | None:
    # Anybody may send anything in these places, lists too.
    kind, content = str(heard.event.get("type")), heard.event.get("content")
    if kind in {ENCRYPTED, "m.sticker"}:
        return messages.Kind.ATTACHMENT, "", None
    if kind != MESSAGE or not isinstance(content, Mapping):
        return None
    what, body = str(content.get("msgtype")), content.get("body")
    edited = _relation(content).get("rel_type") == "m.replace"
    if what in _MEDIA:
        return None if edited else (messages.Kind.ATTACHMENT, "", None)
    if what not in {"m.text", "m.emote"} or not isinstance(body, str):
        return None
    if edited:
        body = _edited(content, body)
        wish = optout.read(body)
        return (messages.Kind.TEXT, body, wish) if wish is messages.Wish.STOP else None
    if "m.in_reply_to" in _relation(content):
        body = unquoted(body)
    return (messages.Kind.TEXT, body, None) if messages.clean(body).strip() else None


def invitation(
    room_id: str, sender: str, *, channel: str, own: address.Address, now: dt.datetime
) -> messages.InboundMessage | None:
    """A stranger's invitation as a contact: without words, once per room and person."""
    if not is_mxid(sender):
        return None
    return messages.InboundMessage(
        channel=channel,
        provider_id=stable_id("invite", room_id, sender),
        sender=address.Address(address.MATRIX, sender),
        recipient=own,
        received_at=now,
        kind=messages.Kind.ATTACHMENT,
    )
