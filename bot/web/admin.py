"""What only those who run it may see, on a listener of its own: metrics, and health in detail.

Exact figures change within seconds of one message, so whoever wrote it may not see them (C40,
C44). The public listener has none of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette import applications, requests, responses, routing

from bot.contract import bridge
from bot.web import access, app, own

_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def create(
    *,
    health: Callable[[], Awaitable[Mapping[str, object]]],
    metrics: Callable[[], bytes],
    token: str = "",
) -> bridge.AsgiApp:
    """The application of `web.admin_listen`; `token` and who may do without: `access`."""

    async def told(request: requests.Request) -> responses.Response:
        """Everything that is known of bridges, workers and chores."""
        if not access.allowed(request, token):
            return responses.PlainTextResponse("Not Found", 404)
        found = await own.asked(health)
        return responses.JSONResponse(found, 200 if found.get("ok") is True else 503)

    async def figures(request: requests.Request) -> responses.Response:
        """Prometheus text."""
        if not access.allowed(request, token):
            return responses.PlainTextResponse("Not Found", 404)
        return responses.Response(metrics(), headers={"content-type": _METRICS_TYPE})

    rest = applications.Starlette(
        routes=[routing.Route("/health", told), routing.Route("/metrics", figures)]
    )
    return app.around(rest)
