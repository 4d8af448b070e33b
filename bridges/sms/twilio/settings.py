"""What `[channels.NAME]` may say for a Twilio account, checked in full before anything starts.

The table of all keys with their defaults is in docs/sms.md. Secrets are never repeated in a
fault. Prices are of one part, in `currency`, the one Twilio bills the account in.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import urllib.parse
from collections.abc import Mapping
from typing import Final

from bot.contract import address, bridge, money
from bridges.sms.twilio import tables, tariff

KIND: Final = "sms.twilio"
SHORTEST_SECRET: Final = 8
KEEP, REDACT, DELETE = "keep", "redact", "delete"
_SID: Final = {name: re.compile(name + r"[0-9a-fA-F]{32}\Z") for name in ("AC", "SK")}
_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_OVERRIDES = re.compile(r"[a-z]{2,3}=[a-z0-9,]+(&[a-z]{2,3}=[a-z0-9,]+)*\Z")
_STATES: Final = ", ".join(f'"{state}"' for state in bridge.State)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """One Twilio account. `secrets`: everything a webhook may be signed with, newest first."""

    account_sid: str
    accounts: frozenset[str]
    username: str
    password: str
    secrets: tuple[str, ...]
    addresses: tuple[bridge.OwnAddress, ...]
    currency: str
    prices: Mapping[str, money.Money]
    inbound_price: money.Money | None
    countries: tuple[str, ...]
    webhook_overrides: str
    calls_count: bool
    voice_message_url: str | None
    voice_messages_per_day: int
    at_provider: str
    lookup: bool
    lookup_price: money.Money
    filtered_in_a_row: int
    allow_provider_answers: bool
    send_limit_s: int
    base_url: str | None


def read(raw: Mapping[str, object]) -> Settings:
    """The settings of a table of the configuration; raises SettingsError with all faults."""
    table = tables.Table(raw)
    if raw.get("kind", KIND) != KIND:
        table.fault("kind", f'must be "{KIND}"')
    account_sid = _sid(table, "account_sid", "AC", required=True)
    token = _secret(table, "auth_token", required=True)
    username, password = _login(table, account_sid, token)
    currency = _currency(table)
    made = Settings(
        account_sid=account_sid,
        accounts=frozenset({account_sid, *_subaccounts(table)}),
        username=username,
        password=password,
        secrets=(token, *_secrets(table)),
        addresses=_addresses(table),
        currency=currency,
        prices=_prices(table, currency),
        inbound_price=_inbound(table, currency),
        countries=_countries(table),
        webhook_overrides=_overrides(table),
        calls_count=table.flag("calls_count"),
        voice_message_url=_voice(table),
        voice_messages_per_day=table.count("voice_messages_per_day", 20, 0, 10_000),
        at_provider=_choice(table, "at_provider", (KEEP, REDACT, DELETE)),
        lookup=table.flag("lookup"),
        lookup_price=_lookup_price(table, currency),
        filtered_in_a_row=table.count("filtered_in_a_row", 3, 1, 100),
        allow_provider_answers=table.flag("allow_provider_answers"),
        send_limit_s=table.count("send_limit_s", 20, 2, 50),
        base_url=_base_url(table),
    )
    for key in raw:
        if key not in table.known:
            table.fault(str(key), f"is not known here; known are {', '.join(sorted(table.known))}")
    if table.faults:
        raise bridge.SettingsError(table.faults)
    return made


def _sid(table: tables.Table, key: str, prefix: str, *, required: bool) -> str:
    value = table.text(key)
    if (value or required) and not _SID[prefix].match(value):
        table.fault(key, f"must be {prefix} and 32 hexadecimal digits, as the Console shows it")
    return value


def _secret(table: tables.Table, key: str, *, required: bool) -> str:
    value = table.text(key)
    if (value or required) and len(value) < SHORTEST_SECRET:
        table.fault(key, "must be the whole secret, as the Console shows it")
    return value


def _login(table: tables.Table, account_sid: str, token: str) -> tuple[str, str]:
    """An API key if there is one (it can be revoked alone), else the account itself."""
    key = _sid(table, "api_key_sid", "SK", required=False)
    secret = _secret(table, "api_key_secret", required=False)
    if bool(key) != bool(secret):
        missing = "api_key_secret" if key else "api_key_sid"
        table.fault(missing, "is missing: an API key is its SID and its secret")
    return (key, secret) if key and secret else (account_sid, token)


def _secrets(table: tables.Table) -> tuple[str, ...]:
    secrets = table.texts("webhook_secrets")
    if any(len(secret) < SHORTEST_SECRET for secret in secrets):
        table.fault("webhook_secrets", "holds one that is too short to be a whole secret")
    return secrets


def _subaccounts(table: tables.Table) -> tuple[str, ...]:
    listed = table.texts("subaccounts")
    if not all(_SID["AC"].match(one) for one in listed):
        table.fault("subaccounts", "must each be AC and 32 hexadecimal digits")
    return listed


def _addresses(table: tables.Table) -> tuple[bridge.OwnAddress, ...]:
    listed = table.take("addresses")
    if not isinstance(listed, list | tuple) or not listed:
        table.fault("addresses", 'must list at least one number: ["+33639980000"]')
        return ()
    own: list[bridge.OwnAddress] = []
    for place, entry in enumerate(listed):
        key = f"addresses[{place}]"
        one = _address(table, key, entry)
        if one is not None and any(one.address == other.address for other in own):
            table.fault(key, "stands there twice; leave one")
        elif one is not None:
            own.append(one)
    return tuple(own)


def _address(table: tables.Table, key: str, entry: object) -> bridge.OwnAddress | None:
    """One of our numbers: a text, or a table with value and state."""
    state: object = bridge.State.OFFERED
    if isinstance(entry, Mapping):
        for name in set(entry) - {"value", "state"}:
            table.fault(f"{key}.{name}", "is not known here; known are state, value")
        state = entry.get("state", state)
        entry = entry.get("value")
    if not isinstance(state, str) or state not in set(bridge.State):
        table.fault(f"{key}.state", f"must be one of {_STATES}")
        return None
    try:
        own = address.Address(address.SMS, entry) if isinstance(entry, str) else None
    except ValueError:
        own = None
    if own is None or not own.is_e164:
        table.fault(key, 'must be an international number: "+", country code, 7 to 15 digits')
        return None
    return bridge.OwnAddress(address=own, state=bridge.State(state))


def _currency(table: tables.Table) -> str:
    value = table.text("currency", tariff.CURRENCY)
    try:
        money.Money(0, value)
    except ValueError:
        table.fault("currency", 'must be three capitals, as Twilio bills: "USD"')
        return tariff.CURRENCY
    return value


def _prices(table: tables.Table, currency: str) -> dict[str, money.Money]:
    listed = table.take("prices", {})
    if not isinstance(listed, Mapping):
        table.fault("prices", 'must be a table of countries: { FR = "0.0798" }')
        return {}
    found: dict[str, money.Money] = {}
    for country, value in listed.items():
        key = f"prices.{country}"
        if not _COUNTRY.match(str(country)):
            table.fault(key, "must be a country of two capitals, as FR")
        elif (price := table.price(key, value, currency)) is not None:
            found[str(country)] = price
    return found


def _inbound(table: tables.Table, currency: str) -> money.Money | None:
    value = table.take("inbound_price")
    return None if value is None else table.price("inbound_price", value, currency)


def _lookup_price(table: tables.Table, currency: str) -> money.Money:
    price = table.price("lookup_price", table.take("lookup_price", "0.008"), currency)
    return price or money.Money(0, currency)


def _countries(table: tables.Table) -> tuple[str, ...]:
    listed = table.texts("countries", tuple(sorted(tariff.OUTBOUND)))
    if not all(_COUNTRY.match(one) for one in listed):
        table.fault("countries", 'must be countries of two capitals: ["FR", "BE"]')
    return listed


def _overrides(table: tables.Table) -> str:
    """Twilio's connection overrides, written behind `#` of the webhook's URL."""
    value = table.text("webhook_overrides", "rc=2&rp=ct,rt,5xx")
    if value and not _OVERRIDES.match(value):
        table.fault("webhook_overrides", 'must be like "rc=2&rp=ct,rt,5xx", or empty for none')
    return value


def _choice(table: tables.Table, key: str, choices: tuple[str, ...]) -> str:
    value = table.text(key, choices[0])
    if value not in choices:
        table.fault(key, f"must be one of {', '.join(choices)}")
    return value


def _voice(table: tables.Table) -> str | None:
    value = table.text("voice_message_url")
    if value and not value.startswith("https://"):
        table.fault("voice_message_url", "must be an https URL of a recording of your own")
    return value or None


def _base_url(table: tables.Table) -> str | None:
    """Another Twilio, for tests: of this very machine only, since it gets the secret."""
    value = table.text("base_url")
    if value and not _is_loopback(value):
        table.fault("base_url", 'must be an http URL of this machine: "http://127.0.0.1:4010"')
    return value.rstrip("/") or None


def _is_loopback(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
