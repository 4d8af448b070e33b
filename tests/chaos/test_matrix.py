"""A bad line to the real Synapse: each command is heard once, each notice is said once."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import pathlib
import urllib.parse

import pytest

from bridges.matrix import calls, sync
from tests.bridges.matrix import people, world
from tests.bridges.matrix.test_faults import QuickClock
from tests.chaos import figures as kept
from tests.chaos import table
from tests.peers import chaos, synapse

ROWS = ("Synapse",)
LIMIT_S = 150.0
SHORT_S = 2.0
PLACES = [(fault, more) for fault, places in table.ROOM.items() for more in places]


async def suffer(
    number: int,
    line: chaos.Proxy,
    bot: world.Bot,
    ada: people.Person,
    place: tuple[chaos.Fault, table.Order],
) -> None:
    """A notice and a command while the line breaks there: all are heard, in order, once."""
    line.order(place[0], **place[1])
    bot.door.put(world.said(f"notice {number}", room_id=bot.room_id))
    await ada.say(bot.room_id, f"!command {number}")
    if place[0] is chaos.Fault.STALL:
        await asyncio.wait_for(line.hit.wait(), LIMIT_S)
        line.mend()
    expected = [f"!command {n}" for n in range(number + 1)]
    await bot.door.until(lambda: bot.door.commands() == expected)
    said = [f"notice {n}" for n in range(number + 1)]
    await ada.until(lambda: ada.texts(bot.user) == said)
    await asyncio.wait_for(line.hit.wait(), LIMIT_S)
    line.mend()


@pytest.mark.slow
@pytest.mark.case("C24")
async def test_a_bad_line_loses_and_doubles_no_command_and_no_notice(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, figures: kept.Figures
) -> None:
    monkeypatch.setattr(calls, "LIMIT_S", SHORT_S)
    monkeypatch.setattr(sync, "POLL_S", int(SHORT_S))
    with contextlib.ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, synapse.start(tmp_path))
        async with (
            asyncio.timeout(LIMIT_S),
            world.met(server, tmp_path, encrypted=False) as (bot, ada, _room_id),
        ):
            await bot.kill()
            line = chaos.Proxy(port=urllib.parse.urlsplit(server.url).port or 0)
            async with line.running():
                bot.url, bot.clock = f"http://127.0.0.1:{line.port}", QuickClock()
                bot.start()
                for number, place in enumerate(PLACES):
                    await suffer(number, line, bot, ada, place)
                await bot.kill()
            said = collections.Counter(ada.texts(bot.user))
            heard = collections.Counter(bot.door.commands())
    assert line.struck == {fault: len(places) for fault, places in table.ROOM.items()}
    assert set(said.values()) == set(heard.values()) == {1}
    assert len(said) == len(heard) == len(PLACES)
    for fault, places in table.ROOM.items():
        both = 2 * len(places)
        figures.add(ROWS[0], fault, len(places), **{"commands and notices": both})
    twice = said.total() + heard.total() - len(said) - len(heard)
    lost = 2 * len(PLACES) - len(said) - len(heard)
    figures.count(ROWS[0], lost=lost, twice=twice)
