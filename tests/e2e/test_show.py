"""The showpiece in Chromium: the scenes, the forum with both bills, the room's decisions.

Two themes, three widths, two languages, by keyboard alone, and what axe says of it.
"""

import itertools
import re
from pathlib import Path

import pytest
from playwright import async_api

from bridges.simulator import forum
from tests.e2e import browser, program, show

expect = async_api.expect
pytestmark = [pytest.mark.browser, pytest.mark.slow]

REPLY = {"fr": "Un non se respecte.", "en": "Not you?"}


def euros(text: str) -> float:
    """What stands there as a sum."""
    return float(re.sub(r"[^\d,.]", "", text).replace(",", "."))


async def played(page: browser.Watched, scene: str) -> None:
    """Play a scene by its button and skip to its end."""
    await page.one(f"play-{scene}").click()
    await expect(page.one("caption")).to_be_visible()
    await page.one("skip").click()
    await expect(page.one("skip")).to_be_hidden()


async def ended(page: browser.Watched, demo: browser.Demo) -> None:
    """Until the evening is over, and somewhat faster: the button of it is there again."""
    await demo.hurry(2_400)
    await expect(page.one("halt")).to_be_hidden(timeout=90_000)
    await demo.hurry(1)
    await expect(page.one("raid")).to_be_enabled()


async def evening(demo: browser.Demo, speed: float) -> None:
    """When the ordinary day before is over: the evening at this speed instead of the page's."""

    async def has_begun() -> bool:
        return bool((await demo.get("/phone/sms/api/speed"))["speed"] == forum.SPEED)

    await program.until("the evening", has_begun, 60)
    await demo.hurry(speed)


async def is_said(demo: browser.Demo) -> bool:
    """Whether nobody of the crowd writes any more."""
    return not (await demo.get("/phone/sms/api/forum"))["writing"]


