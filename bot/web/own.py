"""What the web floor shows itself: public page, health, metrics, the list of channels.

The page is public: offered addresses only, no figure younger than a day, nothing about anybody.
Metrics and the details of health are for whoever `access` lets in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import jinja2
import markupsafe
from starlette import applications, requests, responses, routing

from bot.web import access, offering

HEALTH_LIMIT_S: Final = 5.0
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def create(
    channels: Sequence[Mapping[str, object]],
    health: Callable[[], Awaitable[Mapping[str, object]]],
    metrics: Callable[[], bytes],
    token: str = "",
) -> applications.Starlette:
    """The arguments are those of `app.create`."""
    own = _Own(channels, health, metrics, token)
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
        token: str,
    ) -> None:
        loader = jinja2.PackageLoader("bot.web", "pages")
        pages = jinja2.Environment(loader=loader, autoescape=True, auto_reload=False)
        pages.globals["qr"] = lambda link: markupsafe.Markup(offering.picture(link))  # noqa: S704 (segno's own SVG)
        self._page = pages.get_template("index.html").render(channels=channels)
        self._style = pages.get_template("style.css").render()
        self._channels = [dict(channel) for channel in channels]
        self._health, self._metrics, self._token = health, metrics, token

    async def page(self, request: requests.Request) -> responses.Response:
        """For whoever got the number, in two languages."""
        return responses.HTMLResponse(self._page)

    async def style(self, request: requests.Request) -> responses.Response:
        """Its style sheet, a file of its own because the policy allows no inline style."""
        return responses.Response(self._style, media_type="text/css")

    async def health(self, request: requests.Request) -> responses.Response:
        """200 while `ok` is true, else 503: for a monitor that reads only the status.

        Others than admins get no more than that.
        """
        try:
            async with asyncio.timeout(HEALTH_LIMIT_S):
                found = dict(await self._health())
        except TimeoutError:
            found = {"ok": False, "error": f"no answer within {HEALTH_LIMIT_S:.0f} s"}
        fine = found.get("ok") is True
        status = 200 if fine else 503
        if not access.allowed(request, self._token):
            found = {"ok": fine}
        return responses.JSONResponse(found, status, headers={"cache-control": "no-store"})

    async def metrics(self, request: requests.Request) -> responses.Response:
        """Prometheus text; for others there is no such page."""
        if not access.allowed(request, self._token):
            return responses.PlainTextResponse("Not Found", 404)
        return responses.Response(self._metrics(), headers={"content-type": _METRICS_TYPE})

    async def channels(self, request: requests.Request) -> responses.Response:
        """Channels with their offered addresses."""
        return responses.JSONResponse(self._channels)
