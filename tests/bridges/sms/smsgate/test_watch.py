"""Heartbeat, sweep, checklist and set-up."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from bot.contract import bridge
from bot.contract.conformance import fakes
from bridges.sms.smsgate import checklist, settings, wire
from tests.bridges.sms.smsgate import phone, stage

GOOD, WARNING, FAULT = bridge.Verdict.GOOD, bridge.Verdict.WARNING, bridge.Verdict.FAULT


def by_about(found: list[bridge.Finding]) -> dict[str, bridge.Finding]:
    return {one.about: one for one in found}


async def test_silence_is_an_alarm_and_then_somebodys_work() -> None:
    async with stage.over() as on:
        assert (await on.bridge.health()).condition is bridge.Condition.UP
        await on.post(phone.event("system:ping", "p1", health={}))
        heard = on.clock.now()
        await on.clock.advance(1_801)
        await on.again()
        health = await on.bridge.health()
        assert (health.condition, health.last_event_at) == (bridge.Condition.DOWN, heard)
        await on.clock.advance(5_500)
        assert (await on.bridge.health()).condition is bridge.Condition.NEEDS_HUMAN
        with pytest.raises(bridge.BridgeDownError) as down:
            async with asyncio.timeout(5):
                await on.bridge.listen(on.door)
        assert down.value.needs_human
        await on.post(phone.event("system:ping", "p2", health={}))
        assert (await on.bridge.health()).condition is bridge.Condition.UP


async def test_listen_ends_while_it_runs_when_the_phone_falls_silent() -> None:
    async with stage.over() as on:
        listening = asyncio.create_task(on.bridge.listen(on.door))
        await on.clock.advance(7_100)
        assert not listening.done()
        await on.clock.advance(300)
        assert listening.done()
        assert isinstance(listening.exception(), bridge.BridgeDownError)


async def test_an_api_that_says_it_is_ill_is_down() -> None:
    async with stage.over() as on:
        on.phone.healthy = False
        assert (await on.bridge.health()).condition is bridge.Condition.DOWN


def item(number: int, **more: object) -> dict[str, object]:
    at = fakes.NOON - dt.timedelta(minutes=number)
    return {
        "id": f"text:{number}",
        "type": "SMS",
        "sender": phone.HIS,
        "simNumber": 1,
        "contentPreview": f"salut {number}",
        "createdAt": at.isoformat(),
        **more,
    }


@pytest.mark.case("C09")
async def test_the_phones_inbox_is_swept_page_by_page() -> None:
    async with stage.over() as on:
        on.phone.inbox = [item(number) for number in range(1_203)]
        on.phone.inbox += [item(1, simNumber=2), item(2, type="MMS"), item(3, sender=None)]
        on.phone.inbox += [{"type": "SMS"}]
        since = on.clock.now() - dt.timedelta(days=2)
        assert await on.bridge.sweep(on.door, since) == 1_204
        assert len(on.door.stored) == 1_204
        assert await on.bridge.sweep(on.door, since) == 1_204
        assert len(on.door.stored) == 1_204
        (refresh,) = on.phone.refreshes
        assert (refresh["triggerWebhooks"], refresh["since"]) == (False, "2026-01-03T12:00:00Z")


@pytest.mark.case("C09")
async def test_a_server_that_lists_nothing_is_asked_to_send_the_events_again() -> None:
    async with stage.over("server") as on:
        on.phone.lists_inbox = False
        since = on.clock.now() - dt.timedelta(hours=1)
        for _ in range(2):
            assert await on.bridge.sweep(on.door, since) == 0
        assert [one["triggerWebhooks"] for one in on.phone.refreshes] == [True]
        await on.clock.advance(1_000)
        await on.bridge.sweep(on.door, since)
        assert len(on.phone.refreshes) == 2


async def test_a_sweep_without_the_phone_says_so() -> None:
    async with stage.over(url="http://127.0.0.1:9") as on:
        with pytest.raises(bridge.BridgeDownError):
            await on.bridge.sweep(on.door, on.clock.now())


@pytest.mark.parametrize("api", ["phone", "server"])
async def test_set_up_shows_then_writes_then_has_nothing_to_do(api: str) -> None:
    async with stage.over(api) as on:
        shown = await on.bridge.set_up(apply=False)
        assert [one.verdict for one in shown].count(WARNING) == len(wire.EVENTS) + 1
        assert (on.phone.hooks, on.phone.settings) == ([], {})
        done = await on.bridge.set_up(apply=True)
        assert {one.verdict for one in done} == {GOOD}
        assert {hook["event"] for hook in on.phone.hooks} == set(wire.EVENTS)
        assert {hook["url"] for hook in on.phone.hooks} == {f"{stage.PUBLIC}/sms/sms/events"}
        assert on.phone.settings["ping"] == {"interval_seconds": checklist.PING_S}
        assert ("webhooks" in on.phone.settings) == (api == "phone")
        await on.bridge.set_up(apply=True)
        assert len(on.phone.hooks) == len(wire.EVENTS)
        assert by_about(list(await on.bridge.check()))["webhooks"].verdict is GOOD


async def test_a_webhook_that_goes_elsewhere_is_a_fault_and_is_put_right() -> None:
    async with stage.over() as on:
        await on.bridge.set_up(apply=True)
        on.phone.hooks[0]["url"] = "https://old.example.org/sms/sms/events"
        on.phone.hooks.append({"id": "x", "event": "sms:sent", "url": "https://spy.example.org/"})
        found = by_about(list(await on.bridge.check()))
        assert found[f"webhook {wire.EVENTS[0]}"].verdict is FAULT
        assert found["webhook sms:sent"].verdict is WARNING
        await on.bridge.set_up(apply=True)
        assert f"webhook {wire.EVENTS[0]}" not in by_about(list(await on.bridge.check()))


@pytest.mark.parametrize(
    ("how", "about"),
    [
        ({"public_url": ""}, "public_url"),
        ({"public_url": "http://sms.example.org"}, "public_url"),
        ({"url": "http://127.0.0.1:9"}, "api"),
        ({"device_id": "of-another-phone"}, "device_id"),
    ],
)
async def test_check_names_what_keeps_the_channel_from_working(
    how: dict[str, str], about: str
) -> None:
    async with stage.over(**how) as on:
        assert by_about(list(await on.bridge.check()))[about].verdict is FAULT
        assert await on.bridge.set_up(apply=False)


async def test_each_point_of_the_checklist_has_a_test_message_or_a_word() -> None:
    async with stage.over(confirmed=["voicemail", "plan-limits", "android-limit"]) as on:
        before = by_about(list(await on.bridge.check()))
        code = wire.code(phone.KEY)
        for point in ("rcs", "imessage", "battery"):
            assert before[f"checklist {point}"].verdict is WARNING
            assert f"{code} {point}" in before[f"checklist {point}"].mend
            told = phone.received(f" {code.upper()} {point} ", at=on.clock.now())
            await on.clock.advance(10)
            assert (await on.post(told)).status == 200
        assert on.door.knocks == 0
        after = by_about(list(await on.bridge.check()))
        points = {about: one.verdict for about, one in after.items() if "checklist" in about}
        assert points == {f"checklist {point}": GOOD for point in settings.Point}
        slow = phone.received(f"{code} battery", at=on.clock.now())
        await on.clock.advance(200)
        await on.post(slow)
        assert by_about(list(await on.bridge.check()))["checklist battery"].verdict is WARNING


async def test_a_number_without_its_sim_is_told() -> None:
    async with stage.over(addresses=[phone.OURS]) as on:
        assert by_about(list(await on.bridge.check()))["addresses"].verdict is WARNING


async def test_words_without_our_code_are_a_message_like_any() -> None:
    async with stage.over() as on:
        await on.post(phone.received("abc123 rcs"))
        assert [one.text for one in on.door.accepted] == ["abc123 rcs"]


@pytest.mark.parametrize(
    ("number", "plan", "waits"),
    [
        (phone.OURS, "person", False),
        (phone.OURS, "company", True),
        ("+447700900001", "company", False),
    ],
)
async def test_release_is_asked_for_a_french_mobile_on_no_persons_plan(
    number: str, plan: str, *, waits: bool
) -> None:
    async with stage.over(addresses=[number], plan=plan) as on:
        assert (on.bridge.release_reason() is not None) is waits
