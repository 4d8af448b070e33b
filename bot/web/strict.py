"""The headers that every answer carries, whoever made it.

No script, no style or picture from elsewhere, no frame around us, nothing told to other sites,
nothing kept in caches. An application may set one of them itself and then its own stands: the
phone of the demo has a script, the public page may be cached.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

Pairs = Sequence[tuple[bytes, bytes]]

POLICY: Final = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
_ALWAYS: Final = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    ),
    (b"cache-control", b"no-store"),
)
# A year, as browsers and preload lists want it. Not for subdomains: those are not ours to bind.
_SECURE: Final = (b"strict-transport-security", b"max-age=31536000")


class Strict:
    """Adds what an application did not set itself."""

    def __init__(self, public_url: str = "") -> None:
        """`public_url`: browsers are bound to HTTPS only where it is how we are reached."""
        secure = (_SECURE,) if public_url.startswith("https://") else ()
        self._pairs = (*_ALWAYS, *secure)
        self._names = frozenset(name for name, _ in self._pairs)

    def added(self, headers: Pairs) -> list[tuple[bytes, bytes]]:
        """All headers of an answer."""
        own = {name.lower() for name, _ in headers} & self._names
        if not own:
            return [*headers, *self._pairs]
        return [*headers, *(pair for pair in self._pairs if pair[0] not in own)]
