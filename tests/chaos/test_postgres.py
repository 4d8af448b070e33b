"""A bad line to PostgreSQL: intake says 503 and not 200, and nothing is lost or stored twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot import build
from bot.contract import bridge
from bot.store import database, postgres, schema, tables
from bot.web import app
from tests.bridges.simulator import world as phones
from tests.fakes import world as fake
from tests.peers import chaos
from tests.peers import postgres as peers

LIMIT_S = 90.0
PATIENCE_S = 0.5
PEOPLE = 12


class Site:
    """The real rooms over a bad line, and a phone that repeats until it is told 200."""

    def __init__(self, store: postgres.Store, rooms: build.Rooms, web: bridge.AsgiApp) -> None:
        self.store, self.rooms, self._web = store, rooms, web
        self.told: dict[str, list[int]] = {}

    async def ask(self, name: str) -> int:
        """Hand one message in once; the status."""
        number = int(name.removeprefix("m"))
        body = b'{"id":"%b","from":"+3363998%04d","text":"salut"}' % (name.encode(), number)
        answer = await phones.call(self._web, "POST", "/phone/sms/api/messages", body)
        self.told.setdefault(name, []).append(answer.status)
        if answer.status == 503:
            assert int(answer.headers["retry-after"]) > 0
        return answer.status

    async def until_stored(self, name: str) -> None:
        """As a provider does that repeats what was refused."""
        for _ in range(1_000):
            if await self.ask(name) == 200:
                return
        raise AssertionError(f"{name} was never stored")

    async def stored(self) -> list[str]:
        """Ids by the database's own list."""
        query = sa.select(tables.inbound.c.id)
        return [str(n) for n in await self.store.read(lambda tx: tx.execute(query).scalars().all())]


@contextlib.asynccontextmanager
async def opened(cluster: peers.Cluster) -> AsyncIterator[tuple[Site, chaos.Proxy]]:
    name = await asyncio.to_thread(cluster.fresh)
    line = chaos.Proxy(port=cluster.port)
    async with line.running():
        url = f"postgresql://{peers.USER}@127.0.0.1:{line.port}/{name}?sslmode=disable"
        store = postgres.Store(url, patience_s=PATIENCE_S)
        await store.open()
        await store.write(schema.upgrade)
        made = phones.made()
        rooms = await fake.rooms(store=store)
        routes = made.routes(rooms.intake)
        site = Site(store, rooms, app.create(routes=routes, channels=[], health=_fine))
        try:
            yield site, line
        finally:
            line.mend()
            await store.close()
    await asyncio.to_thread(cluster.drop, name)


async def _hit(line: chaos.Proxy) -> None:
    await line.hit.wait()


async def _fine() -> dict[str, object]:
    return {"ok": True}


FAULTS: dict[str, tuple[chaos.Fault, dict[str, Any]]] = {
    "cut before the commit": (chaos.Fault.CUT, {"at": b"COMMIT"}),
    "cut after the commit, before its answer": (
        chaos.Fault.CUT,
        {"at": b"COMMIT", "passing": True},
    ),
    "cut in the middle of a statement": (chaos.Fault.CUT, {"at": b"INSERT"}),
    "cut in the middle of an answer": (chaos.Fault.CUT, {"way": chaos.Way.DOWN, "after": 1}),
    "half open before the commit": (chaos.Fault.HALF_OPEN, {"at": b"COMMIT"}),
    "half open after the commit": (chaos.Fault.HALF_OPEN, {"at": b"COMMIT", "passing": True}),
    "half open in the middle": (chaos.Fault.HALF_OPEN, {"at": b"INSERT"}),
    "dripping": (chaos.Fault.DRIP, {"at": b"BEGIN"}),
}


@pytest.mark.slow
@pytest.mark.case("C07", "C01", "C02")
async def test_a_bad_line_in_every_place_of_a_transaction(cluster: peers.Cluster) -> None:
    struck = 0
    async with asyncio.timeout(LIMIT_S), opened(cluster) as (site, line):
        await site.until_stored("m0")
        for number, (fault, more) in enumerate(FAULTS.values(), 1):
            line.order(fault, **more)
            first = await site.ask(f"m{number}")
            assert line.hit.is_set(), f"{number} never struck"
            # Either it was stored, or the provider is not told so.
            assert first in {200, 503}
            # Where the line broke at BEGIN another connection was taken instead.
            fine = fault is chaos.Fault.DRIP or more.get("way") is chaos.Way.DOWN
            assert first == 503 or fine
            await site.until_stored(f"m{number}")
            struck += 1
        found = await site.stored()
        assert len(found) == len(set(found)) == 1 + len(FAULTS)
        refusals = sum(answers.count(503) for answers in site.told.values())
        chaos.record(
            "postgresql",
            line.struck,
            messages=len(found),
            refused=refusals,
            lost=1 + len(FAULTS) - len(found),
            twice=len(found) - len(set(found)),
        )
    assert struck == len(FAULTS)


@pytest.mark.slow
@pytest.mark.case("C07")
async def test_a_database_that_stalls_is_told_as_away_and_is_found_again(
    cluster: peers.Cluster,
) -> None:
    async with asyncio.timeout(LIMIT_S), opened(cluster) as (site, line):
        await asyncio.gather(*(site.until_stored(f"m{n}") for n in range(PEOPLE)))
        line.order(chaos.Fault.STALL, at=b"COMMIT")
        assert await site.ask("m20") == 503
        line.refusing = True
        assert await site.ask("m21") == 503
        with pytest.raises(database.StoreAwayError):
            await site.rooms.dispatcher.step()
        line.mend()
        await asyncio.gather(*(site.until_stored(f"m{n}") for n in range(20, 20 + PEOPLE)))
        found = await site.stored()
        assert len(found) == 2 * PEOPLE


@pytest.mark.slow
@pytest.mark.case("C07")
async def test_all_lines_are_cut_at_once_while_many_write(cluster: peers.Cluster) -> None:
    async with asyncio.timeout(LIMIT_S), opened(cluster) as (site, line):
        await site.until_stored("m0")

        async def all_stored() -> None:
            await asyncio.gather(*(site.until_stored(f"m{n}") for n in range(1, 60)))

        writing = asyncio.create_task(all_stored())
        for _ in range(5):
            line.order(chaos.Fault.CUT, at=b"COMMIT", passing=True)
            hit = asyncio.create_task(_hit(line))
            await asyncio.wait({hit, writing}, return_when=asyncio.FIRST_COMPLETED)
            hit.cancel()
            line.cut_all()
        await writing
        found = await site.stored()
        assert len(found) == len(set(found)) == 60
