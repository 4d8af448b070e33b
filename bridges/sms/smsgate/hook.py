"""Where the phone's events arrive. Whatever is not ours gets the same 403, and no word why."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from bot.contract import bridge, intake
from bridges.sms.smsgate import settings, wire

MAX_BYTES: Final = 65_536
BODY_LIMIT_S: Final = 10.0
"""Real seconds a body may take."""

_HEADERS: Final = frozenset({b"content-type", b"x-signature", b"x-timestamp"})

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class RefusedError(Exception):
    """Not for us, or not from our phone."""


class Hook:
    """A bare ASGI application. `take` stores what an event says, or raises NotStoredError."""

    def __init__(
        self,
        context: bridge.Context,
        chosen: settings.Settings,
        take: Callable[[wire.Event], Awaitable[None]],
    ) -> None:
        """Nothing was refused yet."""
        self.refused = 0
        self._context = context
        self._settings = chosen
        self._take = take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200 only for what is stored; the app asks again for everything else."""
        try:
            event = await self._event(scope, receive)
            await self._take(event)
        except (RefusedError, ValueError):
            self.refused += 1
            await _answer(send, 403, b"forbidden")
        except intake.NotStoredError as error:
            wait = (b"retry-after", str(error.retry_after_s).encode())
            await _answer(send, 503, b"not stored", wait)
        else:
            await _answer(send, 200, b"ok")

    async def _event(self, scope: Scope, receive: Receive) -> wire.Event:
        if scope["method"] != "POST":
            raise RefusedError
        headers = _headers(scope)
        if not headers.get(b"content-type", b"").lower().startswith(b"application/json"):
            raise RefusedError
        body = await _body(receive)
        if not wire.signed(
            self._settings.signing_keys,
            body,
            headers.get(b"x-timestamp", b""),
            headers.get(b"x-signature", b""),
            self._context.clock.now(),
        ):
            raise RefusedError
        event = wire.event(body)
        if self._settings.device_id not in {None, event.device_id}:
            raise RefusedError
        return event


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """Those that count; one given twice is refused, since two readers could take either."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in found and name in _HEADERS:
            raise RefusedError
        found[name] = value
    return found


async def _body(receive: Receive) -> bytes:
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            more = True
            while more:
                told = await receive()
                if told["type"] != "http.request":
                    raise RefusedError
                found += told.get("body", b"")
                if len(found) > MAX_BYTES:
                    raise RefusedError
                more = told.get("more_body", False)
    except TimeoutError:
        raise RefusedError from None
    return bytes(found)


async def _answer(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *more,
    ]
    if status == 403:  # noqa: PLR2004 (HTTP)
        # A body left unread makes the connection useless.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
