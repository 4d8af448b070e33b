"""Pytest plugin: tests reach this machine only.

Connecting or sending anywhere but to loopback or a Unix socket, or asking a name server, raises
`NetworkReached` at the place and fails the test at its end even where the error was swallowed.
It guards this process and the loops that use Python's sockets (asyncio's own loop does; uvloop
does not), so tests run on the default loop. Child processes are not guarded.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


class NetworkReached(AssertionError):  # not an OSError: nobody may take it for a line that is down
    """A test tried to reach something beyond loopback."""


class Guard:
    """Decides which addresses are this machine, and remembers who asked for others."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def check(self, what: str, host: object) -> None:
        """Return if this host is loopback; remember it and raise if not."""
        if is_local(host):
            return
        message = f"{what} {host!r}: tests reach loopback only"
        self.refused.append(message)
        raise NetworkReached(message)


def is_local(host: object) -> bool:
    """Whether a host name or address is certainly this machine."""
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    name = name.strip("[]").partition("%")[0].lower()
    if name in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_address(host: object) -> bool:
    """Whether resolving this needs no name server."""
    try:
        ipaddress.ip_address(str(host).strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def guarded(guard: Guard, name: str) -> Callable[..., Any]:
    """A method of socket.socket that asks the guard before it does its work."""
    original = getattr(socket.socket, name)

    def method(self: socket.socket, *args: Any) -> Any:  # noqa: ANN401 - passes through what it gets
        # The address comes last in connect(a), connect_ex(a), sendto(data[, flags], a).
        if self.family in {socket.AF_INET, socket.AF_INET6} and args:
            address = args[-1]
            guard.check(name, address[0] if isinstance(address, tuple) else address)
        return original(self, *args)

    return method


def guarded_getaddrinfo(guard: Guard) -> Callable[..., Any]:
    """A getaddrinfo that resolves local names and addresses only."""
    original = socket.getaddrinfo

    def getaddrinfo(host: object, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as above
        if not is_address(host):
            guard.check("resolving", host)
        return original(host, *args, **kwargs)  # type: ignore[arg-type]

    return getaddrinfo


GUARD = pytest.StashKey[Guard]()
PATCHED = ("connect", "connect_ex", "sendto")


def pytest_configure(config: pytest.Config) -> None:
    """Put the guard up before any test module is imported."""
    guard = config.stash[GUARD] = Guard()
    patch = pytest.MonkeyPatch()
    for name in PATCHED:
        patch.setattr(socket.socket, name, guarded(guard, name))
    patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo(guard))
    config.add_cleanup(patch.undo)


@pytest.fixture(autouse=True)
def network_guard(pytestconfig: pytest.Config) -> Iterator[Guard]:
    """Fail a test that reached for the network, whoever caught the error."""
    guard = pytestconfig.stash[GUARD]
    guard.refused.clear()
    yield guard
    if guard.refused:
        pytest.fail("reached for the network: " + "; ".join(guard.refused), pytrace=False)
