"""What the tests of the showpiece need: windows of any size, theme and language, and axe."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from axe_playwright_python import async_playwright as axe
from playwright import async_api

from tests.e2e import browser

WIDTHS: Final = {"phone": (375, 812), "tablet": (768, 1024), "desk": (1280, 900)}
THEMES: Final = ("light", "dark")
_RULES: Final = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}


async def objections(page: browser.Watched) -> list[str]:
    """What axe objects to, as it stands there now."""
    found = await axe.Axe().run(page.page, options=_RULES)
    violations: list[dict[str, Any]] = found.response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:300]}"
        for one in violations
        for node in one["nodes"]
    ]


async def overflow(page: browser.Watched) -> int:
    """How far anything reaches over the right edge, in CSS pixels."""
    found: int = await page.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return found


@contextlib.asynccontextmanager
async def launched(chromium: str) -> AsyncIterator[async_api.Browser]:
    """One browser for many windows."""
    async with async_api.async_playwright() as playwright:
        made = await playwright.chromium.launch(
            executable_path=chromium, headless=True, args=list(browser.FLAGS)
        )
        try:
            yield made
        finally:
            await made.close()


@contextlib.asynccontextmanager
async def window(
    made: async_api.Browser,
    on: browser.Demo,
    folder: Path,
    *,
    size: tuple[int, int] = WIDTHS["desk"],
    locale: str = "fr-FR",
    **more: Any,  # noqa: ANN401 (of new_context)
) -> AsyncIterator[browser.Watched]:
    """The demo's page in a context of its own; at its end nothing may have gone wrong in it."""
    context = await made.new_context(
        **(
            {
                "viewport": {"width": size[0], "height": size[1]},
                "locale": locale,
                "timezone_id": "Europe/Paris",
                "reduced_motion": "reduce",
            }
            | more
        )
    )
    try:
        await context.add_init_script(browser.WATCH_POLICY)
        context.set_default_timeout(30_000)
        page = browser.Watched(await context.new_page(), on.origin, browser.shots(folder))
        await page.page.goto(on.address)
        await page.one("preset-hello").wait_for()
        yield page
        await page.check()
    finally:
        await context.close()
