"""What happened in a run, for the checker and for people."""

from __future__ import annotations

import collections
import dataclasses

from bot.contract import address
from bot.store import vault
from tests.dst import outside as worlds
from tests.dst import people, points


@dataclasses.dataclass(slots=True, kw_only=True)
class Pause:
    """When a moderator's pause was stored, and when it was lifted; seconds of the steady clock."""

    from_s: float
    to_s: float | None = None


@dataclasses.dataclass(slots=True, kw_only=True)
class Cap:
    """A cap of the day: perhaps in force from `from_s` on, for certain from `sure_s` on."""

    from_s: float
    micros: int
    by_room: bool = False
    sure_s: float | None = None


@dataclasses.dataclass(slots=True, kw_only=True)
class Erasure:
    """An attempt to forget `who`; `person`: the number they had, None: nobody of that address.

    `at_s`: the transaction's moment. `sure`: told stored; where a crash hid that, the trail says
    whether it was. `gone`: how many messages were deleted, by channel.
    """

    who: address.Address
    at_ms: int
    at_s: float
    person: int | None = None
    gone: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    replies: int = 0
    sure: bool = False


@dataclasses.dataclass(slots=True, kw_only=True)
class Run:
    """`odd`: what no run may show. `found`: broken promises, once it was judged."""

    seed: int
    letters: list[people.Letter]
    channels: tuple[str, ...]
    networks: dict[str, worlds.Network]
    outside: worlds.Outside
    disk: points.Disk
    points: points.Points
    keys: vault.Vault
    linked: people.Linked = dataclasses.field(default_factory=people.Linked)
    caps: list[Cap] = dataclasses.field(default_factory=list)
    pauses: list[Pause] = dataclasses.field(default_factory=list)
    blocks: dict[address.Address, float] = dataclasses.field(default_factory=dict)
    erasures: list[Erasure] = dataclasses.field(default_factory=list)
    by_hand: set[str] = dataclasses.field(default_factory=set)
    history: list[str] = dataclasses.field(default_factory=list)
    odd: list[str] = dataclasses.field(default_factory=list)
    found: list[str] = dataclasses.field(default_factory=list)
    faults: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
