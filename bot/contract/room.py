"""The moderators' room: what a bridge that hosts it and the core say to each other.

A bridge that hosts moderators does I/O only. It hands in what happened in the room, together
with its own place in the network's stream, in one transaction; it pulls what is to be said,
sends it with *our* transaction id, and reports the network's id back. It decides nothing: who may
do what, what is asked twice, what expired and what was decided before are the core's.

How the two find each other: a bridge that is `HostsModerators` gets `host(door)` once, after it
was made and before `listen`. From inside `listen` it calls `door.events` and pulls
`door.outgoing`.

At most once and at least once: events are dropped by `event_id` if seen before (C24), an
outgoing thing is offered again until `sent` or `refused` was called for it, and the network drops
a repeat by its transaction id. So nothing is lost and nothing said twice, whatever is killed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from bot.contract import messages

MAX_ID_CHARACTERS: Final = 255
_OUR_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


class Role(enum.StrEnum):
    """What a person on the allow-list may be; each can do what stands before it, and more.

    A treasurer is a moderator who also sees and moves money.
    """

    READER = "reader"
    MODERATOR = "moderator"
    TREASURER = "treasurer"
    ADMIN = "admin"


class Trust(enum.StrEnum):
    """How an event came to us.

    `PLAIN`: readable by the server. In an encrypted room that is a misuse and the bridge hands it
    in as `Refused`. `UNKNOWN_DEVICE`: encrypted, by a device that its owner's own key never
    signed; the core obeys it only where its settings say so. `OWN_DEVICE`: encrypted, by a
    device that its owner cross-signed, under the identity that we saw first (C25).
    """

    PLAIN = "plain"
    UNKNOWN_DEVICE = "unknown-device"
    OWN_DEVICE = "own-device"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in the room as the network has it. Display names never travel: they lie.

    `account`: the network's own name of a person (an MXID). `power`: the room's power level.
    """

    account: str
    joined: bool
    power: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who did it, as the bridge knew them when it took the event in (see `members` for now)."""

    member: Member
    trust: Trust
    device: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Happened:
    """`event_id`: the dedupe key, unique in the channel for ever. `at`: by the network's clock."""

    event_id: str
    room_id: str
    at: dt.datetime

    def __post_init__(self) -> None:
        """Refuse what could not be deduplicated or dated."""
        messages.aware(self.at, "at")
        if not 0 < len(self.event_id) <= MAX_ID_CHARACTERS or not self.event_id.isprintable():
            raise ValueError(f"event_id must have 1 to {MAX_ID_CHARACTERS} printable characters")

    def __repr__(self) -> str:
        """Neither who nor what."""
        return f"<{type(self).__name__}>"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Command(_Happened):
    """A text message of the event's own body: no edit, no notice, no quote of another message.

    Handed in only where the body begins with `!`; other talk in the room is never handed in.
    `answers`: the event that it replies to, or None.
    """

    by: By
    text: str
    answers: str | None = None

    def __post_init__(self) -> None:
        """Clean the text (NULs, lone surrogates, length)."""
        # Not super(): a slotted dataclass is made twice, and the cell points at the first.
        _Happened.__post_init__(self)
        object.__setattr__(self, "text", messages.clean(self.text))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reaction(_Happened):
    """Somebody put `key` (✅, ❌, 1️⃣) on the event `on`. Our own reactions are not handed in.

    Reactions are never encrypted by today's clients, so in an encrypted room `by.trust` is PLAIN:
    the server could forge one. What a reaction may decide is the core's to judge.
    """

    by: By
    on: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Withdrawn(_Happened):
    """The message `on` was taken back (redacted), by its author or by one who may.

    What was carried out stays so; what waits, or waits for an answer, is dropped.
    """

    by: By
    on: str


class Why(enum.StrEnum):
    """Why something that looked like a command is none (C22).

    `REPLAYED`: an encrypted message that was taken in before, under another event id or time.
    """

    EDIT = "edit"
    NOTICE = "notice"
    PLAIN_IN_ENCRYPTED = "plain-in-encrypted"
    OTHER_ROOM = "other-room"
    TORN = "torn"
    REPLAYED = "replayed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Refused(_Happened):
    """It looked like a command and must not be carried out; the core may say why in the room.

    In `OTHER_ROOM` nothing may be said: `room_id` is not the moderators' room.
    """

    by: By
    why: Why


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Changed(_Happened):
    """A membership or power level is now as told. `member.joined` False: left, kicked, banned."""

    member: Member


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Invited(_Happened):
    """Somebody asked us into `room_id`.

    `accepted` False: it is not the moderators' room, or they are not on the allow-list; we did
    not go and nothing was answered.
    """

    account: str
    accepted: bool


