"""Who may see exact figures: they change within seconds of one message, so the sender may not.

With a token only whoever brings it. Without one only a client on this very machine that comes
straight: what a reverse proxy passes on comes from this machine too, so any sign of one refuses.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import Final

from starlette import requests

_PASSED_ON: Final = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)
_SCHEME: Final = "bearer "


def allowed(request: requests.Request, token: str) -> bool:
    """Whether this request may see metrics and the details of health."""
    if token:
        told = request.headers.get("authorization", "")
        given = told[len(_SCHEME) :] if told.lower().startswith(_SCHEME) else ""
        return hmac.compare_digest(given.encode(), token.encode())
    if any(name in request.headers for name in _PASSED_ON):
        return False
    client = request.client.host if request.client else ""
    # The name that was asked for: a web page must not reach us by a name of its own.
    asked = request.url.hostname or ""
    return _here(client) and (asked == "localhost" or _here(asked))


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
