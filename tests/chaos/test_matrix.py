"""A bad line to the real Synapse: each command is heard once, each notice is said once."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import urllib.parse
from typing import Any

import pytest

from tests.bridges.matrix import world
from tests.bridges.matrix.test_faults import QuickClock
from tests.peers import chaos, synapse

LIMIT_S = 150.0
UP, DOWN = chaos.Way.UP, chaos.Way.DOWN
FAULTS: tuple[tuple[chaos.Fault, dict[str, Any]], ...] = (
    (chaos.Fault.CUT, {"way": UP, "at": b"/sync"}),
    (chaos.Fault.CUT, {"way": DOWN, "after": 40}),
    (chaos.Fault.DOUBLE, {"at": b"/send/"}),
    (chaos.Fault.CUT, {"way": UP, "at": b"/send/", "passing": True}),
    (chaos.Fault.DRIP, {"way": DOWN}),
)


@pytest.mark.slow
@pytest.mark.case("C24")
async def test_a_bad_line_loses_and_doubles_no_command_and_no_notice(
    tmp_path: pathlib.Path,
) -> None:
    with contextlib.ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, synapse.start(tmp_path))
        async with (
            asyncio.timeout(LIMIT_S),
            world.met(server, tmp_path, encrypted=False) as (bot, ada, room_id),
        ):
            await bot.kill()
            line = chaos.Proxy(port=urllib.parse.urlsplit(server.url).port or 0)
            async with line.running():
                bot.url, bot.clock = f"http://127.0.0.1:{line.port}", QuickClock()
                bot.start()
                for number, (fault, more) in enumerate(FAULTS):
                    line.order(fault, **more)
                    bot.door.put(world.said(f"notice {number}", room_id=room_id))
                    await ada.say(room_id, f"!command {number}")
                    expected = [f"!command {n}" for n in range(number + 1)]
                    await bot.door.until(lambda e=expected: bot.door.commands() == e)  # type: ignore[misc]
                    said = [f"notice {n}" for n in range(number + 1)]
                    await ada.until(lambda s=said: ada.texts(bot.user) == s)  # type: ignore[misc]
                    await asyncio.wait_for(line.hit.wait(), LIMIT_S)
                    line.mend()
                assert ada.texts(bot.user) == [f"notice {n}" for n in range(len(FAULTS))]
                heard = bot.door.commands()
                assert len(heard) == len(set(heard)) == len(FAULTS)
                chaos.record(
                    "synapse",
                    line.struck,
                    commands=len(heard),
                    notices=len(FAULTS),
                    lost=0,
                    twice=0,
                )
                await bot.kill()
