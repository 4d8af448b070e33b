"""One process of several listens on a channel."""

from __future__ import annotations

import asyncio

from bot import supervisor
from bot.contract import intake
from tests.bot import supervised


class Heard(supervised.Line):
    """Knows whether anybody listens on it."""

    _listening = 0

    async def listen(self, door: intake.Intake) -> None:
        self._listening += 1
        try:
            await asyncio.Event().wait()
        finally:
            self._listening -= 1

    def heard(self) -> int:
        return self._listening


async def test_a_channel_is_listened_on_while_it_is_our_turn() -> None:
    clock = supervised.Clock()
    line, ours = Heard(clock, None), asyncio.Event()

    async def turn() -> bool:
        return ours.is_set()

    keeper = supervisor.Supervisor(clock=clock, draw=lambda: 1.0)
    keeper.listen(line, supervised.Door(), turn)
    async with supervised.running(keeper, clock):
        await clock.pass_by(20)
        assert line.heard() == 0
        told = await keeper.health()
        assert supervised.part(told, "bridges", line.channel, "detail") == "another process listens"
        assert told["ok"] is True
        ours.set()
        await clock.pass_by(supervisor.TURN_S)
        assert line.heard() == 1
        ours.clear()
        await clock.pass_by(supervisor.TURN_S)
        assert line.heard() == 0
        # Nothing failed, so nothing was started again.
        assert supervised.part(await keeper.health(), "bridges", line.channel, "restarts") == 0
