"""A bad line from signal-cli: nothing is stored twice, and lost is only what a dead line was told.

signal-cli forgets what it wrote into a socket (docs/signal.md has that window), so a message on a
line that breaks may be lost. What waits at Signal is not, and a new line is opened by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pytest

from bot.contract import bridge
from bot.store import tables
from tests.bot.store import rows
from tests.chaos import figures as kept
from tests.chaos import site, stands, table
from tests.peers import chaos

ROW = "signal-cli with an account (stand-in): in"
ROWS = (ROW,)
LIMIT_S = 60.0
LOSSLESS = {chaos.Fault.DRIP, chaos.Fault.DOUBLE}
PROBES = 200
PATIENCE = 2_000


class Listening:
    """The bridge listens, as the supervisor lets it; people write until one is heard again."""

    def __init__(
        self, stand: stands.SignalDaemon, here: site.Site, line: chaos.Proxy, pace_s: float
    ) -> None:
        self._stand, self._here, self._line, self._pace_s = stand, here, line, pace_s
        self._numbers = itertools.count(1)
        self.posted = 0

    async def listen(self) -> None:
        while True:
            with contextlib.suppress(bridge.BridgeDownError):
                await self._here.bridge.listen(self._here.rooms.intake)
            await asyncio.sleep(0)

    async def heard(self) -> bool:
        """Whether one more message is stored within a second of the clock."""
        before = await self._here.inbound()
        self._stand.side.post(next(self._numbers))
        self.posted += 1
        for turn in range(80):
            # Between two looks at the clock the line gets a moment of its own.
            if turn % 4 == 0:
                await self._here.clock.advance(self._pace_s)
            if await self._here.inbound() > before:
                return True
        return False

    async def until_all_is_in(self) -> None:
        """Where nothing is lost, the last one may still be on its way."""
        for _ in range(PATIENCE):
            if await self._here.inbound() >= self.posted:
                return

    async def suffer(self, fault: chaos.Fault, more: table.Order) -> None:
        """A new line, which breaks there; then people write until a new one serves."""
        self._line.order(fault, **more)
        old = list(self._stand.side.clients)
        self._line.cut_all()
        # Or what is written before it notices would be lost by this cut, not by the fault.
        await self._here.until(lambda: all(one.ended for one in old))
        for _ in range(PROBES):
            if self._line.hit.is_set():
                break
            await self.heard()
        assert self._line.hit.is_set(), more
        await self._served()
        self._line.mend()
        await self._served()

    async def _served(self) -> None:
        for _ in range(PROBES):
            if await self.heard():
                return
        raise AssertionError("a new line never served")


async def suffered(fault: chaos.Fault, figures: kept.Figures) -> int:
    """One cell; how many messages were stored twice."""
    stand, places = stands.SignalDaemon(), table.SUBSCRIBED[fault]
    await stand.open()
    line = chaos.Proxy(port=stand.port)
    try:
        async with (
            line.running(),
            site.opened(stand.create(line.port), channel=stand.channel) as here,
        ):
            # A slow line is not a dead one: the clock that tells them apart stands still for it.
            pace_s = 0.0 if fault in LOSSLESS else 0.05
            listening = Listening(stand, here, line, pace_s)
            task = asyncio.create_task(listening.listen())
            assert await listening.heard()
            for more in places:
                await listening.suffer(fault, more)
            if fault in LOSSLESS:
                await listening.until_all_is_in()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            stored = await rows.rows(here.store, tables.inbound)
    finally:
        await stand.close()
    assert line.struck == {fault: len(places)}
    persons = {row["person_id"] for row in stored}
    lost = listening.posted - len(persons)
    assert not stand.side.at_signal
    twice = len(stored) - len(persons)
    assert lost == 0 or fault not in LOSSLESS
    figures.add(
        ROW,
        fault,
        len(places),
        **{"messages": listening.posted, "lost in a dead line": lost},
        twice=twice,
    )
    return twice


@pytest.mark.slow
@pytest.mark.case("C26")
@pytest.mark.parametrize("fault", list(chaos.Fault))
async def test_nothing_is_stored_twice_and_a_new_line_serves(
    fault: chaos.Fault, figures: kept.Figures
) -> None:
    async with asyncio.timeout(LIMIT_S):
        assert await suffered(fault, figures) == 0
