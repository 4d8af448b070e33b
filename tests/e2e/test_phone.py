"""The demo as a person meets it: the real program, a real browser, the whole way and back."""

import functools
from pathlib import Path

import pytest
from playwright import async_api

from tests.e2e import browser, program

expect = async_api.expect
expect.set_options(timeout=30_000)

FRENCH = "+33639980101"
SECOND_NUMBER = "+33639980001"
DEMO = ("--set", f'channels.sms.addresses=["+33639980000", "{SECOND_NUMBER}"]')


async def write(page: browser.Watched, text: str) -> None:
    """Type it on the phone in front and send it."""
    await page.one("compose").fill(text)
    await page.one("send").click()
    await expect(page.one("bubble-out").last).to_contain_text(text)


async def new_phone(page: browser.Watched, network: str, number: str) -> None:
    """One more phone, in front."""
    await page.one("phone-add").click()
    await page.one("phone-network").select_option(network)
    await page.one("phone-number").fill(number)
    await page.one("phone-number").press("Tab")


async def choose(page: browser.Watched, phone: int) -> None:
    """Bring a phone to the front."""
    await page.one(f"phone-tab-{phone}").click()


async def shown(page: browser.Watched, testid: str, text: str) -> bool:
    """Whether this text stands there now."""
    return text in await page.text(testid)


async def lapsed(page: browser.Watched, demo: browser.Demo) -> None:
    """The switch hurries the clock, an hour in ten seconds; what is left of it is hurried more."""
    await expect(page.one("lapse")).to_have_attribute("aria-checked", "true")
    assert (await demo.get("/phone/sms/api/speed"))["speed"] == 360
    await demo.hurry(2_400)


async def everybody_writes(page: browser.Watched) -> None:
    """Two people, one who takes it back, and machines."""
    await page.one("phone-number").fill(FRENCH)
    await page.one("phone-number").press("Tab")
    await page.one("to").select_option(SECOND_NUMBER)
    await write(page, "Hi, it's Max, we met last night")
    await write(page, "No answer?")
    await new_phone(page, "signal", "+33639980102")
    await write(page, "Hey you")
    await new_phone(page, "sms", "+33639980103")
    await write(page, "Hello again")
    await write(page, "STOP")
    await page.one("preset-code").click()
    await page.one("send").click()
    await expect(page.one("bubble-out")).to_have_count(1)
    await page.one("preset-shortcode").click()
    await page.one("send").click()
    await expect(page.one("bubble-out")).to_have_count(2)
    await write(page, "Hi, it's Max")


async def expect_reasons(page: browser.Watched) -> None:
    """Each decision says why in plain words."""
    decisions = page.one("op-decisions")
    await expect(page.one("op-decision")).to_have_count(8)
    for words in (
        "First message from this person: they get one reply.",
        "A reply to this person is waiting already.",
        "They asked for no messages; nothing more goes out to them.",
        "A program wrote this (a code, an advertisement, an automatic reply).",
        "The sender is a short code, a machine; it is never answered.",
    ):
        await expect(decisions).to_contain_text(words)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.case("C13", "C15", "C16", "C43")
async def test_who_writes_is_answered_once_and_the_bill_is_right(
    tmp_path: Path, chromium: str
) -> None:
    async with (
        browser.demo(tmp_path, *DEMO) as demo,
        browser.opened(chromium, demo, tmp_path, locale="en-GB", width=1280, height=900) as page,
    ):
        # The token does not stay in the address bar.
        await expect(page.one("op-bill")).to_be_visible()
        assert "token" not in page.page.url
        await page.shoot("1-empty")

        await everybody_writes(page)
        await expect_reasons(page)
        # What a machine wrote, and who wrote at all, is shown to nobody.
        said = await page.text("op-decisions")
        assert "482913" not in said
        assert FRENCH not in said
        await page.shoot("2-waiting")

        # Within half an hour, whoever tests the number in front of her sees nothing at all.
        await demo.hurry(720)
        await demo.let_pass(30)
        await demo.hurry(1)
        assert await demo.replies("sms") == await demo.replies("signal") == []

        await expect(page.one("lapse")).to_have_attribute("aria-checked", "false")
        await page.one("lapse").click()
        await lapsed(page, demo)
        await choose(page, 1)
        await expect(page.one("bubble-in")).to_have_count(1)
        await expect(page.one("cost")).to_have_text("0.08\u00a0EUR, 1 part")
        await page.shoot("3-answered")
        await choose(page, 2)
        await expect(page.one("bubble-in")).to_have_count(1)
        await expect(page.one("cost")).to_have_text("free")

        # Much later: nobody else was answered, and nobody twice.
        await demo.hurry(3_600)
        await demo.let_pass(120)
        await choose(page, 1)
        await write(page, "Are you there?")
        await demo.let_pass(120)
        await demo.hurry(1)
        (sms,) = await demo.replies("sms")
        (signal,) = await demo.replies("signal")
        assert (sms["from"], sms["to"]) == (SECOND_NUMBER, FRENCH)
        assert float(signal["cost"]) == 0
        await expect(page.one("bubble-in")).to_have_count(1)
        await expect(page.one("op-decisions")).to_contain_text("They had their one reply already.")

        # Nine messages; in 2017 each was answered in two parts.
        await expect(page.one("op-bill")).to_have_text("0.08\u00a0EUR")
        await expect(page.one("op-naive")).to_have_text("1.44\u00a0EUR")
        await expect(page.one("op-people")).to_contain_text("4, 9, 2")
        await page.shoot("4-later")


