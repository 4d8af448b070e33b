"""What `[channels.NAME]` may say for a Signal channel, checked in full before anything starts.

docs/signal.md explains each key. All times are seconds unless the key says otherwise.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import re
import urllib.parse
from collections.abc import Mapping
from typing import Final

from bot.contract import address, bridge

KIND: Final = "signal"
_USERNAME = re.compile(r"[^\W\d]\w{2,31}\.[0-9]{2,9}\Z")
_LINK: Final = re.compile(r"https://signal\.me/#(eu|p)/[A-Za-z0-9_+-]{4,200}\Z")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,128}\Z")
# A profile must not tell what it is when the handle is tried out in front of somebody (C16).
_TELLING = re.compile(r"relou|bot|stop|non|robot|service|auto|mouv|collecti|signal", re.IGNORECASE)
_NAME_CHARACTERS: Final = 26  # what the apps let a person type as a first name

Faults = list[tuple[str, str]]


class Way(enum.StrEnum):
    """How messages reach us; the table of what each can lose is in docs/signal.md."""

    WEBHOOK = "webhook"
    POLLING = "polling"
    WEBSOCKET = "websocket"
    DAEMON = "daemon"
    DAEMON_POLLING = "daemon-polling"


BY_DAEMON: Final = frozenset({Way.DAEMON, Way.DAEMON_POLLING})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """One Signal account. The names are those of the keys; `own` is what is shown to people."""

    channel: str
    number: str
    own: bridge.OwnAddress
    link: str | None = None
    secret: str
    url: str
    way: Way = Way.WEBHOOK
    profile_name: str = "."
    send_limit_s: float = 30.0
    receipt_wait_s: float = 10.0
    retry_s: float = 14_400.0
    gap_s: float = 3.0
    poll_s: float = 5.0
    poll_batch: int = 50
    heartbeat_s: float = 20.0
    canary: bool = True
    silence_alarm_s: float = 129_600.0
    version_age_days: int = 75
    look_ups_per_minute: int = 10
    look_up_batch: int = 20


_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "send_limit_s": (1, 35),
    "receipt_wait_s": (0, 15),
    "retry_s": (1, 86_400),
    "gap_s": (0, 3_600),
    "poll_s": (1, 300),
    "poll_batch": (1, 500),
    "heartbeat_s": (0.2, 300),
    "silence_alarm_s": (60, 31_536_000),
    "version_age_days": (7, 365),
    "look_ups_per_minute": (0, 10),
    "look_up_batch": (1, 50),
}
_WHOLE: Final = frozenset(
    {
        "poll_batch",
        "version_age_days",
        "look_ups_per_minute",
        "look_up_batch",
    }
)
KEYS: Final = frozenset(
    {
        *("kind", "number", "username", "link", "state", "secret", "url", "transport"),
        *("profile_name", "canary"),
        *_BOUNDS,
    }
)


def read(table: Mapping[str, object], channel: str) -> Settings:
    """The settings of a table of the configuration; raises SettingsError with all faults.

    No fault repeats a value: it may be a private number or a secret.
    """
    faults: Faults = [
        (str(key), f"is not known here; known are {', '.join(sorted(KEYS))}")
        for key in table
        if key not in KEYS
    ]
    if table.get("kind", KIND) != KIND:
        faults.append(("kind", f'must be "{KIND}"'))
    way = _way(table, faults)
    number = _number(table, faults)
    own = _own(table, number, faults)
    link = _link(table, faults)
    secret = _secret(table, faults)
    url = _url(table, way, faults)
    name = _profile_name(table, faults)
    canary = table.get("canary", True)
    if not isinstance(canary, bool):
        faults.append(("canary", "must be true or false, without quotes"))
    numbers = _numbers(table, faults)
    if faults:
        raise bridge.SettingsError(faults)
    return Settings(
        channel=channel,
        number=number,
        own=own,
        link=link,
        secret=secret,
        url=url,
        way=way,
        profile_name=name,
        canary=canary is True,
        **numbers,  # type: ignore[arg-type]  # each was checked to be of its field's type
    )


def _way(table: Mapping[str, object], faults: Faults) -> Way:
    value = table.get("transport", Way.WEBHOOK)
    if isinstance(value, str) and value in set(Way):
        return Way(value)
    faults.append(("transport", f"must be one of {', '.join(Way)}; docs/signal.md says which"))
    return Way.WEBHOOK


def _number(table: Mapping[str, object], faults: Faults) -> str:
    value = table.get("number")
    if isinstance(value, str) and address.Address(address.SIGNAL, _printable(value)).is_e164:
        return value
    faults.append(("number", 'must be the account\'s number with its +: "+33639980000"'))
    return "+0"


def _printable(value: str) -> str:
    return value[:32] if value.isprintable() else ""


def _own(table: Mapping[str, object], number: str, faults: Faults) -> bridge.OwnAddress:
    """Shown to people is the username if there is one, else the number."""
    username = table.get("username", "")
    if not isinstance(username, str) or (username and not _USERNAME.match(username)):
        faults.append(("username", 'must be like "camille.42", or left out to show the number'))
        username = ""
    state = table.get("state", bridge.State.OFFERED)
    if not isinstance(state, str) or state not in set(bridge.State):
        faults.append(("state", f"must be one of {', '.join(bridge.State)}"))
        state = bridge.State.OFFERED
    shown = address.Address(address.SIGNAL, username or number)
    return bridge.OwnAddress(address=shown, state=bridge.State(state))


def _link(table: Mapping[str, object], faults: Faults) -> str | None:
    """Signal makes one for a username; for a number it follows from the number."""
    value = table.get("link", "")
    if isinstance(value, str) and (not value or _LINK.match(value)):
        if value:
            return value
        return None if table.get("username") else f"https://signal.me/#p/{table.get('number')}"
    mend = 'must be the link that signal-cli shows for the username: "https://signal.me/#eu/..."'
    faults.append(("link", mend))
    return None


def _secret(table: Mapping[str, object], faults: Faults) -> str:
    value = table.get("secret")
    if isinstance(value, str) and _SECRET.match(value):
        return value
    mend = "must be 16 to 128 letters and digits, such as what openssl rand -hex 16 prints"
    faults.append(("secret", mend))
    return ""


def _url(table: Mapping[str, object], way: Way, faults: Faults) -> str:
    """Without a slash at its end. Only the daemon may be reached by TCP or a socket file."""
    schemes = ("http", "https", "tcp", "unix") if way in BY_DAEMON else ("http", "https")
    example = "tcp://127.0.0.1:7583" if way in BY_DAEMON else "http://127.0.0.1:8081"
    value = table.get("url")
    try:
        parts = urllib.parse.urlsplit(value if isinstance(value, str) else "")
        whole = bool(parts.path) if parts.scheme == "unix" else bool(parts.hostname)
        fine = parts.scheme in schemes and whole and (parts.scheme != "tcp" or bool(parts.port))
        fine = fine and not (parts.query or parts.fragment or parts.username or parts.password)
    except ValueError:
        fine = False
    if fine and isinstance(value, str) and value.isprintable():
        return value.rstrip("/")
    faults.append(("url", f'must say where it listens: "{example}" ({", ".join(schemes)})'))
    return ""


def _profile_name(table: Mapping[str, object], faults: Faults) -> str:
    value = table.get("profile_name", ".")
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        faults.append(("profile_name", 'must be a short neutral name; "." is one'))
    elif len(value) > _NAME_CHARACTERS:
        faults.append(("profile_name", f"has more than {_NAME_CHARACTERS} characters; shorten it"))
    elif _TELLING.search(value):
        faults.append(("profile_name", 'tells what this is; take a neutral one such as "."'))
    else:
        return value
    return "."


def _numbers(table: Mapping[str, object], faults: Faults) -> dict[str, float | int]:
    found: dict[str, float | int] = {}
    for key, (least, most) in _BOUNDS.items():
        value = table.get(key)
        if value is None:
            continue
        whole = key in _WHOLE
        wanted = int if whole else (int, float)
        if (
            isinstance(value, bool)
            or not isinstance(value, wanted)
            or not math.isfinite(value)
            or not least <= value <= most
        ):
            kind = "a whole number" if whole else "a number"
            faults.append((key, f"must be {kind} between {least} and {most}"))
        else:
            found[key] = value
    return found
