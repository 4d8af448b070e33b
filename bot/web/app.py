"""Everything that answers HTTP, as one ASGI application.

The bridges' routes come first, by a dictionary and a short list, because their webhooks are the
hot path; what is left goes to Starlette. This module must not decide anything and must not know
any bridge: `bot.build` hands it what to show.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

from starlette import responses

from bot.contract import bridge
from bot.web import limits, own, posts, strict
from bot.web.public import serve

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES: Final = 1_048_576
"""For everybody; a bridge's own limit is lower. 1 MB of webhook is an attack (C10)."""


def create(
    *,
    routes: Sequence[bridge.Route],
    channels: Sequence[Mapping[str, object]],
    health: Callable[[], Awaitable[Mapping[str, object]]],
    extra: Sequence[bridge.Route] = (),
    edge: limits.Edge | None = None,
    public_url: str = "",
    page: serve.Pages | None = None,
) -> bridge.AsgiApp:
    """The public application of one process.

    `routes`: of the bridges; `extra`: of the core (the demo's console). `channels`: what
    `/api/channels` tells everybody, so offered addresses only. `health`: its `ok` decides
    between 200 and 503. `edge`: who may ask how often, None for no limit. `public_url`: whether
    browsers are bound to HTTPS. `page`: the public page. Raises ValueError when two different
    applications claim one path.
    """
    table = _table((*routes, *extra))
    return _App(table, own.create(channels, health, page), edge, strict.Strict(public_url))


def around(rest: bridge.AsgiApp) -> bridge.AsgiApp:
    """The same bounds and headers around an application of our own."""
    return _App({}, rest, None, strict.Strict())


def _table(routes: Sequence[bridge.Route]) -> dict[str, bridge.Route]:
    """Path to route. Equal applications may offer one path twice; the first is kept."""
    table: dict[str, bridge.Route] = {}
    for route in routes:
        if not route.path.startswith("/") or route.path == "/":
            raise ValueError(f"route {route.path!r} must start with / and be more than that")
        if table.setdefault(route.path, route).app != route.app:
            raise ValueError(f"two bridges offer different applications at {route.path}")
    return table


class _App:
    """Chooses who answers, bounds what comes in, and puts the strict headers on what goes out."""

    def __init__(
        self,
        table: Mapping[str, bridge.Route],
        rest: bridge.AsgiApp,
        edge: limits.Edge | None,
        headers: strict.Strict,
    ) -> None:
        self._exact = {path: one.app for path, one in table.items() if not path.endswith("/")}
        below = [(path, one.app) for path, one in table.items() if path.endswith("/")]
        # The longest first: /phone/sms/ before /phone/.
        self._below = sorted(below, key=lambda pair: -len(pair[0]))
        self._rest = rest
        self._edge = edge
        self._strict = headers
        # What `server` answers by itself, within the same bounds.
        self.posts = posts.Posts(table, edge, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; anything but HTTP is turned away."""
        if scope["type"] != "http":
            await _turn_away(scope, receive, send)
            return
        app = self._exact.get(scope["path"]) or self._longest(scope["path"])
        client = self._edge.client(scope) if self._edge is not None else None
        is_webhook = app is not self._rest
        wrong = self._wrong(scope, client, is_webhook=is_webhook)
        status = 0

        async def told(event: MutableMapping[str, Any]) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                event = {**event, "headers": self._strict.added(event.get("headers", ()))}
            await send(event)

        await (_refusal(*wrong) if wrong else app)(scope, _Bounded(receive), told)
        if is_webhook and client is not None and self._edge is not None:
            self._edge.ended(client, status, scope["method"])

    def _wrong(
        self, scope: Scope, client: str | None, *, is_webhook: bool
    ) -> tuple[int, str] | None:
        """Why nobody gets to see this request, as a status and a word."""
        if self._edge is not None and self._edge.refusal(client, is_webhook=is_webhook):
            return limits.TOO_MANY, "too many requests"
        return limits.oversized(scope) or _length_fault(scope)

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


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    """Say no to websockets, and yes to a server that asks whether we need starting."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


def _refusal(status: int, text: str) -> bridge.AsgiApp:
    """Without reading the body, which makes the connection useless."""
    headers = {"connection": "close"}
    if status == limits.TOO_MANY:
        headers["retry-after"] = "1"
    return responses.PlainTextResponse(text, status, headers=headers)


def _length_fault(scope: Scope) -> tuple[int, str] | None:
    """What is wrong with the Content-Length."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit() or len(value) > 18:  # noqa: PLR2004 (fits 64 bits)
                return 400, "bad content-length"
            return (413, "body too large") if int(value) > MAX_BODY_BYTES else None
    return None
