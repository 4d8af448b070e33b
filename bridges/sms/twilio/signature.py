"""Whether a request was signed by Twilio: own HMAC, constant time, any oddity is a plain no.

Scheme (twilio.com/docs/usage/security): base64 of HMAC-SHA1(secret, URL + for each name sorted,
for each distinct value sorted: name + value); with the header
`X-Twilio-Webhooks-Signature-Settings: key=..., algorithm=HMAC_SHA256` the same by SHA-256. The
URL is the configured public one, never the Host header; Twilio is not consistent about the port,
and whether the `#` overrides are signed is not documented, so all ways of writing it count.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import hmac
import operator
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from typing import Final

HEADER: Final = b"x-twilio-signature"
SETTINGS_HEADER: Final = b"x-twilio-webhooks-signature-settings"
_HASHES: Final = {b"hmac_sha1": hashlib.sha1, b"hmac_sha256": hashlib.sha256}
_PORTS: Final = {"https": 443, "http": 80}
_LONGEST_HEADER: Final = 512
_Ordered = Callable[[Sequence[tuple[str, str]]], Sequence[tuple[str, str]]]
# Anybody may make up names, but not fill the memory with them.
_orders: dict[tuple[str, ...], _Ordered] = {}
_MOST_ORDERS: Final = 64
_MOST_NAMES: Final = 64
_LONGEST_NAMES: Final = 1_024


def ways(url: str, overrides: str = "") -> tuple[str, ...]:
    """All ways in which Twilio may write our own URL when it signs.

    Raises ValueError for what is no URL: ours is configured, so that is found at the start.
    """
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname
    port = parts.port
    if not host or parts.scheme not in _PORTS:
        raise ValueError("the public URL must be http or https with a host")
    # Cut by hand: `hostname` lowers the case, and the SDK's own way breaks IPv6 and userinfo.
    suffix = f":{port}" if port is not None else ""
    bare = parts.netloc.removesuffix(suffix) if suffix else parts.netloc
    rest = url[url.index("//") + 2 + len(parts.netloc) :]
    start = url[: url.index("//") + 2]
    with_port = f"{bare}:{port or _PORTS[parts.scheme]}"
    written = (f"{start}{netloc}{rest}" for netloc in (parts.netloc, bare, with_port))
    found = dict.fromkeys(written)
    return (*found, *(f"{one}#{overrides}" for one in found if overrides))


def fields(told: Iterable[tuple[str, str]]) -> str:
    """The form as it is signed: distinct pairs by name, then by value."""
    # Twilio writes the same names in the same order; the order that they are signed in is kept.
    pairs = list(told)
    names = tuple([name for name, _ in pairs])
    ordered = _orders.get(names) or _order(names)
    if ordered is None:
        return "".join([name + value for name, value in sorted(set(pairs))])
    return "".join(["".join(pair) for pair in ordered(pairs)])


def _order(names: tuple[str, ...]) -> _Ordered | None:
    """How to put pairs of these names in order; None where that takes their values too."""
    if len(set(names)) != len(names) or not 1 < len(names) <= _MOST_NAMES:
        return None
    ordered: _Ordered = operator.itemgetter(*sorted(range(len(names)), key=names.__getitem__))
    if sum(map(len, names)) <= _LONGEST_NAMES:
        if len(_orders) >= _MOST_ORDERS:
            _orders.clear()
        _orders[names] = ordered
    return ordered


def algorithm(header: bytes | None) -> bytes | None:
    """Its name in small letters; SHA-1 without a header; None for what nobody can read."""
    if header is None:
        return b"hmac_sha1"
    if len(header) > _LONGEST_HEADER:
        return None
    for part in header.split(b","):
        name, found, value = part.partition(b"=")
        if found and name.strip().lower() == b"algorithm":
            wanted = value.strip().lower()
            return wanted if wanted in _HASHES else None
    return b"hmac_sha1"


def sign(url: str, signed: str, secret: str, scheme: bytes = b"hmac_sha1") -> bytes:
    """The signature of one way of writing the URL."""
    return _signed(_state(url, secret, scheme), signed.encode())


def _signed(state: hmac.HMAC, signed: bytes) -> bytes:
    made = state.copy()
    made.update(signed)
    return binascii.b2a_base64(made.digest(), newline=False)


@functools.lru_cache(256)
def _state(url: str, secret: str, scheme: bytes) -> hmac.HMAC:
    """The hash with the key and the URL in it, which are the same for nearly every request."""
    return hmac.new(secret.encode(), url.encode(), _HASHES[scheme])


def good(
    given: bytes | None,
    *,
    urls: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    secrets: Sequence[str],
    settings: bytes | None = None,
) -> bool:
    """Whether one of our secrets signed one way of writing our URL. Never raises."""
    scheme = algorithm(settings)
    if given is None or scheme is None or len(given) > _LONGEST_HEADER:
        return False
    signed = fields(pairs).encode()
    given = given.strip()
    for url in urls:
        for secret in secrets:
            if hmac.compare_digest(_signed(_state(url, secret, scheme), signed), given):
                return True
    return False