@pytest.mark.browser
@pytest.mark.slow
async def test_nothing_leaves_while_paused(tmp_path: Path, chromium: str) -> None:
    async with (
        browser.demo(tmp_path) as demo,
        browser.opened(chromium, demo, tmp_path, locale="en-GB", width=1280, height=900) as page,
    ):
        await write(page, "Hi, it's Max")
        await page.one("op-pause").click()
        await expect(page.one("op-pause")).to_have_text("Resume")
        await expect(page.one("op-mode")).to_contain_text("paused")
        await page.shoot("5-paused")
        await demo.hurry(3_600)
        await demo.let_pass(180)
        assert await demo.replies("sms") == []
        await expect(page.one("bubble-in")).to_have_count(0)
        await page.one("op-pause").click()
        await expect(page.one("bubble-in")).to_have_count(1)
        await expect(page.one("op-bill")).to_have_text("0.08\u00a0EUR")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.case("C17")
async def test_what_is_held_together_goes_with_one_gesture(tmp_path: Path, chromium: str) -> None:
    async with (
        browser.demo(tmp_path, "--set", "reply.release_by_hand=true") as demo,
        browser.opened(chromium, demo, tmp_path, locale="en-GB", width=1280, height=900) as page,
    ):
        await write(page, "Hi, it's Max")
        await new_phone(page, "sms", FRENCH)
        await write(page, "Hello again")
        await expect(page.one("op-cluster")).to_have_count(1)
        await expect(page.one("op-cluster")).to_contain_text("2 held. Every reply waits")
        assert "Max" not in await page.text("op-clusters")
        await page.shoot("8-cluster")
        await page.one("op-cluster-approve").click()
        await expect(page.one("op-cluster")).to_have_count(0)
        await demo.hurry(3_600)
        await demo.let_pass(120)
        assert len(await demo.replies("sms")) == 2


@pytest.mark.browser
@pytest.mark.slow
async def test_by_keyboard_in_french_on_a_narrow_phone(tmp_path: Path, chromium: str) -> None:
    async with (
        browser.demo(tmp_path) as demo,
        browser.opened(chromium, demo, tmp_path, locale="fr-FR", width=375, height=740) as page,
    ):
        keyboard = page.page.keyboard
        await expect(page.one("lang")).to_have_text("English")
        await page.tab_to("preset-hello")
        await keyboard.press("Enter")
        await expect(page.one("compose")).to_be_focused()
        await keyboard.press("Enter")
        await expect(page.one("bubble-out")).to_have_count(1)
        await page.shoot("6-narrow")
        await page.tab_to("op-pause")
        await keyboard.press("Enter")
        await expect(page.one("op-pause")).to_have_text("Reprendre")
        await keyboard.press("Enter")
        await expect(page.one("op-pause")).to_have_text("Tout suspendre")
        await page.tab_to("lapse", "Shift+Tab")
        await keyboard.press("Enter")
        await lapsed(page, demo)
        await expect(page.one("bubble-in")).to_have_count(1)
        await expect(page.one("cost")).to_have_text("0,08\u00a0EUR, 1 partie")
        await program.until(
            "the bill in French", functools.partial(shown, page, "op-bill", "0,08 EUR")
        )
        await expect(page.one("op-decisions")).to_contain_text("Premier message de cette")
        wide = await page.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 375
        await page.shoot("7-narrow-answered")
        # And the other language, from where one is.
        await page.tab_to("lang", "Tab")
        await keyboard.press("Enter")
        await expect(page.one("op-pause")).to_have_text("Pause everything")
        assert await demo.replies("signal") == []
