"""When the public page is first painted, in a Chromium on this machine.

python -m bench.paint
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import statistics
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from bench import measure, page

if TYPE_CHECKING:
    from playwright import async_api

ROUNDS: Final = 9
LIMIT_MS: Final = 300.0
_CHROMIUM: Final = os.environ.get("ANTIRELOU_CHROMIUM") or "/usr/bin/chromium"
_FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_FIRST: Final = """() => new Promise(done => new PerformanceObserver(list => {
  const [first] = list.getEntriesByName("first-contentful-paint");
  if (first) done(first.startTime);
}).observe({type: "paint", buffered: true}))"""
_EMPTY: Final = b"<!doctype html><html lang=en><meta charset=utf-8><title>-</title><p>A word."


async def _empty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A page of one word, for what Chromium itself takes to show anything."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        await reader.readuntil(b"\r\n\r\n")
        head = f"content-type: text/html\r\ncontent-length: {len(_EMPTY)}\r\nconnection: close"
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + _EMPTY)
        await writer.drain()
    writer.close()


async def _paint(browser: async_api.Browser, address: str) -> float:
    """Milliseconds from the navigation on, in a context that knows nothing yet."""
    context = await browser.new_context(locale="fr-FR")
    tab = await context.new_page()
    await tab.goto(address)
    first = float(await tab.evaluate(_FIRST))
    await context.close()
    return first


async def _paints(ours: str, rounds: int) -> tuple[list[float], list[float]]:
    """The page and the empty one, in turns in one browser."""
    from playwright import async_api as driving  # noqa: PLC0415 (not everybody has it)

    page_ms, empty_ms = [], []
    beside = await asyncio.start_server(_empty, "127.0.0.1", 0)
    empty = f"http://127.0.0.1:{beside.sockets[0].getsockname()[1]}/"
    async with beside, driving.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=[*_FLAGS])
        await _paint(browser, empty)
        for _ in range(rounds):
            page_ms.append(await _paint(browser, ours))
            empty_ms.append(await _paint(browser, empty))
        await browser.close()
    return page_ms, empty_ms


def measured(rounds: int = ROUNDS) -> dict[str, float]:
    """The page, and what is its own of that: more than an empty page in the same browser."""
    with (
        tempfile.TemporaryDirectory(prefix="antirelou-bench-") as name,
        page.program(pathlib.Path(name)) as (port, _),
    ):
        ours, empty = asyncio.run(_paints(f"http://127.0.0.1:{port}/fr/", rounds))
    return {
        "first_paint_ms": round(statistics.median(ours), 1),
        "first_paint_longest_ms": round(max(ours), 1),
        "reference_ms": round(statistics.median(empty), 1),
        "own_ms": round(statistics.median(o - e for o, e in zip(ours, empty, strict=True)), 1),
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
        reference="an empty page in the same browser",
        detail=found,
    )


if __name__ == "__main__":
    print(json.dumps(measured(), indent=2))
