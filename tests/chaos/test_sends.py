"""A bad line to peers that send: nobody is answered twice, and no more is spent than was told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.chaos import figures as kept
from tests.chaos import site, stands, table
from tests.peers import chaos

ROWS = tuple(stands.STANDS)
LIMIT_S = 120.0
OUT = {"sent", "delivered"}


class Answering:
    """One cell: people write, and their replies meet a bad line."""

    def __init__(self, stand: stands.Stand, here: site.Site, line: chaos.Proxy) -> None:
        self._stand, self._here, self._line = stand, here, line
        self.people: list[str] = []
        self.replays = 0

    async def write(self) -> str:
        """One more person, whose reply is due now."""
        stand, here, number = self._stand, self._here, len(self.people) + 1
        told = stands.message(stand, number, here.clock.now())
        await here.rooms.intake.accept([told], channel=stand.channel)
        await here.clock.advance(7_200)
        self.people.append(stand.person(number))
        return self.people[-1]

    async def suffer(self, fault: chaos.Fault, place: table.Place) -> None:
        """One reply over a line that breaks there, and all that is done about it."""
        stand, here, line = self._stand, self._here, self._line
        person, order = await self.write(), dict(place.order)
        if fault is chaos.Fault.DOUBLE:
            order["at"] = stand.marks
        line.order(fault, **order)
        await self._send()
        own = fault is chaos.Fault.DOUBLE and not stand.drops_repeats
        self.replays += own
        await here.until(lambda: stands.counted(stand)[person] >= place.seen + own)
        assert stands.counted(stand)[person] == place.seen + own, place
        if not place.late:
            line.mend()
        await here.work(12)
        line.mend()
        await here.work(12)
        assert stands.counted(stand)[person] <= 1 + own, place

    async def _send(self) -> None:
        """Some bridges count their limits by the clock, so it goes on."""
        hit = asyncio.create_task(self._line.hit.wait())
        sending = asyncio.create_task(self._here.rooms.dispatcher.step())
        await asyncio.wait({hit, sending}, return_when=asyncio.FIRST_COMPLETED)
        while not sending.done():
            await self._here.clock.advance(0.05)
            await asyncio.wait({sending}, timeout=0.01)
        await sending
        await asyncio.wait_for(hit, LIMIT_S)

    async def judge(self, fault: chaos.Fault, cap: int) -> dict[str, int]:
        """What the books say against what people got; the counts of this cell."""
        stand, replies = self._stand, sorted(await self._here.replies(), key=lambda r: r["id"])
        got = stands.counted(stand)
        assert len(replies) == len(self.people)
        for person, row in zip(self.people, replies, strict=True):
            if row["state"] in OUT:
                assert got[person] >= 1
            else:
                assert row["state"] == "unknown" or not got[person]
        states = site.states(replies)
        if fault is chaos.Fault.DRIP:
            assert "unknown" not in states
        booked = sum(row["price_micros"] or row["reserved_micros"] or 0 for row in replies)
        bill = (got.total() - self.replays) * stand.price_micros
        assert bill <= booked <= cap
        return {
            "replies": len(replies),
            "answered": len(got),
            "told as unknown": states.get("unknown", 0),
            "answered twice by us": got.total() - self.replays - len(got),
            "cents over": max(0, bill - cap) // 10_000,
        }


@contextlib.asynccontextmanager
async def opened(stand: stands.Stand, cap: int) -> AsyncIterator[tuple[chaos.Proxy, site.Site]]:
    """A bad line to a stand-in, and the rooms before it with so much money."""
    await stand.open()
    try:
        line = chaos.Proxy(port=stand.port)
        told = site.core(cap if stand.price_micros else None)
        async with (
            line.running(),
            site.opened(stand.create(line.port), channel=stand.channel, told=told) as here,
        ):
            yield line, here
    finally:
        await stand.close()


async def suffered(name: str, fault: chaos.Fault, figures: kept.Figures) -> dict[str, int]:
    """One cell, judged by what the peer's own ledger says."""
    stand, places = stands.STANDS[name](), table.SENDS[fault]
    # For the first and one a place; nothing for the last.
    cap = stand.price_micros * (len(places) + 1)
    async with opened(stand, cap) as (line, here):
        answering = Answering(stand, here, line)
        first = await answering.write()
        await here.work(1)
        assert stands.counted(stand)[first] == 1
        for place in places:
            await answering.suffer(fault, place)
        last = await answering.write()
        await here.work(6)
        assert line.struck == {fault: len(places)}
        # What nobody knows of keeps its money: the last one cannot be paid.
        assert stands.counted(stand)[last] == (0 if cap else 1)
        counts = await answering.judge(fault, cap)
    figures.add(name, fault, len(places), **counts)
    return counts


@pytest.mark.slow
@pytest.mark.case("C03", "C04")
@pytest.mark.parametrize("fault", list(chaos.Fault))
async def test_nobody_is_answered_twice(fault: chaos.Fault, figures: kept.Figures) -> None:
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        cells = [group.create_task(suffered(name, fault, figures), name=name) for name in ROWS]
    told = [cell.result() for cell in cells]
    assert [one["answered twice by us"] for one in told] == [0] * len(ROWS)
    assert [one["cents over"] for one in told] == [0] * len(ROWS)