class Snag(enum.StrEnum):
    """Troubles with trust and keys that people must hear of, with the mend (C25)."""

    STORE_LOST = "store-lost"
    NEW_DEVICE = "new-device"
    UNSIGNED_DEVICE = "unsigned-device"
    IDENTITY_CHANGED = "identity-changed"
    UNREADABLE = "unreadable"
    ENCRYPTION_OFF = "encryption-off"
    NOT_CROSS_SIGNED = "not-cross-signed"
    GAP = "gap"
    UPGRADED = "upgraded"
    VERIFICATION = "verification"
    ELSEWHERE = "elsewhere"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trouble(_Happened):
    """Say it in the room, with the mend in the room's language (the core has the words).

    `account`, `device`: whose, where it is somebody's. `detail`: a technical word for the log and
    the operator, no text and no key; with UPGRADED the id of the new room.
    """

    snag: Snag
    account: str = ""
    device: str = ""
    detail: str = ""


RoomEvent = Command | Reaction | Withdrawn | Refused | Changed | Invited | Trouble


class Lane(enum.IntEnum):
    """What is said first. An answer to a command never waits behind notices."""

    ANSWER = 0
    PROMPT = 1
    NOTICE = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Image:
    """A picture to upload (encrypted, where the room is). `name`: with its ending; `alt`: words."""

    png: bytes
    name: str
    width: int
    height: int
    alt: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outgoing:
    """One thing to say in the room.

    `id`: our transaction id, never used twice for another thing; 1 to 64 of `A-Za-z0-9_.-`.
    `plain`, `html`: the same words twice; the HTML is escaped and defused already.
    `replaces`: event id of our own earlier message that this is the new state of (an edit).
    `answers`: event id of the command that this replies to.
    `reactions`: keys that we put below our message ourselves, so that one tap decides.
    `image`: sent in place of the text, which then is its caption.
    `mentions`: accounts that this wakes (`m.mentions`); nobody else is ever woken.
    `withdraws`: event id of our own earlier message to take back (redact) in place of saying
    anything: it showed somebody, and an edit would leave it in the history.
    """

    id: str
    room_id: str
    lane: Lane
    plain: str
    html: str = ""
    replaces: str | None = None
    answers: str | None = None
    reactions: tuple[str, ...] = ()
    image: Image | None = None
    mentions: tuple[str, ...] = ()
    withdraws: str | None = None

    def __post_init__(self) -> None:
        """Refuse an id that cannot stand in a URL."""
        if not _OUR_ID.match(self.id):
            raise ValueError("id must be 1 to 64 of A-Z a-z 0-9 _ . -")

    def __repr__(self) -> str:
        """No words."""
        return f"<Outgoing {self.id} {self.lane.name.lower()}>"


class Door(Protocol):
    """Implemented by the core; safe to call from several tasks at once."""

    async def events(
        self, batch: Sequence[RoomEvent], *, channel: str, cursor: str | None = None
    ) -> None:
        """Store events, and the channel's cursor with them, in one transaction.

        In the order of the room's timeline. Returning means: durably stored. An event seen before
        is dropped in silence. Raises intake.NotStoredError: nothing was stored, keep the cursor.
        """

    async def cursor(self, channel: str) -> str | None:
        """The cursor stored last, None at the first start. Raises intake.NotStoredError."""

    async def outgoing(self, channel: str, limit: int = 10) -> Sequence[Outgoing]:
        """What is to be said and was neither `sent` nor `refused`; by lane, then in order.

        Asked again before every single send, so that an answer overtakes notices; an edit of an
        unsent message may be merged into it. Raises intake.NotStoredError.
        """

    async def ready(self, channel: str) -> None:
        """Return when something may wait to be said; at the latest after five seconds."""

    async def sent(self, out_id: str, event_id: str) -> None:
        """It is in the room as `event_id`. Twice is the same as once. Raises NotStoredError."""

    async def refused(self, out_id: str, reason: str) -> None:
        """It will never be in the room (too large, forbidden); `reason`: a short word for the log.

        Raises intake.NotStoredError.
        """


class RoomAwayError(Exception):
    """The network cannot be asked now; whoever waits for the answer fails closed (C22)."""


@runtime_checkable
class HostsModerators(Protocol):
    """A bridge with a moderators' room."""

    @property
    def rooms(self) -> Sequence[str]:
        """Ids of the rooms that moderators are obeyed in; fixed while the program runs."""

    @property
    def roster(self) -> Mapping[str, Role]:
        """The allow-list as configured: account -> the most that they may be."""

    def host(self, door: Door) -> None:
        """Called once, before `listen`."""

    async def members(self, room_id: str) -> Mapping[str, Member]:
        """Who is joined and with what power, asked of the network this moment.

        For the check at the moment of the act. Raises RoomAwayError within five seconds; then do
        not act.
        """
