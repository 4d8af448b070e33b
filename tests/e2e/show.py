"""A window on the demo of any size, theme and language."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright import async_api

from tests.e2e import browser


@contextlib.asynccontextmanager
async def window(
    made: async_api.Browser,
    on: browser.Demo,
    folder: Path,
    *,
    size: tuple[int, int] = browser.WIDTHS["desk"],
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
