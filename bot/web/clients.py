"""Who stands at the other end: one name for all addresses that one subscriber can have.

The address is the socket's own. What a header says counts only where the socket is one of the
proxies that the operator named, and then only what the nearest of them wrote: everything to the
left of it may have been made up by the client.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FORWARDED: Final = b"x-forwarded-for"
_REMEMBERED: Final = 4_096
_LONGEST: Final = 2_048
_SUBSCRIBER_V6: Final = 64
_MAPPED_BITS: Final = 96
# Neighbours: this machine, its containers, its own networks. Counting them by address would count
# everybody behind a proxy that nobody named as one.
_NEIGHBOURS: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"),
    )
)


def networks(told: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks as the operator wrote them. Raises ValueError."""
    return tuple(_plain(ipaddress.ip_network(one)) for one in told)


class Clients:
    """`of` and `peer` give a client's name, None for whoever cannot be told from others."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        """`trusted`: the proxies whose X-Forwarded-For is believed. Raises ValueError."""
        self._trusted = networks(trusted)
        # Both are asked for every webhook, and bounded.
        self._seen: Callable[[str], tuple[bool, str | None]]
        self._seen = functools.lru_cache(_REMEMBERED)(self._look)
        self._told: Callable[[bytes], str | None]
        self._told = functools.lru_cache(_REMEMBERED)(self._nearest)

    def peer(self, host: str) -> str | None:
        """The name of whoever opened the connection; None for a proxy or a neighbour."""
        is_proxy, name = self._seen(host)
        return None if is_proxy else name

    def of(self, host: str, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """The name of whoever asks."""
        is_proxy, name = self._seen(host)
        if not is_proxy:
            return name
        lines = [value for name, value in headers if name == _FORWARDED]
        return self._told(b",".join(lines)[-_LONGEST:]) if lines else None

    def _nearest(self, told: bytes) -> str | None:
        """The nearest address that is no proxy of ours; None if the proxy names nobody."""
        for step in reversed(told.split(b",")):
            found = _read(_bare(step.strip().decode("latin-1")))
            if found is None:
                return None
            if not _within(found, self._trusted):
                # One more proxy, within and not named: everybody comes from it.
                return None if _within(found, _NEIGHBOURS) else _name(found)
        return None

    def _look(self, host: str) -> tuple[bool, str | None]:
        found = _read(host)
        if found is None:
            return False, None
        if _within(found, self._trusted):
            return True, None
        return False, None if _within(found, _NEIGHBOURS) else _name(found)


def _read(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _bare(step: str) -> str:
    """Without the port that some proxies add: 203.0.113.5:443, [2001:db8::1]:443."""
    if step.startswith("["):
        return step[1:].partition("]")[0]
    return step.partition(":")[0] if step.count(":") == 1 else step


def _plain(network: Network) -> Network:
    """IPv4 as sockets of IPv6 spell it (::ffff:192.0.2.0/120) is IPv4, as in `_read`."""
    mapped = network.network_address
    if isinstance(mapped, ipaddress.IPv4Address) or network.prefixlen < _MAPPED_BITS:
        return network
    inner = mapped.ipv4_mapped
    return (
        network
        if inner is None
        else ipaddress.ip_network(f"{inner}/{network.prefixlen - _MAPPED_BITS}")
    )


def _within(one: Address, among: tuple[Network, ...]) -> bool:
    return any(one.version == network.version and one in network for network in among)


def _name(one: Address) -> str:
    """A subscriber of IPv6 has at least a /64 to choose addresses from."""
    if one.version == 4:  # noqa: PLR2004 (IPv4)
        return str(one)
    return str(ipaddress.ip_network((int(one), _SUBSCRIBER_V6), strict=False))
