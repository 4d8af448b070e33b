"""Receiving by webhook: signal-cli-rest-api in json-rpc mode posts to RECEIVE_WEBHOOK_URL.

It posts each event once, without a signature, without a time limit, and never again: what comes
while we are not listening is lost. So nothing is ever answered before it is stored, and while the
database is away the answer waits: the events then wait at signal-cli and at Signal. It must be
answered before anything is asked of the neighbour, which would deadlock (PROVIDERS.md).

The secret in the path is all that tells a caller from a stranger, who always gets the same 403.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from bot.contract import bridge, clock, intake
from bridges.signal import settings, transport

MAX_BODY: Final = 1_000_000
BODY_LIMIT_S: Final = 10.0
HELD_S: Final = 600.0
HELD: Final = 1_000
WATCH_S: Final = 60.0
_PATH_CHARACTERS: Final = 300

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def route(chosen: settings.Settings, moment: clock.Clock, hand: transport.Hand) -> bridge.Route:
    """`/signal/CHANNEL/`, below which only the secret is answered."""
    path = f"/signal/{chosen.channel}/"
    return bridge.Route(path=path, app=Webhook(f"{path}{chosen.secret}", moment, hand))


class Webhook:
    """A bare ASGI application for one channel."""

    def __init__(self, path: str, moment: clock.Clock, hand: transport.Hand) -> None:
        """`path` ends in the secret; it is compared in constant time."""
        self._wanted = path.encode()
        self._clock = moment
        self._hand = hand
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200 stored, 4xx no event, 503 not stored."""
        if scope["type"] != "http":
            return None
        asked = str(scope["path"])[:_PATH_CHARACTERS].rstrip("/").encode("utf-8", "replace")
        if not hmac.compare_digest(asked, self._wanted):
            return await _answer(send, 403)
        if scope["method"] != "POST":
            return await _answer(send, 405)
        event = await _event(receive)
        if isinstance(event, int):
            return await _answer(send, event)
        stored = await self._store(event)
        return await _answer(send, 200 if stored else 503)

    async def _store(self, event: object) -> bool:
        """Whether it is stored; waits for a database that is away, as the neighbour does."""
        if self._held >= HELD:
            return False
        self._held += 1
        until_s = self._clock.monotonic() + HELD_S
        try:
            while True:
                try:
                    await self._hand([event])
                except intake.NotStoredError as away:
                    if self._clock.monotonic() >= until_s:
                        return False
                    await self._clock.sleep(away.retry_after_s)
                else:
                    return True
        finally:
            self._held -= 1


async def watch(
    about: Callable[[], Awaitable[transport.About]], moment: clock.Clock, hand: transport.Hand
) -> None:
    """Nothing to read here: see that the neighbour is there. Raises BridgeDownError if not."""
    while True:
        try:
            await about()
        except transport.AwayError as away:
            raise bridge.BridgeDownError(f"webhook: {away}") from None
        await hand([])
        await moment.sleep(WATCH_S)


async def _event(receive: Receive) -> object:
    """The event as JSON, else the status of the refusal."""
    body = bytearray()
    more = True
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            while more:
                part = await receive()
                if part["type"] != "http.request":
                    return 400
                body += part.get("body", b"")
                if len(body) > MAX_BODY:
                    return 413
                more = part.get("more_body", False)
        event = json.loads(body)
    except TimeoutError:
        return 408
    except (ValueError, RecursionError):
        return 400
    return event if isinstance(event, Mapping) else 400


async def _answer(send: Send, status: int) -> None:
    """The status says all; a refused body may be unread, so that connection ends."""
    headers = [(b"content-length", b"0")]
    if status in {408, 413}:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
