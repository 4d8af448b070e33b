"""What the web floor shows everybody: public page, health as one word, the list of channels.

The page has a room of its own (`public`).
Metrics and the details of health stand on a listener of their own (`admin`).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

from starlette import applications, requests, responses, routing

from bot.contract import bridge
from bot.web.public import serve

HEALTH_LIMIT_S: Final = 5.0


def create(
    channels: Sequence[Mapping[str, object]],
    health: Callable[[], Awaitable[Mapping[str, object]]],
    page: serve.Pages | None = None,
) -> bridge.AsgiApp:
    """The arguments are those of `app.create`; without `page` there is none."""
    own = _Own(channels, health)
    rest = applications.Starlette(
        routes=[
            routing.Route("/health", own.health),
            routing.Route("/api/channels", own.channels),
        ]
    )
    return rest if page is None else functools.partial(_page_first, page, rest)


async def _page_first(
    page: serve.Pages,
    rest: bridge.AsgiApp,
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """A crowd at the page does not pass through a router."""
    await (page if page.has(scope["path"]) else rest)(scope, receive, send)


class _Own:
    """The endpoints."""

    def __init__(
        self,
        channels: Sequence[Mapping[str, object]],
        health: Callable[[], Awaitable[Mapping[str, object]]],
    ) -> None:
        self._channels = [dict(channel) for channel in channels]
        self._health = health

    async def health(self, request: requests.Request) -> responses.Response:
        """200 while `ok` is true, else 503, and no more: for a monitor that reads the status."""
        fine = (await asked(self._health)).get("ok") is True
        return responses.JSONResponse({"ok": fine}, 200 if fine else 503)

    async def channels(self, request: requests.Request) -> responses.Response:
        """Channels with their offered addresses."""
        return responses.JSONResponse(self._channels)


async def asked(health: Callable[[], Awaitable[Mapping[str, object]]]) -> Mapping[str, object]:
    """What it tells; one that hangs is ill."""
    try:
        async with asyncio.timeout(HEALTH_LIMIT_S):
            return await health()
    except TimeoutError:
        return {"ok": False, "error": f"no answer within {HEALTH_LIMIT_S:.0f} s"}
