"""The demo as a process, and a browser on it that reports whatever a person would not see."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import urllib.parse
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
from axe_playwright_python import async_playwright as axe
from playwright import async_api

from tests.e2e import program

WIDTHS: Final = {"phone": (375, 812), "tablet": (768, 1024), "desk": (1280, 900)}
THEMES: Final = ("light", "dark")
_RULES: Final = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}

# A browser calls home by itself; whatever it asks for, nothing but this machine has a name.
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_ADDRESS: Final = re.compile(rb"http://[^\s\xe2]+token=[\w-]+")
# Before the page's own scripts: what its policy refused is gathered where the test can ask.
WATCH_POLICY: Final = """
window.refusedByPolicy = [];
addEventListener("securitypolicyviolation", (event) =>
  window.refusedByPolicy.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


class Demo:
    """`antirelou demo` and what its HTTP API says, beside the page."""

    def __init__(self, address: str) -> None:
        """`address`: the one it printed."""
        self.address = address
        parts = urllib.parse.urlsplit(address)
        self.origin = f"{parts.scheme}://{parts.netloc}"

    async def get(self, path: str) -> dict[str, Any]:
        """JSON of a GET."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.origin + path) as answer,
        ):
            found: dict[str, Any] = await answer.json()
            return found

    async def replies(self, channel: str) -> list[dict[str, Any]]:
        """What reached any phone of a channel."""
        found: list[dict[str, Any]] = (await self.get(f"/phone/{channel}/api/replies"))["replies"]
        return found

    async def now_ms(self) -> int:
        """The demo's clock."""
        now: int = (await self.get("/phone/sms/api/speed"))["now_ms"]
        return now

    async def hurry(self, speed: float) -> None:
        """Let the clock run this fast; the page's own switch is one speed of many."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.origin + "/phone/sms/api/speed", json={"speed": speed}) as answer,
        ):
            answer.raise_for_status()

    async def let_pass(self, minutes: int) -> None:
        """Until so many minutes more have gone by on the demo's clock."""
        end_ms = await self.now_ms() + minutes * 60_000

        async def is_over() -> bool:
            return await self.now_ms() >= end_ms

        await program.until(f"{minutes} minutes of the demo's time", is_over, 60)


@contextlib.asynccontextmanager
async def demo(folder: Path, *more: str) -> AsyncIterator[Demo]:
    """The real entry point on a free port; killed at the end, with its output kept in `folder`."""
    output = folder / "demo.log"
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(*program.command(), "demo", "--port", str(program.free_port()), *more),
            cwd=program.ROOT,
            env=program.environment() | {"COLUMNS": "200", "TMPDIR": str(folder)},
            stdout=log,
            stderr=log,
        )

    async def is_announced() -> bool:
        if process.returncode is not None:
            raise AssertionError(f"the demo ended:\n{output.read_text(errors='replace')}")
        return _ADDRESS.search(output.read_bytes()) is not None

    try:
        await program.until("the address to open", is_announced)
        found = _ADDRESS.search(output.read_bytes())
        if found is None:
            raise AssertionError("the address was there a moment ago")
        yield Demo(found[0].decode())
        process.terminate()
        async with asyncio.timeout(15):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Watched:
    """A page, and all that went wrong in it."""

    def __init__(self, page: async_api.Page, origin: str, shots: Path) -> None:
        """Listens from the start."""
        self.page = page
        self.faults: list[str] = []
        self._origin = origin
        self._shots = shots
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._request)

    def _console(self, message: async_api.ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"console {message.type}: {message.text}")

    def _request(self, request: async_api.Request) -> None:
        if not request.url.startswith((self._origin + "/", "data:")):
            self.faults.append(f"asked for {request.url}")

    async def check(self) -> None:
        """Nothing in the console, nothing against the page's policy, nothing from elsewhere."""
        refused = await self.page.evaluate("window.refusedByPolicy")
        assert self.faults == []
        assert refused == []

    async def shoot(self, name: str) -> None:
        """A picture for people to look at."""
        await self.page.screenshot(path=self._shots / f"{name}.png", full_page=True)

    def one(self, testid: str) -> async_api.Locator:
        """The element with this test id."""
        return self.page.get_by_test_id(testid)

    async def text(self, testid: str) -> str:
        """What stands in it, with plain spaces."""
        return (await self.one(testid).inner_text()).replace("\u00a0", " ")

    async def focused(self) -> str:
        """The test id of what has the focus."""
        found: str = await self.page.evaluate(
            "document.activeElement.dataset.testid || document.activeElement.id || ''"
        )
        return found

    async def tab_to(self, testid: str, key: str = "Tab") -> None:
        """Press Tab until it has the focus; AssertionError if it cannot be reached so."""
        passed: list[str] = []
        while (focused := await self.focused()) != testid:
            assert len(passed) < 60, f"{testid} is not reached by {key}: {json.dumps(passed)}"
            passed.append(focused)
            await self.page.keyboard.press(key)


def shots(folder: Path) -> Path:
    """Where pictures go: ANTIRELOU_SHOTS, or the test's own folder."""
    chosen = Path(os.environ.get("ANTIRELOU_SHOTS") or folder)
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen


async def objections(page: async_api.Page) -> list[str]:
    """What axe objects to, as it stands there now."""
    found = await axe.Axe().run(page, options=_RULES)
    violations: list[dict[str, Any]] = found.response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:300]}"
        for one in violations
        for node in one["nodes"]
    ]


async def overflow(page: async_api.Page) -> int:
    """How far anything reaches over the right edge, in CSS pixels."""
    found: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return found


@contextlib.asynccontextmanager
async def launched(chromium: str) -> AsyncIterator[async_api.Browser]:
    """One browser for many windows, which knows no other host."""
    async with async_api.async_playwright() as playwright:
        made = await playwright.chromium.launch(
            executable_path=chromium, headless=True, args=list(FLAGS)
        )
        try:
            yield made
        finally:
            await made.close()


@contextlib.asynccontextmanager
async def opened(
    chromium: str, on: Demo, folder: Path, *, locale: str, width: int, height: int
) -> AsyncIterator[Watched]:
    """A browser of that language and size, on the address that the demo printed."""
    async with launched(chromium) as made:
        context = await made.new_context(
            locale=locale,
            viewport={"width": width, "height": height},
            timezone_id="Europe/Paris",
        )
        await context.add_init_script(WATCH_POLICY)
        context.set_default_timeout(30_000)
        page = await context.new_page()
        watched = Watched(page, on.origin, shots(folder))
        await page.goto(on.address)
        # The examples are drawn last, when everything answers to clicks.
        await watched.one("preset-hello").wait_for()
        yield watched
        await watched.check()
