"""What a batch knows of persons and their waiting replies while it is folded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from bot.contract import messages
from bot.policy import settings
from bot.policy.flood import snapshot
from bot.store import ids, vault

TakeIds = Callable[[str], int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What intake is told once. `own`: our own addresses as (network, value).

    `hashed`: a word as a keyed number. `flood`: what the flood's leader last saw.
    """

    core: settings.Core
    keys: vault.Vault
    ids: ids.Ids
    own: frozenset[tuple[str, str]]
    countries: frozenset[str]
    hashed: Callable[[str], int]
    flood: Callable[[], snapshot.Snapshot] = lambda: snapshot.CALM


@dataclasses.dataclass(slots=True, kw_only=True)
class Waiting:
    """A person's automatic reply that is held, scheduled or being sent."""

    reply_id: int
    state: str
    first_ms: int
    due_ms: int
    window_ms: int
    # A later attempt: the one before it went out, and the window is that one's.
    again: bool = False
    row: dict[str, Any] | None = None
    pushed: bool = False
    priority: bool = False


@dataclasses.dataclass(slots=True, kw_only=True)
class Person:
    """One person as loaded, then changed by the fold. `was_*`: the guard of the update."""

    id: int
    created_ms: int
    new: bool
    last_ms: int
    blocked_until_ms: int
    opted_out_ms: int | None
    blocked_ms: int | None
    was_blocked_until_ms: int = 0
    was_opted_out_ms: int | None = None
    added: int = 0
    waiting: Waiting | None = None
    cancelled: list[Waiting] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True, kw_only=True)
class Item:
    """An unseen message with the hashes of its addresses and its own.

    `seen`: hashes of its ids under every key, `fresh` those under the newest. `wish`: his own, or
    what his network says of it. `proof`: the letters of a word that we asked for.
    """

    message: messages.InboundMessage
    at_ms: int
    seen: tuple[bytes, ...]
    fresh: tuple[bytes, ...]
    hashes: tuple[tuple[bytes, ...], ...]
    wish: messages.Wish | None = None
    proof: str | None = None


@dataclasses.dataclass(slots=True)
class Known:
    """Everything loaded for a batch: identity hash -> person id -> person."""

    by_hash: dict[bytes, int] = dataclasses.field(default_factory=dict)
    persons: dict[int, Person] = dataclasses.field(default_factory=dict)

    def owners(self, item: Item) -> list[Person]:
        """The distinct persons behind the addresses of a message, the oldest first."""
        found = {self.by_hash[h] for hashes in item.hashes for h in hashes if h in self.by_hash}
        return sorted((self.persons[i] for i in found), key=lambda p: (p.created_ms, p.id))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Somebody should read a message first. `lane` as in policy.distress.

    `reply_id`: the reply that waits for that. `language`: of that reply, None where it waited
    before and only its row knows. `row`: of one that is made only so that somebody whose reply
    went out can be answered by hand.
    """

    person_id: int
    reply_id: int
    lane: str
    language: str | None
    row: dict[str, Any] | None = None


@dataclasses.dataclass(slots=True)
class Written:
    """Rows that the fold wants written. `proofs`: person and the letters of a word they sent."""

    inbound: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    identities: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    replies: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    costs: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    flood: dict[tuple[int, int], int] = dataclasses.field(default_factory=dict)
    lanes: list[Lane] = dataclasses.field(default_factory=list)
    proofs: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    optouts: int = 0
