"""When the public page is first painted, in a Chromium on this machine.

python -m bench.paint
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import statistics
import tempfile
from collections.abc import Iterator
from typing import Any, Final

from bench import measure, page

ROUNDS: Final = 9
LIMIT_MS: Final = 300.0
_CHROMIUM: Final = os.environ.get("ANTIRELOU_CHROMIUM") or "/usr/bin/chromium"
_FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_FIRST: Final = """() => new Promise(done => new PerformanceObserver(list =>
  done(list.getEntriesByName("first-contentful-paint")[0]?.startTime)).observe(
    {type: "paint", buffered: true}))"""


async def _paints(port: int, path: str, rounds: int) -> list[float]:
    """Milliseconds from the navigation on, each in a context that knows nothing yet."""
    from playwright import async_api  # noqa: PLC0415 (not everybody has it)

    found = []
    async with async_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=[*_FLAGS])
        for _ in range(rounds):
            context = await browser.new_context()
            tab = await context.new_page()
            await tab.goto(f"http://127.0.0.1:{port}{path}")
            found.append(float(await tab.evaluate(_FIRST)))
            await context.close()
        await browser.close()
    return found


def measured(rounds: int = ROUNDS) -> dict[str, float]:
    """The page, and in the same browser a file that is a few words."""
    with (
        tempfile.TemporaryDirectory(prefix="antirelou-bench-") as name,
        page.program(pathlib.Path(name)) as (port, _),
    ):
        ours = asyncio.run(_paints(port, "/fr/", rounds))
        plain = asyncio.run(_paints(port, "/robots.txt", rounds))
    return {
        "first_paint_ms": round(statistics.median(ours), 1),
        "first_paint_longest_ms": round(max(ours), 1),
        "reference_ms": round(statistics.median(plain), 1),
        "limit_ms": LIMIT_MS,
    }


def bench(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Only where there is a Chromium."""
    if not os.access(_CHROMIUM, os.X_OK):
        return
    told("Chromium")
    found: dict[str, Any] = measured(3 if quick else ROUNDS)
    yield measure.Result(
        name="public page, first paint",
        figure=f"{found['first_paint_ms']:.0f} ms",
        ratio=found["first_paint_ms"] / found["reference_ms"],
        reference="a few words of plain text",
        detail=found,
    )


if __name__ == "__main__":
    print(json.dumps(measured(), indent=2))
