"""Synapse's own rate limits switched on: everything is said in the end, answers first."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.contract import room
from tests.bridges.matrix import world
from tests.peers import synapse

NOTICES = 12


@pytest.mark.slow
@pytest.mark.case("C24")
async def test_real_limits_block_nothing_and_answers_go_first(
    limited: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(limited, tmp_path, encrypted=False) as (bot, ada, room_id):
        texts = [f"notice {turn}" for turn in range(NOTICES)]
        for text in texts:
            bot.door.put(world.said(text, room_id=room_id))
        # More than Synapse takes at once (10, then one in five seconds): now it is held back.
        await bot.door.until(lambda: len(bot.door.said) >= 10)
        asked = await ada.say(room_id, "!pause")
        await bot.door.until(lambda: bot.door.commands() == ["!pause"])
        before = len(bot.door.said)
        assert before < NOTICES, "the limits were not on"
        answer = world.said("paused", room_id=room_id, lane=room.Lane.ANSWER, answers=asked)
        bot.door.put(answer)
        await bot.door.until(lambda: len(bot.door.said) == NOTICES + 1)
        order = list(bot.door.said)
        # At most the one that was under way stood before it.
        assert order.index(answer.id) <= before + 1
        held = reversed(await ada.history(room_id))
        mine = [one for one in held if one["sender"] == bot.user]
        shown = [one["content"]["body"] for one in mine if one["type"] == "m.room.message"]
        assert [text for text in shown if text != "paused"] == texts
        assert len(shown) == NOTICES + 1
