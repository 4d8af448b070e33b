"""The page as people meet it: two themes, three widths, by keyboard, without script, in a hurry."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright import async_api

from bot.web.public import words
from tests.bot.web.public import chromium as seen
from tests.bot.web.public import places
from tests.e2e import browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]
expect = async_api.expect
LIMIT = 100_000


@pytest.mark.parametrize("theme", browser.THEMES)
@pytest.mark.case("C33")
async def test_it_is_whole_light_and_accessible_at_every_width(
    theme: str, tmp_path: Path, chromium: str
) -> None:
    async with seen.served() as on, browser.launched(chromium) as made:
        for name, size in {"small": (320, 640), **browser.WIDTHS}.items():
            async with seen.window(
                made, on, tmp_path, size=size, color_scheme=theme, reduced_motion="reduce"
            ) as it:
                await it.open("/fr/")
                assert await browser.overflow(it.page) == 0
                assert await it.weight() < LIMIT
                # The style stands in the page; browsers ask for the icon when they like.
                asked = {one.url.removeprefix(on.origin) for one in it.answers}
                assert {"/fr/", "/page.js"} <= asked <= {"/fr/", "/page.js", "/icon.svg"}
                await it.shoot(f"{name}-{theme}")
                for summary in await it.page.locator("summary").all():
                    await summary.click()
                # The smallest has the layout of the phone.
                if name != "small":
                    assert await browser.objections(it.page) == []
                assert await browser.overflow(it.page) == 0
                body = await it.page.locator("body").inner_text()
                assert "39 98" not in body


async def test_every_language_fits_a_small_phone(tmp_path: Path, chromium: str) -> None:
    async with seen.served() as on, browser.launched(chromium) as made:
        async with seen.window(made, on, tmp_path, size=(320, 640)) as it:
            for language in words.LANGUAGES:
                await it.open(f"/{language}/")
                assert await it.page.locator("html").get_attribute("lang") == language
                assert await browser.overflow(it.page) == 0, language
                await it.open(f"/a/{language}-3.html")
                assert await browser.overflow(it.page) == 0, language
            assert await browser.objections(it.page) == []
            await it.open(f"/{words.LANGUAGES[0]}/poster.html")
            assert await browser.objections(it.page) == []
            # A sheet that was printed has one page.
            pdf = await it.page.pdf(prefer_css_page_size=True)
            assert pdf.count(b"/Type /Page\n") == 1
        async with seen.window(made, on, tmp_path, locale="it-IT") as it:
            await it.open("/")
            await expect(it.page.locator("html")).to_have_attribute("lang", "it")


async def test_without_script_everything_is_there(tmp_path: Path, chromium: str) -> None:
    async with (
        seen.served() as on,
        browser.launched(chromium) as made,
        seen.window(made, on, tmp_path, java_script_enabled=False, reduced_motion="reduce") as it,
    ):
        await it.open("/en/")
        await expect(it.page.get_by_role("img", name="+33, 6, 39, 98, 00, 00")).to_be_visible()
        await expect(it.page.locator("[data-copy]").first).to_be_hidden()
        await it.page.get_by_text("See what the other person receives").click()
        await expect(it.page.locator(".theirs")).to_be_visible()
        await it.page.get_by_role("link", name="As plain text").first.click()
        await expect(it.page.get_by_test_id("plain")).to_have_text("+33 6 39 98 00 00")
        link = it.page.get_by_role("link", name="Open a message")
        await expect(link).to_have_attribute("href", f"sms:{places.NUMBER}")
        await it.page.get_by_role("link", name="Back").click()
        await it.page.get_by_role("link", name="Deutsch").click()
        await expect(it.page.locator("html")).to_have_attribute("lang", "de")
        exit_link = it.page.get_by_role("link", name="Seite verlassen")
        await expect(exit_link).to_have_attribute("href", "https://de.wikipedia.org/")
        assert len({answer.url for answer in it.answers}) >= 3, "three pages, and the icon by then"


async def focus_order(it: seen.Window) -> list[str]:
    """What Tab goes through, once around; each must show that it has the focus."""
    order: list[str] = []
    for _ in range(80):
        await it.page.keyboard.press("Tab")
        told: dict[str, str] = await it.page.evaluate(
            """() => { const on = document.activeElement, style = getComputedStyle(on);
               return {name: on === document.body ? "" : on.textContent.trim(),
                       ring: style.outlineStyle} }"""
        )
        if not told["name"]:
            break
        assert told["ring"] != "none", told
        order.append(told["name"])
    return order


async def test_by_keyboard_alone(tmp_path: Path, chromium: str) -> None:
    async with (
        seen.served() as on,
        browser.launched(chromium) as made,
        seen.window(made, on, tmp_path, permissions=["clipboard-read", "clipboard-write"]) as it,
    ):
        await it.open("/en/")
        order = await focus_order(it)
        assert order[0] == "Skip to the number"
        assert order.index("Leave this page") < order.index("Copy") < order.index("Write")
        assert "Other countries" in order
        await it.open("/en/")
        await it.page.keyboard.press("Tab")
        await it.page.keyboard.press("Enter")
        await it.page.keyboard.press("Tab")
        await expect(it.page.locator("[data-copy]").first).to_be_focused()
        await it.page.keyboard.press("Enter")
        await expect(it.page.get_by_role("status")).to_have_text("Copied")
        assert await it.page.evaluate("navigator.clipboard.readText()") == places.NUMBER
        summary = it.page.locator(".demo summary")
        await summary.focus()
        await it.page.keyboard.press("Enter")
        await expect(it.page.get_by_test_id("demo")).to_have_attribute("open", "")


async def check_leaving(it: seen.Window, how: str) -> None:
    """Open it, look at another language, leave: only where he came from is left to go back to."""

    async def answer(route: async_api.Route) -> None:
        await route.fulfill(body="<title>Wikipedia</title>", content_type="text/html")

    await it.page.route("https://*.wikipedia.org/", answer)
    await it.open("/robots.txt")
    await it.open("/en/")
    await it.page.get_by_role("link", name="Français").click()
    await expect(it.page.locator("html")).to_have_attribute("lang", "fr")
    if how == "click":
        await it.page.get_by_role("link", name="Quitter la page").click()
    else:
        await it.page.keyboard.press("Escape")
        await it.page.keyboard.press("Escape")
    await it.page.wait_for_url(seen.ELSEWHERE)
    await it.page.go_back()
    assert it.page.url.endswith("/robots.txt")
    assert {fault for fault in it.faults if "wikipedia" not in fault} == set()
    it.faults.clear()


async def test_leaving_leaves_nothing_to_go_back_to(tmp_path: Path, chromium: str) -> None:
    async with seen.served() as on, browser.launched(chromium) as made:
        for how in ("click", "escape"):
            async with seen.window(made, on, tmp_path) as it:
                await check_leaving(it, how)


async def test_the_scene_plays_in_ten_seconds_and_a_pause_is_seen(
    tmp_path: Path, chromium: str
) -> None:
    ends = "document.getAnimations().map(a => a.effect.getComputedTiming().endTime)"
    async with seen.served() as on, browser.launched(chromium) as made:
        async with seen.window(made, on, tmp_path, reduced_motion="no-preference") as it:
            await it.open("/fr/")
            assert await it.page.evaluate(ends) == []
            await it.page.locator(".demo summary").click()
            assert max(await it.page.evaluate(ends)) == pytest.approx(10_000)
            assert (
                await it.page.evaluate("getComputedStyle(document.querySelector('.s4')).opacity")
                == "0"
            )
        async with seen.window(made, on, tmp_path, reduced_motion="reduce") as it:
            await it.open("/fr/")
            await it.page.locator(".demo summary").click()
            assert await it.page.evaluate(ends) == []
            await expect(it.page.locator(".s4")).to_be_visible()
            await it.page.locator(".phone").scroll_into_view_if_needed()
            await it.shoot("scene")
        async with seen.window(made, on, tmp_path) as it:
            await it.open("/en/")
            await expect(it.page.get_by_test_id("going")).to_contain_text("Open")
            on.told.pause()
            await it.page.reload()
            await expect(it.page.get_by_test_id("going")).to_contain_text("Paused")
            assert await browser.objections(it.page) == []
