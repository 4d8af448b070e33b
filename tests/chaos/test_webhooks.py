"""A bad line between a provider and our web server: what was acknowledged is stored, once."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos import figures as kept
from tests.chaos import posting, site, table
from tests.peers import chaos

ROWS = tuple(posting.PROVIDERS)
LIMIT_S = 120.0


class Posted:
    """One cell: a provider, our server, and the line between them."""

    def __init__(self, provider: posting.Provider, here: site.Site, line: chaos.Proxy) -> None:
        self._provider, self._here, self._line = provider, here, line
        self._numbers = iter(range(1, 1_000))

    def _raw(self) -> bytes:
        return self._provider.raw(next(self._numbers), self._here.clock.now())

    async def suffer(self, fault: chaos.Fault, place: table.Post) -> None:
        """One webhook over a line that breaks there; then it is posted again over a good one."""
        here, line = self._here, self._line
        raw, before = self._raw(), await here.inbound()
        here.server.gate.limits = site.HURRIED if place.hurried else site.PATIENT
        line.order(fault, **place.order(raw.index(b"\r\n\r\n") + 4, len(raw)))
        patience_s, answers = place.patience_s, max(1, len(place.told))
        posting_it = asyncio.create_task(
            posting.post(line.port, raw, patience_s=patience_s, answers=answers)
        )
        await line.hit.wait()
        # While that line is broken, others are answered.
        await self._until_taken(here.port, self._raw())
        if place.mends:
            line.mend()
        heard = await posting_it
        # What was acknowledged is stored by then, whatever else is still under way.
        assert await here.inbound() - before - 1 >= len(heard[:1]), place
        await here.until_nobody_is_left()
        assert heard == place.told, place
        assert await here.inbound() - before - 1 == place.stored, place
        line.mend()
        # Also with what came of the stalled rest, and of the provider's repeats.
        here.server.gate.limits = site.PATIENT
        for _ in range(2):
            assert await posting.post(line.port, raw) == (200,)
        await here.until_nobody_is_left()
        assert await here.inbound() - before - 1 == 1, place

    @staticmethod
    async def _until_taken(port: int, raw: bytes) -> None:
        """On a busy machine our low limits may cut an honest provider too; he tries again."""
        for _ in range(20):
            if await posting.post(port, raw) == (200,):
                return
        raise AssertionError("others are not answered meanwhile")


async def suffered(name: str, fault: chaos.Fault, figures: kept.Figures) -> dict[str, int]:
    """One cell, judged by what the provider was told and what the database holds."""
    provider, places = posting.PROVIDERS[name], table.POSTS[fault]
    async with site.opened(provider.create, channel=provider.channel) as here:
        line = chaos.Proxy(port=here.port)
        async with line.running():
            posted = Posted(provider, here, line)
            for place in places:
                await posted.suffer(fault, place)
            assert line.struck == {fault: len(places)}
        await here.until_nobody_is_left()
        persons = [row["person_id"] for row in await here.replies()]
        # One reply each is due, also to those in between.
        stored = await here.inbound()
        assert len(persons) == len(set(persons)) == 2 * len(places)
        route = next(iter(here.routes.values()))
        assert (route.post is not None) is provider.short
    wanted = 2 * len(places)
    counts = {
        "webhooks": wanted,
        "lost": max(0, wanted - stored),
        "stored twice": max(0, stored - wanted),
    }
    figures.add(name, fault, len(places), **counts)
    return counts


@pytest.mark.slow
@pytest.mark.case("C01", "C07")
@pytest.mark.parametrize("fault", list(chaos.Fault))
async def test_what_was_acknowledged_is_stored_once(
    fault: chaos.Fault, figures: kept.Figures
) -> None:
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        cells = [group.create_task(suffered(name, fault, figures), name=name) for name in ROWS]
    for cell in cells:
        assert (cell.result()["lost"], cell.result()["stored twice"]) == (0, 0), cell.get_name()
