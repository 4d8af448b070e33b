"""The page in a real browser, served by the program's own web floor, and all that it asks for."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from playwright import async_api

from bot.web import app, server
from bot.web.public import serve, site, state
from tests.bot.web.public import places
from tests.e2e import browser

ELSEWHERE: Final = "https://fr.wikipedia.org/"


class Told:
    """What the page sees; tests change it while it is served."""

    def __init__(self) -> None:
        self.seen = places.SEEN

    def fresh(self) -> state.Seen:
        return self.seen

    def pause(self) -> None:
        self.seen = dataclasses.replace(self.seen, paused=frozenset({"sms", "signal", "matrix"}))


@dataclasses.dataclass(frozen=True)
class Served:
    told: Told
    origin: str


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Served]:
    """The page on a free port of this machine."""
    told = Told()

    async def fine() -> dict[str, object]:
        return {"ok": True}

    pages = serve.Pages(site.Site(places.setup()), told)  # type: ignore[arg-type]
    listener = server.Server(app.create(routes=[], channels=[], health=fine, page=pages))
    port = listener.bind()
    serving = asyncio.create_task(listener.serve())
    await listener.ready()
    try:
        yield Served(told, f"http://127.0.0.1:{port}")
    finally:
        listener.stop()
        await serving


class Window:
    """One page in a context of its own; what it asked for, and what went wrong."""

    def __init__(self, page: async_api.Page, origin: str, shots: Path) -> None:
        """Listens from the start."""
        self.page, self._origin, self._shots = page, origin, shots
        self.faults: list[str] = []
        self.answers: list[async_api.Response] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: async_api.ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"console {message.type}: {message.text}")

    def _response(self, answer: async_api.Response) -> None:
        self.answers.append(answer)

    def _request(self, request: async_api.Request) -> None:
        if not request.url.startswith(self._origin + "/"):
            self.faults.append(f"asked for {request.url}")

    async def open(self, path: str) -> None:
        """Go there and wait for all it loads."""
        await self.page.goto(self._origin + path, wait_until="load")

    async def weight(self) -> int:
        """Bytes of all bodies, uncompressed."""
        return sum([len(await answer.body()) for answer in self.answers])

    async def shoot(self, name: str) -> None:
        """A picture of what is on the screen, for people and for the documents."""
        await self.page.screenshot(path=self._shots / f"page-{name}.png")


@contextlib.asynccontextmanager
async def window(
    made: async_api.Browser,
    on: Served,
    folder: Path,
    *,
    size: tuple[int, int] = browser.WIDTHS["desk"],
    **more: Any,  # noqa: ANN401 (of new_context)
) -> AsyncIterator[Window]:
    """A context of its own; at its end nothing may have gone wrong in it."""
    viewport: Any = {"width": size[0], "height": size[1]}
    context = await made.new_context(**({"viewport": viewport, "locale": "fr-FR"} | more))
    context.set_default_timeout(30_000)
    try:
        found = Window(await context.new_page(), on.origin, browser.shots(folder))
        yield found
        assert found.faults == []
    finally:
        await context.close()
