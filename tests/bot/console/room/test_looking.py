"""Commands that only look."""

from __future__ import annotations

import pytest

from bot.console.room import commands
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import ANNA, BEA, CLEO, DORA


async def test_help_lists_what_one_may_say(floor: Floor) -> None:
    for_reader = (await floor.ask(DORA, "!help")).plain
    for_admin = (await floor.ask(ANNA, "!aide")).plain
    assert "!status" in for_reader
    assert "!pause" not in for_reader
    assert all(f"!{one.french}" in for_admin for one in commands.TABLE)
    assert "second moderator" in (await floor.ask(ANNA, "!help budget")).plain


async def test_status_is_one_card(floor: Floor) -> None:
    await floor.writes(1)
    floor.health["bridges"]["sms"] = {"condition": "down", "detail": "no line"}
    shown = (await floor.ask(DORA, "!status")).plain
    assert "normal" in shown
    assert "0.00 EUR of 20.00 EUR today" in shown
    assert "sms: down no line" in shown
    assert "1 messages, 0 replies" in shown
    assert "en pause" in (await floor.ask(DORA, "!état")).plain


async def test_budget_ledger_and_donations(floor: Floor) -> None:
    assert "17.50 EUR" in (await floor.ask(BEA, "!donate 17,50")).plain
    assert "17.50 EUR" in (await floor.ask(BEA, "!ledger")).plain
    assert "20.00 EUR left" in (await floor.ask(BEA, "!budget")).plain
    assert "role treasurer" in (await floor.ask(CLEO, "!ledger")).plain


async def test_who_says_what_each_may_now(floor: Floor) -> None:
    floor.room.members.pop(CLEO)
    shown = (await floor.ask(DORA, "!who")).plain
    assert f"{ANNA}: admin" in shown
    assert f"{CLEO}: moderator, not in the room" in shown


async def test_a_typo_is_suggested_and_never_guessed(floor: Floor) -> None:
    assert "Did you mean !pause?" in (await floor.ask(ANNA, "!puase")).plain
    assert not await floor.rows(__import__("bot.store.tables", fromlist=["control"]).control)


async def test_stats_come_with_a_chart(floor: Floor) -> None:
    await floor.writes(1)
    answer = await floor.ask(DORA, "!stats 3d")
    assert "messages: 1" in answer.plain
    assert answer.image is not None
    assert answer.image.png.startswith(b"\x89PNG")


async def test_why_tells_the_story_by_a_code(cautious: Floor) -> None:
    await cautious.writes(1, "coucou toi")
    shown = (await cautious.ask(CLEO, "!review")).plain
    assert "held" in shown
    words = (await cautious.ask(CLEO, "!read release")).plain
    assert "coucou toi" in words
    code = words[words.index("#") :][:5]
    assert "1 messages" in (await cautious.ask(CLEO, f"!why {code}")).plain
    await cautious.passes(days=8)
    assert "Nobody has that code" in (await cautious.ask(CLEO, f"!why {code}")).plain


@pytest.mark.parametrize("name", [one.name for one in commands.TABLE])
async def test_every_command_is_answered(floor: Floor, name: str) -> None:
    answer = await floor.ask(ANNA, f"!{name}")
    assert answer.plain.strip()
