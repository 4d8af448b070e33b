"""Makes docs/pictures/demo.webp: the scene and the forum, filmed in a browser on the real demo.

Run `python -m tools.picture_demo` after the page has changed; it takes two minutes, needs Chromium
and reaches nothing but this machine. Every frame is a screenshot of what happened; frames that show
nothing new are merged, the film runs a little faster than the demo did.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from PIL import Image
from playwright import async_api

from tests import conftest
from tests.e2e import browser, show

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURES: Final = ROOT / "docs" / "pictures"
SIZE: Final = (1080, 720)
SHOWN: Final = (900, 600)
EVERY_S: Final = 0.2
FASTER: Final = 1.6
LONGEST_MS: Final = 1_200
LAST_MS: Final = 5_000
BYTES_MAX: Final = 1_500_000
QUALITIES: Final = (80, 65, 50, 35, 20)

Frames = list[tuple[float, Image.Image]]


async def film(
    page: async_api.Page, frames: Frames, until: async_api.Locator, limit_s: float
) -> None:
    """A picture five times a second until `until` is hidden again, and one of the end."""
    ends, is_over = time.monotonic() + limit_s, False
    while time.monotonic() < ends:
        began = time.monotonic()
        shot = Image.open(io.BytesIO(await page.screenshot()))
        frames.append((began, shot.convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)))
        if is_over:
            return
        is_over = await until.is_hidden()
        await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))


async def filmed(chromium: str, folder: Path, lang: str) -> list[Frames]:
    """The scene, then the raid."""
    async with (
        browser.demo(folder) as demo,
        browser.launched(chromium) as made,
        show.window(
            made, demo, folder, size=SIZE, locale=lang, color_scheme="light",
            reduced_motion="no-preference",
        ) as watched,
    ):  # fmt: skip
        page, takes = watched.page, []
        for button, going in (("play-his", "skip"), ("raid", "halt")):
            frames: Frames = []
            await watched.one(button).click()
            await watched.one(going).wait_for()
            await film(page, frames, watched.one(going), 120)
            takes.append(frames)
            if button == "play-his":
                await watched.one("leave").click()
        return takes


def cut(takes: list[Frames]) -> tuple[list[Image.Image], list[int]]:
    """Pictures and how many milliseconds each stays; equal neighbours are one."""
    pictures: list[Image.Image] = []
    stays: list[int] = []
    for frames in takes:
        for (at, picture), (until, _) in zip(frames, [*frames[1:], frames[-1]], strict=True):
            stay = round(1000 * (until - at) / FASTER)
            if pictures and picture.tobytes() == pictures[-1].tobytes():
                stays[-1] = min(LONGEST_MS, stays[-1] + stay)
                continue
            pictures.append(picture)
            stays.append(max(40, stay))
        stays[-1] = LAST_MS
    return pictures, stays


def save(path: Path, pictures: list[Image.Image], stays: list[int]) -> int:
    """The best quality that is small enough; how many bytes that are."""
    for quality in QUALITIES:
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=stays, loop=0,
            quality=quality, method=4, minimize_size=False, kmax=60,
        )  # fmt: skip
        if path.stat().st_size <= BYTES_MAX:
            break
    return path.stat().st_size


def main() -> int:
    """Film it and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tools.picture_demo")
    parser.add_argument("--lang", choices=("en-GB", "fr-FR"), default="en-GB")
    told = parser.parse_args()
    chromium = conftest.find_chromium()
    if chromium is None:
        sys.stderr.write("no Chromium: apt install chromium, or set ANTIRELOU_CHROMIUM\n")
        return 1
    name = "demo.webp" if told.lang == "en-GB" else "demo.fr.webp"
    with tempfile.TemporaryDirectory() as folder:
        takes = asyncio.run(filmed(chromium, Path(folder), told.lang))
    pictures, stays = cut(takes)
    size = save(PICTURES / name, pictures, stays)
    sys.stdout.write(
        f"{name}: {len(pictures)} pictures, {sum(stays) / 1000:.0f} s, {size / 1e6:.2f} MB\n"
    )
    return 0 if size <= BYTES_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
