"""What `[channels.NAME]` may say for a phone, checked in full before anything starts."""

from __future__ import annotations

import base64
import dataclasses
import enum
import ipaddress
import re
import urllib.parse
from collections.abc import Mapping
from typing import Final, TypeVar

from bot.contract import address, bridge, money

KIND: Final = "sms.smsgate"
SERVER_PATH: Final = "/3rdparty/v1"
MAX_SIMS: Final = 3
"""The API's own bound of `simNumber`."""
MIN_KEY: Final = 8
MAX_PRICE: Final = 1_000 * money.MICROS
MAX_SECONDS: Final = 7 * 86_400
MAX_SEND_S: Final = 45
"""Below the core's own limit of a send."""

_HEADER: Final = re.compile(r"[\x21-\x7e]{1,4096}\Z")
_DEVICE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

Faults = list[tuple[str, str]]
E = TypeVar("E", bound=enum.StrEnum)


class Api(enum.StrEnum):
    """Whom we talk to: the phone itself, or the app's public or private server."""

    PHONE = "phone"
    SERVER = "server"


class Plan(enum.StrEnum):
    """Whose tariff the SIM has; France keeps 06 and 07 for persons (docs/sms.md)."""

    PERSON = "person"
    COMPANY = "company"


class Point(enum.StrEnum):
    """What the operator alone can see to (docs/sms.md, the checklist)."""

    RCS = "rcs"
    IMESSAGE = "imessage"
    BATTERY = "battery"
    VOICEMAIL = "voicemail"
    PLAN_LIMITS = "plan-limits"
    ANDROID_LIMIT = "android-limit"


