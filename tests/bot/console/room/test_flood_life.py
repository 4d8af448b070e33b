"""The whole life of a flood, seen from the room and decided in it."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import AsyncIterator

import pytest

from bot.contract import clock, money, outcomes
from bot.policy import settings
from bot.store import events, tables
from tests.bot.console.room import floor as building
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import ANNA, BEA, CLEO, DORA
from tests.bot.flood.test_look import Crowd
from tests.fakes import world

BAIT = "bonjour le vélo est dispo ?"
UNCAPPED = dataclasses.replace(
    building.CORE, budget=settings.Budget(cap_day_micros=None, cap_month_micros=None)
)


@pytest.fixture
async def rich() -> AsyncIterator[Floor]:
    """No cap holds anything."""
    async with asyncio.timeout(120):
        made = await building.opened(UNCAPPED)
        yield made
        await made.store.close()


@pytest.mark.case("C17", "C21", "C41")
async def test_a_flood_from_its_alert_to_its_end(rich: Floor) -> None:
    floor, crowd = rich, Crowd(rich.rooms)
    await crowd.hours(8, people=24)
    await crowd.hours(1, people=24, others=60, text=BAIT)
    await floor.step()
    (alert,) = [one for one in floor.room.shown if "Unusual traffic" in one.plain]
    assert set(alert.mentions) == set(hosting.ROSTER)
    # It is one card, edited, while it goes on.
    await crowd.hours(1.5, people=24, others=60, text=BAIT)
    await floor.step()
    assert alert.edits >= 1
    assert len([one for one in floor.room.shown if "Unusual traffic" in one.plain]) == 1
    await crowd.hours(1, people=24)
    waiting = [r["state"] for r in await floor.rows(tables.replies)].count("held")
    assert waiting > 100

    await floor.says(CLEO, "!pause")
    sent = len(floor.phones.sent)
    review = (await floor.says(CLEO, "!review"))[-1]
    if review.reactions[0] == "1️⃣":
        (review, *_) = await floor.reacts(CLEO, review, "1️⃣")
    assert "people" in review.plain
    await floor.reacts(CLEO, review, "❌")
    rows = await floor.rows(tables.replies)
    assert len([r for r in rows if r["state"] == "cancelled"]) == waiting
    await floor.sends()
    assert len(floor.phones.sent) == sent

    # The words are changed, by two.
    prompt = await floor.ask(CLEO, "!text set fr Bonjour. Ceci est une erreur. STOP")
    assert "1 part(s)" in prompt.plain
    assert "0.08 EUR a reply" in prompt.plain
    await floor.reacts(BEA, prompt, "✅")
    await floor.says(CLEO, "!resume")
    await crowd.hours(2, people=24)
    assert floor.phones.sent[-1].text == "Bonjour. Ceci est une erreur. STOP"

    # It is over by itself, and said on the same card.
    await crowd.hours(3, people=24)
    await floor.step()
    assert "Over" in alert.plain


@pytest.mark.case("C21")
async def test_no_send_starts_two_seconds_after_a_pause() -> None:
    budget = dataclasses.replace(
        UNCAPPED.budget, quotas={"sms": settings.Quota(parts_per_second=9)}
    )
    floor = await building.opened(dataclasses.replace(UNCAPPED, budget=budget))
    for number in range(300):
        await floor.writes(number)
    await floor.passes(minutes=110)
    starts: list[float] = []
    floor.phones.before = lambda: starts.append(floor.clock.monotonic())

    async def second() -> None:
        for _ in range(4):
            await floor.rooms.dispatcher.step()
            await floor.passes(seconds=0.25)

    for _ in range(5):
        await second()
    # A slow wish is in work, notices wait, and the room is slow to take them.
    hosting.command(floor.room, DORA, "!stats 90d", floor.now)
    hosting.command(floor.room, DORA, "!status", floor.now)
    hosting.command(floor.room, CLEO, "!pause", floor.now)
    said_s = floor.clock.monotonic()
    await floor.host.deliver()
    await floor.desk.step()
    assert "paused" in await floor.store.read(events.controls)
    began = len(starts)
    for _ in range(30):
        await second()
    assert 20 < began < 100
    assert [one for one in starts if one > said_s + 2] == []
    assert len(starts) == began
    await floor.says(CLEO, "!resume")
    await second()
    assert len(starts) > began
    await floor.store.close()


async def test_a_caps_steps_are_told_once_and_the_last_wakes(floor: Floor) -> None:
    budget = dataclasses.replace(floor.core.budget, cap_day_micros=800_000)
    made = await building.opened(
        dataclasses.replace(
            floor.core,
            budget=budget,
            flood=settings.Flood(pacing=False),
            room=dataclasses.replace(floor.core.room, on_call={CLEO: (0, 0), BEA: (20, 21)}),
        )
    )
    for number in range(11):
        await made.writes(number)
    await made.passes(minutes=110)
    await made.sends()
    await made.step()
    told = [one for one in made.room.shown if "money is used" in one.plain]
    (last,) = told
    assert "All of the day's money" in last.plain
    assert last.mentions == (CLEO,)
    await made.passes(minutes=5)
    await made.step()
    assert len([one for one in made.room.shown if "money is used" in one.plain]) == 1
    await made.store.close()


async def test_half_a_cap_wakes_nobody(floor: Floor) -> None:
    core = dataclasses.replace(
        floor.core, budget=dataclasses.replace(floor.core.budget, cap_day_micros=300_000)
    )
    made = await building.opened(dataclasses.replace(core, flood=settings.Flood(pacing=False)))
    await made.writes(1)
    await made.writes(2)
    await made.passes(minutes=110)
    await made.sends()
    await made.step()
    (told,) = [one for one in made.room.shown if "money is used" in one.plain]
    assert told.plain.startswith("50 %")
    assert told.mentions == ()
    await made.store.close()


async def test_a_bridge_that_is_down_that_needs_somebody_and_is_back(floor: Floor) -> None:
    sms = floor.health["bridges"]["sms"]
    sms |= {"condition": "down", "detail": "no line"}
    await floor.passes(minutes=2)
    await floor.step()
    assert not [one for one in floor.room.shown if "down" in one.plain]
    for _ in range(4):
        await floor.passes(minutes=1)
        await floor.step()
    (card,) = [one for one in floor.room.shown if "sms is down" in one.plain]
    assert card.mentions == ()
    sms |= {"condition": "needs-human", "detail": "log in again"}
    await floor.passes(minutes=1)
    await floor.step()
    assert "log in again" in card.plain
    sms |= {"condition": "up", "detail": ""}
    await floor.passes(minutes=1)
    await floor.step()
    assert "works again" in card.plain
    assert card.edits == 2


async def test_what_a_provider_stopped_is_told_first_and_resumed_from_here(floor: Floor) -> None:
    floor.phones.outcome = lambda _: outcomes.Rejected(reason="suspended", stop_channel=True)
    await floor.writes(1)
    await floor.passes(minutes=110)
    await floor.sends()
    await floor.step()
    (told,) = [one for one in floor.room.shown if "refuses our account" in one.plain]
    assert told.mentions
    # Again within the hour is no news.
    at_ms = clock.to_ms(floor.now)
    again = functools.partial(
        events.append, at_ms=at_ms, kind="channel_stopped", data={"channel": "sms"}
    )
    await floor.store.write(again)
    await floor.step()
    assert len([one for one in floor.room.shown if "refuses our account" in one.plain]) == 1
    await floor.says(CLEO, "!resume sms")
    floor.phones.outcome = lambda _: None
    await floor.writes(2)
    await floor.passes(minutes=110)
    await floor.sends()
    assert floor.phones.sent[-1].recipient.value == world.phone(2)


async def test_unknown_sends_are_decided_in_the_room(floor: Floor) -> None:
    floor.phones.outcome = lambda _: outcomes.Unknown(reason="timeout")
    for number in (1, 2):
        await floor.writes(number)
    await floor.passes(minutes=110)
    await floor.sends()
    await floor.step()
    assert any("2 sends may or may not" in one.plain for one in floor.room.shown)
    first, second = await floor.says(CLEO, "!sends")
    await floor.reacts(CLEO, first, "✅")
    await floor.reacts(CLEO, second, "❌")
    assert sorted(r["state"] for r in await floor.rows(tables.replies)) == ["failed", "sent"]
    # Whatever was decided, nobody is written to again by itself.
    floor.phones.outcome = lambda _: None
    for number in (1, 2):
        await floor.writes(number, "encore moi")
    await floor.passes(minutes=110)
    await floor.sends()
    assert len(floor.phones.sent) == 2


async def test_one_digest_a_day_with_the_head_of_the_chain(floor: Floor) -> None:
    await floor.says(CLEO, "!pause")
    for _ in range(50):
        await floor.passes(hours=1)
        await floor.step()
    told = [one for one in floor.room.shown if one.plain.startswith("The last day")]
    assert len(told) == 2
    assert "head of their chain: 1, " in told[0].plain
    assert told[0].mentions == ()


async def test_a_notice_is_not_said_again_after_a_restart(floor: Floor) -> None:
    floor.phones.outcome = lambda _: outcomes.Rejected(reason="suspended", stop_channel=True)
    await floor.writes(1)
    await floor.passes(minutes=110)
    await floor.sends()
    await floor.step()
    before = len(floor.room.said)
    for _ in range(3):
        floor.restart()
        await floor.step()
    assert len(floor.room.said) == before


async def test_a_short_runway_is_told_once_a_day(floor: Floor) -> None:
    core = dataclasses.replace(
        floor.core,
        budget=dataclasses.replace(floor.core.budget, donations_only=True),
        flood=settings.Flood(pacing=False),
    )
    made = await building.opened(core)
    await made.says(ANNA, "!donate 0.32")
    for number in (1, 2):
        await made.writes(number)
    await made.passes(minutes=110)
    await made.sends()
    for _ in range(3):
        await made.step()
        await made.passes(minutes=2)
    (told,) = [one for one in made.room.shown if "the money lasts" in one.plain]
    assert "1.0 days" in told.plain
    assert money.Money(world.PRICE, "EUR").times(2).decimal() == "0.16"
    await made.store.close()
