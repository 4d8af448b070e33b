"""The port that we listen on: whether it is free, ours already, or promised to a neighbour."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import urllib.parse
from collections.abc import Iterator
from typing import Final

from bot import config

_LIMIT_S: Final = 2.0
_ANSWER_BYTES: Final = 4_096
_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost", "0.0.0.0"})  # noqa: S104 (compared)


def faults(web: config.WebSettings, good: list[str]) -> Iterator[str]:
    """Why nothing could listen there. A running antirelou is no fault and goes to `good`.

    It has to run for the providers' round trip, so `check` is asked beside it.
    """
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.host, web.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and _is_ours(web):
                good.append(f"web.port: antirelou runs and listens on port {web.port}")
                return
            yield (
                f"web.port: cannot listen on {web.host} port {web.port} ({error.strerror}); "
                "end what listens there, or choose another"
            )


def mistaken(settings: config.Settings) -> Iterator[str]:
    """Channels whose provider is looked for at our own port (8080 is many a program's first)."""
    web = settings.web
    if not web.port or web.host not in _HERE:
        return
    for name, channel in settings.channels.items():
        told = channel.table.get("url")
        if isinstance(told, str) and _place(told) == web.port:
            yield (
                f"channels.{name}.url: is where antirelou itself listens (web.port {web.port}); "
                "give one of the two another port"
            )


def _place(url: str) -> int | None:
    """The port, if it is one of this machine."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.hostname not in _HERE:
        return None
    return port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_ours(web: config.WebSettings) -> bool:
    """Whether what listens there answers /health as we do."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(web.host, web.host)  # noqa: S104 (asked)
    asking = http.client.HTTPConnection(host, web.port, timeout=_LIMIT_S)
    try:
        asking.request("GET", "/health")
        told = json.loads(asking.getresponse().read(_ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        asking.close()
    return isinstance(told, dict) and isinstance(told.get("ok"), bool)
