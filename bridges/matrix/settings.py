"""What `[channels.NAME]` may say for a Matrix channel, checked in full before anything starts.

    key             meaning                                                          default
    role            "room": the moderators' room; "public": the public handle       required
    homeserver      "https://matrix.example.org"                                    required
    user            our account: "@antirelou:example.org"                           required
    folder          where login, keys and crypto store lie, for our user alone      required
    password_file   read by `antirelou setup` alone; may be deleted afterwards      none
    room            "room": id of the moderators' room ("!abc:example.org")         required
    roster          "room": { "@ada:example.org" = "admin" }: who may be what       required
    unsigned_devices "room": "refuse" or "allow" members' devices without signature  "refuse"
    state           "public": "offered", "answering" or "retired"                   "offered"
    joins_per_hour  "public": how many invitations are followed an hour             20

Roles of the roster: "reader", "moderator", "treasurer", "admin".
"""

from __future__ import annotations

import dataclasses
import ipaddress
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bot.contract import bridge, room
from bridges.matrix import session, wire

ROOM: Final = "room"
PUBLIC: Final = "public"
MAX_JOINS: Final = 1_000
_COMMON: Final = frozenset({"kind", "role", "homeserver", "user", "folder", "password_file"})
_OF_ROLE: Final = {
    ROOM: frozenset({"room", "roster", "unsigned_devices"}),
    PUBLIC: frozenset({"state", "joins_per_hour"}),
}

Faults = list[tuple[str, str]]
Table = Mapping[str, object]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One Matrix channel; `room_id` and `roster` are empty for the public handle."""

    role: str
    homeserver: str
    user: str
    folder: Path
    password_file: Path | None = None
    room_id: str = ""
    roster: Mapping[str, room.Role] = dataclasses.field(default_factory=dict)
    strict: bool = True
    state: bridge.State = bridge.State.OFFERED
    joins_per_hour: int = 20


def read(table: Table) -> Settings:
    """The settings of a table of the configuration; raises SettingsError with all faults."""
    faults: Faults = []
    role = table.get("role")
    if not isinstance(role, str) or role not in _OF_ROLE:
        role = ""
        faults.append(("role", 'must be "room" (the moderators\' room) or "public" (the handle)'))
    known = _COMMON.union(
        *(keys for one, keys in _OF_ROLE.items() if role not in _OF_ROLE or role == one)
    )
    faults.extend(
        (str(key), f"is not known here; known are {', '.join(sorted(known))}")
        for key in table
        if key not in known
    )
    made = Settings(
        role=role,
        homeserver=_homeserver(table, faults),
        user=_user(table.get("user"), faults),
        folder=_folder(table, faults),
        password_file=_password_file(table, faults),
        room_id=_room(table, faults) if role == ROOM else "",
        roster=_roster(table.get("roster"), faults) if role == ROOM else {},
        strict=_strict(table, faults),
        state=_state(table, faults),
        joins_per_hour=_joins(table, faults),
    )
    if faults:
        raise bridge.SettingsError(faults)
    return made


def _homeserver(table: Table, faults: Faults) -> str:
    value = table.get("homeserver")
    good = False
    if isinstance(value, str):
        try:
            parts = urllib.parse.urlsplit(value)
            plain = not (parts.username or parts.query or parts.fragment) and parts.port != 0
        except ValueError:
            plain, parts = False, urllib.parse.urlsplit("")
        host = parts.hostname or ""
        good = plain and bool(host) and (parts.scheme == "https" or _plain(parts.scheme, host))
    if not good:
        faults.append(("homeserver", 'must be an https address: "https://matrix.example.org"'))
    return str(value).rstrip("/")


def _plain(scheme: str, host: str) -> bool:
    """Plain http is for a homeserver on this very machine."""
    if scheme != "http":
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _user(value: object, faults: Faults) -> str:
    if not isinstance(value, str) or not wire.is_mxid(value):
        faults.append(("user", 'must be a whole Matrix account: "@antirelou:example.org"'))
    return str(value)


def _folder(table: Table, faults: Faults) -> Path:
    value = table.get("folder")
    if not isinstance(value, str) or not value.strip():
        faults.append(("folder", 'must be the path of a folder for keys: "matrix-room"'))
        return Path()
    path = Path(value)
    if path.exists() and not path.is_dir():
        faults.append(("folder", "is a file; name a folder"))
        return path
    faults.extend(
        ("folder", f"{name} in it can be read by others: chmod 600 {path / name}")
        for name in session.Folder(path).open_to_others()
    )
    return path


def _password_file(table: Table, faults: Faults) -> Path | None:
    value = table.get("password_file")
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        faults.append(("password_file", "must be the path of a file"))
        return None
    return Path(value)


def _room(table: Table, faults: Faults) -> str:
    value = table.get("room")
    # From version 12 on a room's id has no server part.
    if (
        not isinstance(value, str)
        or not value.startswith("!")
        or not 1 < len(value) <= wire.MAX_MXID
    ):
        faults.append(
            ("room", 'must be the room\'s id, "!...": in Element, room settings, Advanced')
        )
    return str(value)


def _roster(value: object, faults: Faults) -> dict[str, room.Role]:
    if not isinstance(value, Mapping) or not value:
        faults.append(("roster", 'must name at least one: { "@ada:example.org" = "admin" }'))
        return {}
    found: dict[str, room.Role] = {}
    roles = ", ".join(room.Role)
    for place, (account, role) in enumerate(value.items()):
        if not isinstance(account, str) or not wire.is_mxid(account):
            faults.append((f"roster[{place}]", 'must be a whole account: "@ada:example.org"'))
        elif not isinstance(role, str) or role not in set(room.Role):
            faults.append((f"roster[{place}]", f"the role must be one of {roles}"))
        else:
            found[account] = room.Role(role)
    if found and room.Role.ADMIN not in found.values():
        faults.append(("roster", 'must name at least one "admin"'))
    return found


def _strict(table: Table, faults: Faults) -> bool:
    value = table.get("unsigned_devices", "refuse")
    if not isinstance(value, str) or value not in {"refuse", "allow"}:
        faults.append(("unsigned_devices", 'must be "refuse" or "allow"'))
    return value != "allow"


def _state(table: Table, faults: Faults) -> bridge.State:
    value = table.get("state", bridge.State.OFFERED)
    if not isinstance(value, str) or value not in set(bridge.State):
        faults.append(("state", f"must be one of {', '.join(bridge.State)}"))
        return bridge.State.OFFERED
    return bridge.State(value)


def _joins(table: Table, faults: Faults) -> int:
    value = table.get("joins_per_hour", 20)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_JOINS:
        faults.append(("joins_per_hour", f"must be a whole number from 1 to {MAX_JOINS}"))
        return 20
    return value
