"""How much one client may ask for: requests a second by address, and the size of a head.

Pages cost a token each. A webhook that was taken costs nothing, however many come: a provider's
bursts must never be limited. What a bridge refuses (no signature, not for us) costs its sender a
token, and who has none left is turned away before his body is read. So a flood of unsigned
webhooks drains nobody's tokens but its own. An address that lately brought something valid is
never turned away from the webhooks: somebody else may misuse the provider's own machines (a
webhook of his own account that points at us) to have the provider locked out.

Memory is bounded: the client that was away longest is forgotten first, which costs us a burst.
"""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final

from bot.web import clients

Scope = MutableMapping[str, Any]

MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 32_768
MAX_TARGET_BYTES: Final = 4_096
REMEMBERED: Final = 16_384
PROVEN: Final = 1_024
PROVEN_S: Final = 86_400.0
TOO_MANY: Final = 429
_TAKEN: Final = 200
_OURS: Final = 500  # and above: a fault of ours, such as a database that is away


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Requests a second by address in the long run, and at once."""

    per_second: float = 10.0
    burst: int = 100


class Buckets:
    """A token bucket a client. `now`: seconds that only go up."""

    def __init__(self, rate: Rate, now: Callable[[], float] = time.monotonic) -> None:
        """Everybody's is full. A rate of zero limits nothing."""
        self._rate = rate
        self._now = now
        self._left: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()
        self._proven: collections.OrderedDict[str, float] = collections.OrderedDict()
        self.turned_away = 0

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._left) + len(self._proven)

    def has(self, client: str) -> bool:
        """Whether a token is left; takes none."""
        found = self._left.get(client)
        return found is None or self._filled(*found) >= 1

    def take(self, client: str) -> bool:
        """Take a token; whether there was one."""
        if not self._rate.per_second:
            return True
        found = self._left.get(client)
        left = self._rate.burst if found is None else self._filled(*found)
        self._left[client] = (left - 1 if left >= 1 else left, self._now())
        self._left.move_to_end(client)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return left >= 1

    def prove(self, client: str) -> None:
        """It brought something that a bridge took."""
        self._proven[client] = self._now()
        self._proven.move_to_end(client)
        if len(self._proven) > PROVEN:
            self._proven.popitem(last=False)

    def is_proven(self, client: str) -> bool:
        """Whether it did so within a day."""
        at = self._proven.get(client)
        return at is not None and self._now() - at < PROVEN_S

    def _filled(self, left: float, at: float) -> float:
        return min(self._rate.burst, left + (self._now() - at) * self._rate.per_second)


class Edge:
    """Asked before a request is answered (`refusal`), and told how it ended (`ended`)."""

    def __init__(self, who: clients.Clients, buckets: Buckets) -> None:
        self._who = who
        self.buckets = buckets

    def client(self, scope: Scope) -> str | None:
        """Who asks, None if he cannot be told from others."""
        peer = scope.get("client")
        return self.named(peer[0], scope["headers"]) if peer else None

    def named(self, host: str, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """The same, by the socket's own address."""
        return self._who.of(host, headers)

    def admits(self, client: str) -> bool:
        """Whether a webhook of his is looked at; counts nothing."""
        return self.buckets.has(client) or self.buckets.is_proven(client)

    def refusal(self, client: str | None, *, is_webhook: bool) -> bool:
        """Whether to turn him away now; a page costs its token here."""
        if client is None:
            return False
        if self.admits(client) if is_webhook else self.buckets.take(client):
            return False
        self.buckets.turned_away += 1
        return True

    def ended(self, client: str, status: int, method: str) -> None:
        """A webhook was answered so."""
        if status == _TAKEN:
            if method == "POST":
                self.buckets.prove(client)
        elif status != TOO_MANY and status < _OURS:
            self.buckets.take(client)


def oversized(scope: Scope) -> tuple[int, str] | None:
    """What is wrong with the head, as a status and a word; None for what people send."""
    headers = scope["headers"]
    target = len(scope.get("raw_path", b"")) + len(scope.get("query_string", b""))
    if target > MAX_TARGET_BYTES:
        return 414, "address too long"
    if len(headers) > MAX_HEADERS or sum(len(n) + len(v) for n, v in headers) > MAX_HEAD_BYTES:
        return 431, "head too large"
    return None