KEYS: Final = {
    "api": '`"phone"`: the app\'s own server; `"server"`: the public or a private server',
    "url": "where that API is, without the path of the version",
    "username": "shown by the app; with `password`, instead of `token`",
    "password": "belongs to `username`",
    "token": "a JWT with the scopes of the channel, instead of a name and a password",
    "signing_key": "the app's Settings, Webhooks, Signing Key; 8 characters or more",
    "old_signing_key": "also taken while the key is being changed",
    "device_id": "the phone's id; others' events are refused; needed with the server",
    "addresses": 'our numbers: `"+33…"` or `{ value, state, sim }`, one a SIM',
    "price": "of one part, where the plan does not cover it",
    "plan": '`"person"`: a person\'s own SIM plan; `"company"`: any other',
    "send_limit_s": "how long the API may take to answer a send before nobody knows",
    "ping_alarm_s": "health says down when the phone was silent that long; 0: never",
    "ping_human_s": "the channel waits for somebody when it was silent that long; 0: never",
    "confirmed": "points of the checklist that you have seen to yourself",
}
"""Every key with its meaning; docs/sms.md shows this very table."""
DEFAULTS: Final[Mapping[str, object]] = {
    "price": "0",
    "plan": Plan.PERSON,
    "send_limit_s": 15,
    "ping_alarm_s": 1_800,
    "ping_human_s": 7_200,
    "confirmed": (),
}
_ADDRESS_KEYS: Final = frozenset({"value", "state", "sim"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One phone. `base`: the URL that the paths of the API follow. `sims`: number -> SIM."""

    api: Api
    base: str
    authorization: str = dataclasses.field(repr=False)
    signing_keys: tuple[str, ...] = dataclasses.field(repr=False)
    device_id: str | None
    addresses: tuple[bridge.OwnAddress, ...]
    sims: Mapping[str, int]
    price: money.Money
    plan: Plan
    send_limit_s: int
    ping_alarm_s: int
    ping_human_s: int
    confirmed: frozenset[Point]


def read(table: Mapping[str, object], currency: str) -> Settings:
    """The settings of a table of the configuration; raises SettingsError with all faults."""
    faults: Faults = [
        (str(key), f"is not known here; known are {', '.join(sorted(KEYS))}")
        for key in table
        if key not in KEYS and key != "kind"
    ]
    if table.get("kind", KIND) != KIND:
        faults.append(("kind", f'must be "{KIND}"'))
    told = {**DEFAULTS, **table}
    api = _choice(told, "api", Api, faults) or Api.PHONE
    base = _base(told.get("url"), api, faults)
    authorization = _authorization(told, faults)
    keys = _signing_keys(told, faults)
    device = _device(told.get("device_id"), api, faults)
    own, sims = _addresses(told.get("addresses"), faults)
    made = Settings(
        api=api,
        base=base,
        authorization=authorization,
        signing_keys=keys,
        device_id=device,
        addresses=own,
        sims=sims,
        price=_price(told["price"], currency, faults),
        plan=_choice(told, "plan", Plan, faults) or Plan.PERSON,
        send_limit_s=_seconds(told, "send_limit_s", faults, least=1, most=MAX_SEND_S),
        ping_alarm_s=_seconds(told, "ping_alarm_s", faults),
        ping_human_s=_seconds(told, "ping_human_s", faults),
        confirmed=_confirmed(told["confirmed"], faults),
    )
    if faults:
        raise bridge.SettingsError(faults)
    return made


def _choice(told: Mapping[str, object], key: str, kind: type[E], faults: Faults) -> E | None:
    value = told.get(key)
    if isinstance(value, str) and value in set(kind):
        return kind(value)
    faults.append((key, "must be one of " + ", ".join(f'"{one}"' for one in kind)))
    return None


def _base(value: object, api: Api, faults: Faults) -> str:
    """The base URL. A server is reached by TLS; a phone in the same network has none."""
    fault = ("url", 'must be a URL: "http://192.168.1.10:8080", "https://api.sms-gate.app"')
    if not isinstance(value, str):
        faults.append(fault)
        return ""
    try:
        parts = urllib.parse.urlsplit(value)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound, parts = False, urllib.parse.urlsplit("")
    if not sound or parts.username or parts.query or parts.fragment:
        faults.append(fault)
        return ""
    base = value.rstrip("/")
    if api is Api.PHONE:
        return base
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        faults.append(("url", "must be https for a server: it carries numbers and texts"))
    return base if base.endswith(SERVER_PATH) else base + SERVER_PATH


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine can be behind the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _authorization(told: Mapping[str, object], faults: Faults) -> str:
    """The Authorization header's value; faults never repeat a secret."""
    given = {key: told[key] for key in ("username", "password", "token") if key in told}
    before = len(faults)
    for key, value in given.items():
        if not isinstance(value, str) or not value.isprintable() or not value:
            faults.append((key, "must be a text in quotes"))
    if given.keys() == {"token"}:
        token = str(given["token"])
        if len(faults) == before and not _HEADER.match(token):
            faults.append(("token", "holds a character that no header can carry"))
        return f"Bearer {token}"
    if given.keys() != {"username", "password"}:
        key = "token" if "token" in given else "username"
        faults.append((key, "give either token, or username and password"))
        return ""
    pair = f"{given['username']}:{given['password']}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")


def _signing_keys(told: Mapping[str, object], faults: Faults) -> tuple[str, ...]:
    found: list[str] = []
    for key in ("signing_key", "old_signing_key"):
        value = told.get(key)
        if value is None and key == "old_signing_key":
            continue
        if isinstance(value, str) and len(value) >= MIN_KEY and value.isprintable():
            found.append(value)
        else:
            faults.append((key, f"must be a text of {MIN_KEY} characters or more, as in the app"))
    return tuple(found)


def _device(value: object, api: Api, faults: Faults) -> str | None:
    if isinstance(value, str) and _DEVICE.match(value):
        return value
    if value is not None:
        faults.append(("device_id", "must be the id that the app shows"))
    elif api is Api.SERVER:
        faults.append(("device_id", "is needed: without it the server picks any of your phones"))
    return None


def _addresses(
    value: object, faults: Faults
) -> tuple[tuple[bridge.OwnAddress, ...], dict[str, int]]:
    if not isinstance(value, list | tuple) or not value:
        faults.append(("addresses", 'must list at least one number: ["+33639980000"]'))
        return (), {}
    own: list[bridge.OwnAddress] = []
    sims: dict[str, int] = {}
    for place, entry in enumerate(value):
        key = f"addresses[{place}]"
        one, sim = _address(entry, key, faults)
        if one is None:
            continue
        if any(one.address == other.address for other in own):
            faults.append((key, "stands there twice; leave one"))
        if sim is not None and sim in sims.values():
            faults.append((f"{key}.sim", "another number has that SIM already"))
        own.append(one)
        if sim is not None:
            sims[one.address.value] = sim
        elif len(value) > 1:
            faults.append((f"{key}.sim", "is needed where there are several numbers: 1, 2 or 3"))
    return tuple(own), sims


def _address(
    entry: object, key: str, faults: Faults
) -> tuple[bridge.OwnAddress | None, int | None]:
    """One of our numbers and its SIM; no fault repeats the number."""
    state: object = bridge.State.OFFERED
    sim: object = None
    if isinstance(entry, Mapping):
        faults.extend(
            (f"{key}.{name}", "is not known here; known are sim, state, value")
            for name in entry
            if name not in _ADDRESS_KEYS
        )
        state, sim, entry = entry.get("state", state), entry.get("sim"), entry.get("value")
    if not isinstance(state, str) or state not in set(bridge.State):
        states = ", ".join(f'"{one}"' for one in bridge.State)
        faults.append((f"{key}.state", f"must be one of {states}"))
        return None, None
    if sim is not None and (type(sim) is not int or not 1 <= sim <= MAX_SIMS):
        faults.append((f"{key}.sim", "must be 1, 2 or 3, as the app counts them"))
        sim = None
    try:
        own = address.Address(address.SMS, entry if isinstance(entry, str) else "")
    except ValueError:
        own = address.Address(address.SMS, "")
    if not own.is_e164:
        faults.append((key, 'must be an international number: "+", country code, 7 to 15 digits'))
        return None, None
    made = bridge.OwnAddress(address=own, state=bridge.State(state))
    return made, sim if isinstance(sim, int) else None


def _price(value: object, currency: str, faults: Faults) -> money.Money:
    try:
        price = money.parse(value, currency) if isinstance(value, str) else None
    except ValueError:
        price = None
    if price is None or not 0 <= price.micros <= MAX_PRICE:
        faults.append(("price", 'must be a decimal amount in quotes, 0 to 1000: "0" or "0.05"'))
        return money.Money(0, currency)
    return price


def _seconds(
    told: Mapping[str, object],
    key: str,
    faults: Faults,
    *,
    least: int = 0,
    most: int = MAX_SECONDS,
) -> int:
    value = told[key]
    if type(value) is int and least <= value <= most:
        return value
    faults.append((key, f"must be whole seconds, {least} to {most}"))
    return least


def _confirmed(value: object, faults: Faults) -> frozenset[Point]:
    if isinstance(value, list | tuple) and all(
        isinstance(one, str) and one in set(Point) for one in value
    ):
        return frozenset(Point(one) for one in value)
    points = ", ".join(f'"{one}"' for one in Point)
    faults.append(("confirmed", f"must be a list of {points}"))
    return frozenset()
