"""What `[channels.NAME]` may say for a simulator channel, checked in full before anything starts.

    key         meaning                                                              default
    network     "sms" or "signal": what the phones speak                             "sms"
    addresses   our own: strings, or tables { value = "...", state = "offered" }     required
    price       decimal string: price of one SMS part where `prices` says nothing    "0.08"
    prices      decimal strings by country: { FR = "0.08", default = "0.12" }        none
    deliver_to  loopback URL of an outside world that keeps its own ledger           none
    idempotent  whether that outside world drops a reply id it saw before            true

Prices are in the currency of the budget, and of SMS only: the other network is free. With
`prices` but neither `price` nor `default`, a country left out cannot be reached at all.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import urllib.parse
from collections.abc import Mapping
from typing import Final

from bot.contract import address, bridge, money
from bridges.simulator import countries

KIND: Final = "simulator"
NETWORKS: Final = (address.SMS, address.SIGNAL)
DEFAULT_PRICE: Final = "0.08"
DEFAULT: Final = "default"
MAX_PRICE_MICROS: Final = 1_000 * money.MICROS
_KEYS: Final = frozenset(
    {"kind", "network", "addresses", "price", "prices", "deliver_to", "idempotent"}
)
_ADDRESS_KEYS: Final = frozenset({"value", "state"})
_NETWORKS: Final = ", ".join(f'"{network}"' for network in NETWORKS)
_STATES: Final = ", ".join(f'"{state}"' for state in bridge.State)

Faults = list[tuple[str, str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One simulator channel. `prices`: of one part by country, with `default` for the rest."""

    network: str
    addresses: tuple[bridge.OwnAddress, ...]
    prices: Mapping[str, money.Money]
    deliver_to: str | None = None
    idempotent: bool = True


def read(table: Mapping[str, object], currency: str) -> Settings:
    """The settings of a table of the configuration; raises SettingsError with all faults."""
    faults: Faults = [
        (str(key), f"is not known here; known are {', '.join(sorted(_KEYS))}")
        for key in table
        if key not in _KEYS
    ]
    if table.get("kind", KIND) != KIND:
        faults.append(("kind", f'must be "{KIND}"'))
    network = _network(table, faults)
    own = _addresses(table.get("addresses"), network, faults)
    prices = _prices(table, network, currency, faults)
    deliver_to = _deliver_to(table.get("deliver_to"), faults)
    idempotent = table.get("idempotent", True)
    if not isinstance(idempotent, bool):
        faults.append(("idempotent", "must be true or false, without quotes"))
    elif not idempotent and deliver_to is None:
        faults.append(("idempotent", "false needs deliver_to: the built-in phones drop repeats"))
    if faults:
        raise bridge.SettingsError(faults)
    return Settings(
        network=network,
        addresses=own,
        prices=prices,
        deliver_to=deliver_to,
        idempotent=idempotent is True,
    )


def _network(table: Mapping[str, object], faults: Faults) -> str:
    value = table.get("network", address.SMS)
    if isinstance(value, str) and value in NETWORKS:
        return value
    faults.append(("network", f"must be one of {_NETWORKS}"))
    return address.SMS


def _addresses(value: object, network: str, faults: Faults) -> tuple[bridge.OwnAddress, ...]:
    if not isinstance(value, list | tuple) or not value:
        faults.append(("addresses", 'must list at least one address: ["+33639980000"]'))
        return ()
    own: list[bridge.OwnAddress] = []
    for place, entry in enumerate(value):
        key = f"addresses[{place}]"
        one = _address(entry, network, key, faults)
        if one is None:
            continue
        if any(one.address == other.address for other in own):
            faults.append((key, "stands there twice; leave one"))
        own.append(one)
    return tuple(own)


def _address(entry: object, network: str, key: str, faults: Faults) -> bridge.OwnAddress | None:
    """One of our addresses; the message never repeats the value (it may be a private number)."""
    state: object = bridge.State.OFFERED
    if isinstance(entry, Mapping):
        faults.extend(
            (f"{key}.{name}", "is not known here; known are state, value")
            for name in entry
            if name not in _ADDRESS_KEYS
        )
        state = entry.get("state", state)
        entry = entry.get("value")
    if not isinstance(state, str) or state not in set(bridge.State):
        faults.append((f"{key}.state", f"must be one of {_STATES}"))
        return None
    if not isinstance(entry, str) or not entry.strip():
        faults.append((key, "must be a text in quotes, or a table with value and state"))
        return None
    try:
        own = address.Address(network, entry)
    except ValueError as error:
        faults.append((key, str(error)))
        return None
    if network == address.SMS and not own.is_e164:
        faults.append((key, 'must be an international number: "+", country code, 7 to 15 digits'))
        return None
    return bridge.OwnAddress(address=own, state=bridge.State(state))


def _prices(
    table: Mapping[str, object], network: str, currency: str, faults: Faults
) -> dict[str, money.Money]:
    """Prices by country and `default`; empty on a free network."""
    if network != address.SMS:
        faults.extend(
            (key, f"has no meaning on {network}, which is free; take it out")
            for key in ("price", "prices")
            if key in table
        )
        return {}
    listed = table.get("prices", {})
    if not isinstance(listed, Mapping):
        faults.append(("prices", 'must be a table: { FR = "0.08", default = "0.12" }'))
        listed = {}
    found: dict[str, money.Money] = {}
    for country, value in listed.items():
        key = f"prices.{country}"
        if country != DEFAULT and country not in countries.COUNTRIES:
            faults.append((key, "is no country known here (two capitals, as FR) nor default"))
        elif (price := _price(value, key, currency, faults)) is not None:
            found[str(country)] = price
    if "price" in table:
        if DEFAULT in listed:
            faults.append(("price", "says the same as prices.default; leave one of them"))
        elif (price := _price(table["price"], "price", currency, faults)) is not None:
            found[DEFAULT] = price
    elif not listed:
        found[DEFAULT] = money.parse(DEFAULT_PRICE, currency)
    return found


def _price(value: object, key: str, currency: str, faults: Faults) -> money.Money | None:
    if not isinstance(value, str):
        faults.append((key, f'must be a decimal amount in quotes: "{DEFAULT_PRICE}"'))
        return None
    try:
        price = money.parse(value, currency)
    except ValueError as error:
        faults.append((key, f'{error}; write it as "{DEFAULT_PRICE}"'))
        return None
    if not 0 <= price.micros <= MAX_PRICE_MICROS:
        faults.append((key, "must be between 0 and 1000 a part"))
        return None
    return price


def _deliver_to(value: object, faults: Faults) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and _is_loopback(value):
        return value
    faults.append(
        ("deliver_to", 'must be an http URL of this very machine: "http://127.0.0.1:8099/"')
    )
    return None


def _is_loopback(url: str) -> bool:
    """Whether nothing but this machine can be behind `url`."""
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.port == 0:
            return False
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme != "http" or parts.username or parts.password:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
