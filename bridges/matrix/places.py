"""What we know of one room: who is in it, with what power, and whether it is encrypted.

Pure: state events go in, in the order of the room; nothing is asked of anybody.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from bot.contract import room

CREATORS_POWER: Final = 2**53 - 1
_BEFORE_LEVELS: Final = 100
_MANY: Final = 2
# From version 12 on the creators stand above all levels and are not listed among `users`.
_CREATORS_ABOVE: Final = 12
_DIGITS: Final = 9


@dataclasses.dataclass(slots=True, kw_only=True)
class Place:
    """One room as its state events tell it. `encrypted` is never taken back.

    `successor`: the room that it was replaced by (m.room.tombstone); "?" if it does not say.
    """

    room_id: str
    joined: set[str] = dataclasses.field(default_factory=set)
    invited: set[str] = dataclasses.field(default_factory=set)
    levels: Mapping[str, Any] | None = None
    creation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    creator: str = ""
    encrypted: bool = False
    public: bool = False
    successor: str = ""

    def member(self, account: str) -> room.Member:
        """As known now."""
        power = power_of(account, self.levels, self.creation, self.creator)
        return room.Member(account=account, joined=account in self.joined, power=power)

    @property
    def crowded(self) -> bool:
        """Whether more than the two of a direct room are in it or asked to come."""
        return len(self.joined | self.invited) > _MANY

    def take(self, event: Mapping[str, Any]) -> list[room.Member]:
        """Apply a state event (others change nothing); the members who changed by it."""
        kind, key, content = event.get("type"), event.get("state_key"), event.get("content")
        if not isinstance(key, str) or not isinstance(content, Mapping):
            return []
        if kind == "m.room.member":
            return self._moved(key, content.get("membership"))
        if kind == "m.room.power_levels":
            before = {one: self.member(one) for one in self.joined}
            self.levels = dict(content)
            return [self.member(one) for one in sorted(before) if self.member(one) != before[one]]
        if kind == "m.room.create":
            self.creation = dict(content)
            self.creator = str(event.get("sender", ""))
        elif kind == "m.room.encryption":
            self.encrypted = True
        elif kind == "m.room.tombstone":
            told = content.get("replacement_room")
            self.successor = told if isinstance(told, str) and told.startswith("!") else "?"
        elif kind == "m.room.join_rules":
            self.public = content.get("join_rule") not in ("invite", "knock", None)
        return []

    def _moved(self, account: str, membership: object) -> list[room.Member]:
        was = account in self.joined
        self.joined.discard(account)
        self.invited.discard(account)
        if membership == "join":
            self.joined.add(account)
        elif membership == "invite":
            self.invited.add(account)
        return [self.member(account)] if was != (membership == "join") else []


def power_of(
    account: str,
    levels: Mapping[str, Any] | None,
    creation: Mapping[str, Any],
    creator: str,
) -> int:
    """A member's power level (client-server API, m.room.power_levels and room version 12)."""
    version = str(creation.get("room_version", "1"))
    more = creation.get("additional_creators")
    creators = [creator, *(more if isinstance(more, list) else ())]
    numbered = version.isdecimal() and len(version) <= _DIGITS
    above = numbered and int(version) >= _CREATORS_ABOVE
    if above and account in creators:
        return CREATORS_POWER
    if levels is None:
        return _BEFORE_LEVELS if account == creator else 0
    users = levels.get("users")
    told = users.get(account) if isinstance(users, Mapping) else None
    if told is None:
        told = levels.get("users_default", 0)
    # Old rooms hold levels as strings.
    try:
        return int(told)
    except (TypeError, ValueError, OverflowError):
        return 0
