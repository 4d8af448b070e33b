"""What the web floor shows itself: public page, health, metrics, the list of channels.

The page is public: offered addresses only, no figure younger than a day, nothing about anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import jinja2
from starlette import applications, requests, responses, routing

HEALTH_LIMIT_S: Final = 5.0
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def create(
    channels: Sequence[Mapping[str, object]],
    health: Callable[[], Awaitable[Mapping[str, object]]],
    metrics: Callable[[], bytes],
) -> applications.Starlette:
    """The arguments are those of `app.create`."""
    own = _Own(channels, health, metrics)
    return applications.Starlette(
        routes=[
            routing.Route("/", own.page),
            routing.Route("/style.css", own.style),
            routing.Route("/health", own.health),
            routing.Route("/metrics", own.metrics),
            routing.Route("/api/channels", own.channels),
        ]
    )


class _Own:
    """The endpoints. The page changes only with the configuration, so it is made once."""

    def __init__(
        self,
        channels: Sequence[Mapping[str, object]],
        health: Callable[[], Awaitable[Mapping[str, object]]],
        metrics: Callable[[], bytes],
    ) -> None:
        loader = jinja2.PackageLoader("bot.web", "pages")
        pages = jinja2.Environment(loader=loader, autoescape=True, auto_reload=False)
        self._page = pages.get_template("index.html").render(channels=channels)
        self._style = pages.get_template("style.css").render()
        self._channels = [dict(channel) for channel in channels]
        self._health, self._metrics = health, metrics

    async def page(self, request: requests.Request) -> responses.Response:
        """For whoever got the number, in two languages."""
        return responses.HTMLResponse(self._page)

    async def style(self, request: requests.Request) -> responses.Response:
        """Its style sheet, a file of its own because the policy allows no inline style."""
        return responses.Response(self._style, media_type="text/css")

    async def health(self, request: requests.Request) -> responses.Response:
        """200 while `ok` is true, else 503: for a monitor that reads only the status."""
        try:
            async with asyncio.timeout(HEALTH_LIMIT_S):
                found = dict(await self._health())
        except TimeoutError:
            found = {"ok": False, "error": f"no answer within {HEALTH_LIMIT_S:.0f} s"}
        status = 200 if found.get("ok") is True else 503
        return responses.JSONResponse(found, status, headers={"cache-control": "no-store"})

    async def metrics(self, request: requests.Request) -> responses.Response:
        """Prometheus text."""
        return responses.Response(self._metrics(), headers={"content-type": _METRICS_TYPE})

    async def channels(self, request: requests.Request) -> responses.Response:
        """Channels with their offered addresses."""
        return responses.JSONResponse(self._channels)
