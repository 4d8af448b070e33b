"""The whole life of a flood, seen from the room and decided in it."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from bot.contract import money, outcomes
from bot.policy import settings
from bot.store import tables
from tests.bot.console.room import floor as building
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import ANNA, BEA, CLEO
from tests.fakes import world

BAIT = "bonjour pour le canapé gratuit annonce leboncoin toujours disponible"


async def raid(floor: Floor, first: int, many: int, text: str = BAIT) -> None:
    for number in range(first, first + many):
        await floor.writes(number, f"{text} {number % 7}")
    await floor.rooms.flood.look()


@pytest.mark.case("C17", "C21", "C41")
async def test_a_flood_from_its_alert_to_its_end(floor: Floor) -> None:
    for number in range(20):
        await floor.writes(number, f"salut c'est moi {number}")
    await floor.passes(minutes=20)
    await raid(floor, 100, 30)
    await raid(floor, 200, 90)
    await floor.step()
    (alert,) = [one for one in floor.room.shown if "Unusual traffic" in one.plain]
    assert set(alert.mentions) == set(hosting.ROSTER)
    # It is one card, edited, while it goes on.
    await floor.passes(minutes=10)
    await raid(floor, 300, 60)
    await floor.step()
    assert alert.edits >= 1
    assert len([one for one in floor.room.shown if "Unusual traffic" in one.plain]) == 1

    # Everything falls due: people go out, the bait waits for somebody.
    await floor.passes(minutes=110)
    await floor.rooms.flood.look()
    await floor.sends()
    held = [r for r in await floor.rows(tables.replies) if r["state"] == "held"]
    assert len(held) > 100
    assert {r["reason"] for r in held} <= {"new_topic", "mode", "pace"}

    await floor.says(CLEO, "!pause")
    sent = len(floor.phones.sent)
    review = (await floor.says(CLEO, "!review"))[-1]
    if review.reactions[0] == "1️⃣":
        (review, *_) = await floor.reacts(CLEO, review, "1️⃣")
    assert "people" in review.plain
    await floor.reacts(CLEO, review, "❌")
    rows = await floor.rows(tables.replies)
    assert len([r for r in rows if r["state"] == "cancelled"]) > 100
    await floor.sends()
    assert len(floor.phones.sent) == sent

    # The words are changed, by two.
    prompt = await floor.ask(CLEO, "!text set fr Bonjour. Ceci est une erreur. STOP")
    assert "1 part(s)" in prompt.plain
    assert "0.08 EUR a reply" in prompt.plain
    await floor.reacts(BEA, prompt, "✅")
    await floor.says(CLEO, "!resume")
    await floor.writes(9000, "salut toi")
    await floor.passes(minutes=110)
    await floor.rooms.flood.look()
    await floor.sends()
    assert floor.phones.sent[-1].text == "Bonjour. Ceci est une erreur. STOP"

    # It is over by itself, and said on the same card.
    for _ in range(16):
        await floor.passes(hours=1)
        await floor.rooms.flood.look()
        await floor.step()
    assert "Over" in alert.plain


@pytest.mark.case("C21")
async def test_no_send_starts_after_a_pause(floor: Floor) -> None:
    for number in range(300):
        await floor.writes(number)
    await floor.passes(minutes=110)
    starts: list[float] = []
    floor.phones.before = lambda: starts.append(floor.clock.monotonic())
    floor.phones.gate = asyncio.Event()
    floor.phones.gate.set()
    stop = asyncio.Event()
    running = asyncio.create_task(floor.rooms.dispatcher.run(stop))
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert len(starts) >= 20
    hosting.command(floor.room, CLEO, "!pause", floor.now)
    said_s = floor.clock.monotonic()
    await floor.host.deliver()
    await floor.desk.step()
    # From here on not one more, however long it goes on.
    for _ in range(50):
        await asyncio.sleep(0)
    began = len(starts)
    for _ in range(30):
        await floor.passes(seconds=1)
        await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, 10)
    assert began < 300
    assert len(starts) == began
    assert all(one <= said_s + 2 for one in starts)


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
