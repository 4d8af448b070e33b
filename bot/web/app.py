"""Everything that answers HTTP, as one ASGI application.

The bridges' routes come first, by a dictionary and a short list, because their webhooks are the
hot path; what is left goes to Starlette. This module must not decide anything and must not know
any bridge: `bot.build` hands it what to show.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

from starlette import responses

from bot.contract import bridge
from bot.web import own

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES: Final = 1_048_576
"""For everybody; a bridge's own limit is lower. 1 MB of webhook is an attack (C10)."""
_STRICT: Final = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
            b"frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def create(
    *,
    routes: Sequence[bridge.Route],
    channels: Sequence[Mapping[str, object]],
    health: Callable[[], Awaitable[Mapping[str, object]]],
    metrics: Callable[[], bytes],
    extra: Sequence[bridge.Route] = (),
    admin_token: str = "",
) -> bridge.AsgiApp:
    """The application of one process.

    `routes`: of the bridges; `extra`: of the core (the demo's console). `channels`: what
    `/api/channels` tells everybody, so offered addresses only. `health`: its `ok` decides
    between 200 and 503. `metrics`: Prometheus text. `admin_token`: who sees them (`access`).
    Raises ValueError when two different applications claim one path.
    """
    return _App(_table((*routes, *extra)), own.create(channels, health, metrics, admin_token))


def _table(routes: Sequence[bridge.Route]) -> dict[str, bridge.AsgiApp]:
    """Path to application. Equal applications may offer one path twice; the first is kept."""
    table: dict[str, bridge.AsgiApp] = {}
    for route in routes:
        if not route.path.startswith("/") or route.path == "/":
            raise ValueError(f"route {route.path!r} must start with / and be more than that")
        if table.setdefault(route.path, route.app) != route.app:
            raise ValueError(f"two bridges offer different applications at {route.path}")
    return table


class _App:
    """Chooses who answers, bounds what comes in, and puts the strict headers on what goes out."""

    def __init__(self, table: dict[str, bridge.AsgiApp], rest: bridge.AsgiApp) -> None:
        self._exact = {path: app for path, app in table.items() if not path.endswith("/")}
        below = [(path, app) for path, app in table.items() if path.endswith("/")]
        # The longest first: /phone/sms/ before /phone/.
        self._below = sorted(below, key=lambda pair: -len(pair[0]))
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; anything but HTTP is turned away."""
        if scope["type"] != "http":
            await _turn_away(scope, receive, send)
            return
        strict = functools.partial(_send_strict, send)
        length = _declared_length(scope)
        if length is None or length > MAX_BODY_BYTES:
            status, text = (413, "body too large") if length else (400, "bad content-length")
            answer = responses.PlainTextResponse(text, status, headers={"connection": "close"})
            await answer(scope, receive, strict)
            return
        app = self._exact.get(scope["path"]) or self._longest(scope["path"])
        await app(scope, _Bounded(receive), strict)

    def _longest(self, path: str) -> bridge.AsgiApp:
        for prefix, app in self._below:
            if path.startswith(prefix):
                return app
            if path == prefix[:-1]:
                return responses.RedirectResponse(prefix)
        return self._rest


class _Bounded:
    """A body that ends as if the client had gone once it is longer than anybody may send.

    For chunked bodies, which declare no length. An instance a request.
    """

    __slots__ = ("_left", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = MAX_BODY_BYTES

    async def __call__(self) -> MutableMapping[str, Any]:
        """The next event."""
        if self._left < 0:
            return {"type": "http.disconnect"}
        event = await self._receive()
        if event["type"] == "http.request":
            self._left -= len(event.get("body", b""))
            if self._left < 0:
                return {"type": "http.disconnect"}
        return event


async def _send_strict(send: Send, event: MutableMapping[str, Any]) -> None:
    """Add the strict headers that the application did not set itself."""
    if event["type"] == "http.response.start":
        headers = list(event.get("headers", ()))
        present = {name.lower() for name, _ in headers}
        headers.extend(pair for pair in _STRICT if pair[0] not in present)
        event = {**event, "headers": headers}
    await send(event)


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    """Say no to websockets, and yes to a server that asks whether we need starting."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


def _declared_length(scope: Scope) -> int | None:
    """The Content-Length, 0 if there is none, None if it is no number."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) <= 18 else None  # noqa: PLR2004
    return 0