@pytest.mark.case("C16")
async def test_the_scene_is_real_in_every_look(tmp_path: Path, chromium: str) -> None:
    async with browser.demo(tmp_path) as demo, browser.launched(chromium) as made:
        looks = list(itertools.product(browser.WIDTHS.items(), browser.THEMES))
        for place, ((name, size), theme) in enumerate(looks):
            locale, scene = (("fr-FR", "his"), ("en-GB", "hers"))[place // 2 % 2]
            async with show.window(
                made, demo, tmp_path, size=size, locale=locale, color_scheme=theme
            ) as page:
                lang = locale[:2]
                assert await page.page.locator("html").get_attribute("lang") == lang
                if place in {0, 3}:
                    await played(page, scene)
                    # Three messages and a call went in; one reply came, in the text's language.
                    await expect(page.one("bubble-out")).to_have_count(4)
                    await expect(page.one("bubble-in")).to_have_count(1)
                    await expect(page.one("bubble-in")).to_contain_text(REPLY[lang])
                await page.shoot(f"show-{name}-{theme}-{lang}")
                assert await browser.objections(page.page) == []
                assert await browser.overflow(page.page) <= 0
        replies = await demo.replies("sms")
        assert len({reply["to"] for reply in replies}) == len(replies) == 2


@pytest.mark.case("C17", "C06")
async def test_the_forum_races_two_bills_and_people_are_answered(
    tmp_path: Path, chromium: str
) -> None:
    async with (
        browser.demo(tmp_path) as demo,
        browser.launched(chromium) as made,
        show.window(made, demo, tmp_path, color_scheme="dark") as page,
    ):
        await page.one("raid").click()
        await expect(page.one("raid")).to_be_hidden()
        await expect(page.one("play-his")).to_be_disabled()
        await evening(demo, 2 * forum.SPEED)
        await program.until("the last message", lambda: is_said(demo), 60)
        await ended(page, demo)
        cap = euros((await page.text("op-cap")).partition("sur")[2])
        naive, ours = euros(await page.text("race-naive")), euros(await page.text("race-ours"))
        # Two days at the most: each has its cap.
        assert ours <= 2 * cap < naive
        used = euros((await page.text("op-cap")).partition("sur")[0])
        assert used <= cap
        told = await demo.get("/phone/sms/api/forum")
        people, raiders = told["roles"]["person"], told["roles"]["raider"]
        assert people["answered"] > 0.8 * people["wrote"] > 0
        assert raiders["answered"] < 0.5 * raiders["wrote"]
        # The account of the phones and the ledger's are one.
        assert abs(ours - float(told["spent"])) < 0.005
        await expect(page.one("phase")).to_contain_text(f"de {raiders['wrote']} numéros")
        await page.shoot("show-raid")
        assert await browser.objections(page.page) == []

        # What is held goes with one gesture, and a mode is set and left.
        await page.one("op-cluster-drop").first.click()
        await expect(page.one("op-said")).to_contain_text("abandonnée(s).")
        await page.one("op-mode-review").click()
        await expect(page.one("op-mode-review")).to_have_attribute("aria-pressed", "true")
        await page.one("op-mode-normal").click()
        await expect(page.one("op-mode-normal")).to_have_attribute("aria-pressed", "true")


@pytest.mark.case("C41")
async def test_the_misled_are_held_and_not_accused(tmp_path: Path, chromium: str) -> None:
    async with (
        browser.demo(tmp_path) as demo,
        browser.launched(chromium) as made,
        show.window(made, demo, tmp_path, size=browser.WIDTHS["phone"]) as page,
    ):
        await page.one("bait").click()
        await expect(page.one("halt")).to_be_visible()
        await evening(demo, 2 * forum.SPEED)
        await program.until("the last message", lambda: is_said(demo), 60)
        await ended(page, demo)
        misled = (await demo.get("/phone/sms/api/forum"))["roles"]["misled"]
        assert misled["answered"] < 0.1 * misled["wrote"]
        await expect(page.one("tally-crowd")).to_contain_text(f"sur {misled['wrote']}")
        await page.shoot("show-bait")
        assert await browser.objections(page.page) == []


async def test_all_of_it_by_keyboard_alone(tmp_path: Path, chromium: str) -> None:
    async with (
        browser.demo(tmp_path) as demo,
        browser.launched(chromium) as made,
        show.window(made, demo, tmp_path, size=browser.WIDTHS["phone"], locale="en-GB") as page,
    ):
        press = page.page.keyboard.press
        await page.tab_to("play-hers")
        await press("Enter")
        await expect(page.one("skip")).to_be_focused()
        await press("Enter")
        await expect(page.one("play-hers")).to_be_visible()
        await expect(page.one("leave")).to_be_focused()
        await press("Escape")
        await expect(page.one("caption")).to_be_hidden()
        await expect(page.one("play-hers")).to_be_focused()
        # Replayed and left in the middle, the clock is the usual one again.
        await press("Enter")
        await expect(page.one("skip")).to_be_focused()
        await press("Escape")
        await program.until("the usual clock", lambda: usual(demo))
        await page.tab_to("viral")
        await press("Enter")
        await expect(page.one("halt")).to_be_focused()
        await press("Enter")
        await expect(page.one("viral")).to_be_focused()
        await page.tab_to("op-mode-tight")
        await press("Enter")
        await expect(page.one("op-mode-tight")).to_have_attribute("aria-pressed", "true")
        await expect(page.one("op-mode-tight")).to_be_focused()
        await page.tab_to("country")
        await press("F")
        await expect(page.one("law")).to_contain_text("decision 2022-1583 of 1 September")
        await expect(page.one("costs")).to_contain_text("4,000\u00a0EUR")
        await page.tab_to("lang", "Shift+Tab")
        await press("Enter")
        await expect(page.one("law")).to_contain_text("décision 2022-1583")
        await expect(page.one("play-his")).to_have_text("Jouer la scène")


async def usual(demo: browser.Demo) -> bool:
    """Whether nothing hurries the clock."""
    return bool((await demo.get("/phone/sms/api/speed"))["speed"] == 1)
