"""Makes the pictures of docs/moderators*.md anew: a real room, seen in a real client.

    .venv/bin/python -m tests.bridges.matrix.pictures

A real Synapse, the real program on made-up people, moderators in clients of their own, and
Hydrogen (npm, pinned in tools/pictures/) in Chromium, which shows the room as the second
moderator sees it. Needs node, npm and Chromium; no part of the check.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import functools
import http.server
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from playwright.async_api import FloatRect, Page, async_playwright

from bridges.matrix import calls, session
from tests import conftest
from tests.bridges.matrix import halls, people
from tests.peers import synapse

ROOT = conftest.ROOT
SOURCE = ROOT / "tools" / "pictures"
CLIENT = ROOT / ".cache" / "pictures"
SHOWN = ROOT / "docs" / "pictures"
WIDE, HIGH = 440, 2600
_PAGE = """<!doctype html><meta charset=utf-8>
<link rel=stylesheet href=/assets/theme-element-light.css>
<link rel=stylesheet href=/node_modules/@fontsource/noto-color-emoji/emoji.css>
<style>.hydrogen,.hydrogen *{font-family:Inter,"Noto Color Emoji",sans-serif!important}
body{margin:0} #app{height:100vh;display:flex} #app>*{flex:1}
.DateHeader,.Timeline_jumpToBottom{display:none!important}
.Timeline_messageSender,.Timeline_messageBody{line-height:1.35}</style>
<div id=app class=hydrogen></div><script type=module src=/client.out.js></script>"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """What the moderators type in a language, and what of the answers is looked for."""

    code: str
    status: str
    review: str
    stats: str
    setting: str
    flood: str
    distress: str
    replies: str


ENGLISH = Tongue(
    code="en",
    status="!status",
    review="!review",
    stats="!stats 1d",
    setting="!text set en Hello. A no is a no. Not you? Please ignore this. STOP",
    flood="Unusual traffic",
    distress="words of distress",
    replies="The reply in en is the new",
)
FRENCH = Tongue(
    code="fr",
    status="!etat",
    review="!revue",
    stats="!stats 1j",
    setting="!texte mettre fr Bonjour. Un non est un non. Pas vous ? Ignorez ceci. STOP",
    flood="Trafic inhabituel",
    distress="des mots de détresse",
    replies="La réponse en fr est la nouvelle",
)


def build() -> None:
    """The client, as it is pinned, in one file."""
    CLIENT.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "client.js"):
        shutil.copy(SOURCE / name, CLIENT / name)
    for words in (
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"],
        [
            *("node_modules/.bin/esbuild", "client.js", "--bundle", "--format=esm"),
            *("--alias:@matrix-org/olm/olm.js=./nothing.js", "--outfile=client.out.js"),
            "--log-level=error",
        ],
    ):
        (CLIENT / "nothing.js").write_text("")
        subprocess.run(words, cwd=CLIENT, check=True)
    kit = CLIENT / "node_modules" / "hydrogen-view-sdk"
    shutil.copytree(kit / "asset-build" / "assets", CLIENT / "assets", dirs_exist_ok=True)
    shutil.copy(kit / "lib-build" / "sw.js", CLIENT / "sw.js")
    for name in ("olm.js", "olm.wasm", "olm_legacy.js"):
        shutil.copy(CLIENT / "node_modules" / "@matrix-org" / "olm" / name, CLIENT / name)
    (CLIENT / "index.html").write_text(_PAGE)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (theirs)
        """Nothing."""


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The client on loopback."""
    make = functools.partial(_Quiet, directory=str(CLIENT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


async def scenes(house: halls.House, tongue: Tongue) -> dict[str, list[str]]:
    """Play it; the name of each picture -> the event ids that it shows."""
    hall = house.halls[0]
    ada, bea = hall.first, hall.second
    found: dict[str, list[str]] = {}

    async def asked(who: people.Person, text: str) -> tuple[str, people.Seen]:
        event_id = await hall.command(who, text)
        return event_id, await hall.found(lambda one: halls.answers(one) == event_id)

    alert = await hall.found(lambda one: tongue.flood in halls.body(one))
    lane = await hall.found(lambda one: tongue.distress in halls.body(one))
    wish, menu = await asked(ada, tongue.review)
    number, cluster = re.findall(r"^(\S+) (t-[a-z0-9]+):", halls.body(menu), re.MULTILINE)[0]
    await ada.react(hall.room_id, menu.event_id, number)
    opened = await hall.found(lambda one: halls.body(one).startswith(cluster))
    await ada.react(hall.room_id, opened.event_id, "❌")
    found["flood"] = [alert.event_id]
    found["review"] = [wish, menu.event_id, opened.event_id]
    await bea.react(hall.room_id, lane.event_id, "1️⃣")
    found["lane"] = [lane.event_id]
    wish, question = await asked(ada, tongue.setting)
    await bea.sync()
    await bea.react(hall.room_id, question.event_id, "✅")
    done = await hall.found(lambda one: tongue.replies in halls.body(one))
    found["text"] = [wish, question.event_id, done.event_id]
    wish, status = await asked(ada, tongue.status)
    found["status"] = [wish, status.event_id]
    wish, stats = await asked(bea, tongue.stats)
    found["stats"] = [wish, stats.event_id]
    # The last message of a timeline stands at its very edge.
    await bea.say(hall.room_id, "👍")
    return found


async def looked(page: Page, found: dict[str, list[str]], language: str) -> None:
    """One picture a scene, cut out of the timeline; again if it moved meanwhile."""
    await page.evaluate("document.fonts.ready")
    for name, event_ids in found.items():
        path = SHOWN / f"{name}.{language}.png"
        clip = None
        while clip != (clip := await place(page, event_ids)):
            await page.screenshot(path=path, clip=clip)
        print(path.relative_to(ROOT), path.stat().st_size)  # noqa: T201 (a tool)


async def place(page: Page, event_ids: list[str]) -> FloatRect:
    """Where these events stand, from the first to the last."""
    boxes = []
    for event_id in event_ids:
        tile = page.locator(f'li[data-event-id="{event_id}"]:not(.disabled)')
        box = await tile.bounding_box()
        assert box is not None
        boxes.append(box)
    top = min(box["y"] for box in boxes)
    low = max(box["y"] + box["height"] for box in boxes)
    return {"x": 0, "y": top, "width": WIDE, "height": low - top + 6}


async def make(tongue: Tongue) -> None:
    """All pictures of one language."""
    caps = {"cap_day": "60.00", "cap_month": "300.00", "language": tongue.code}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "server").mkdir()
        (place / "house").mkdir()
        with synapse.start(place / "server") as server, served() as url:
            async with halls.opened(place / "house", server, 1, **caps) as house:
                hall = house.halls[0]
                await named(hall, house.folder)
                since = dt.timedelta(minutes=100)
                await house.seed(since, dt.timedelta(minutes=1), flood=True)
                await house.start()
                found = await scenes(house, tongue)
                async with async_playwright() as playwright:
                    browser = await playwright.chromium.launch(
                        executable_path=conftest.find_chromium(), args=["--no-sandbox"]
                    )
                    page = await browser.new_page(
                        viewport={"width": WIDE, "height": HIGH},
                        locale=tongue.code,
                        timezone_id="Europe/Paris",
                    )
                    await page.goto(url)
                    await page.wait_for_function("window.show !== undefined")
                    told = [server.url, hall.second.user, people.PASSWORD, hall.room_id]
                    await page.evaluate("told => window.show(...told)", told)
                    last = found["stats"][-1]
                    shown = f'[data-event-id="{last}"] img'
                    await page.wait_for_selector(shown)
                    await page.wait_for_function(
                        "shown => document.querySelector(shown).naturalWidth > 100", arg=shown
                    )
                    await looked(page, found, tongue.code)
                    await browser.close()


async def named(hall: halls.Hall, place: Path) -> None:
    """Names as people have them; the bot's as set up by whoever runs it."""
    login = session.Folder(place / hall.name).login()
    assert login is not None
    bot = calls.Homeserver(hall.first.server.url, login.token)
    target = calls.path("profile", hall.user, "displayname")
    await bot.call("PUT", target, {"displayname": "antirelou"})
    await bot.close()
    await hall.first.client.set_displayname("Ada")
    await hall.second.client.set_displayname("Béa")


def main() -> None:
    """Build the client, play, look."""
    SHOWN.mkdir(exist_ok=True)
    build()
    for tongue in (ENGLISH, FRENCH):
        asyncio.run(make(tongue))


if __name__ == "__main__":
    main()
