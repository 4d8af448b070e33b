"""A bad line to PostgreSQL: intake says 503 and not 200, and nothing is lost or stored twice."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from bot import build
from bot.contract import bridge
from bot.store import database, postgres, schema, tables
from bot.web import app
from tests.bridges.simulator import world as phones
from tests.chaos import figures as kept
from tests.chaos import table
from tests.fakes import world as fake
from tests.peers import chaos
from tests.peers import postgres as peers

ROWS = ("PostgreSQL",)
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

    async def due(self) -> list[int]:
        """To whom replies are due."""
        query = sa.select(tables.replies.c.person_id)
        return list(await self.store.read(lambda tx: tx.execute(query).scalars().all()))


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


FINE = {chaos.Fault.DRIP, chaos.Fault.DOUBLE}


async def suffer(
    site: Site, line: chaos.Proxy, name: str, fault: chaos.Fault, more: table.Order
) -> None:
    """One message while the line breaks there; its phone repeats until it is told 200."""
    line.order(fault, **more)
    first = await site.ask(name)
    await asyncio.wait_for(line.hit.wait(), LIMIT_S)
    # Either it was stored, or the provider is not told so. Where the line broke at BEGIN another
    # connection was taken instead.
    if fault in FINE:
        assert first == 200
    elif more.get("way") is chaos.Way.DOWN:
        assert first in {200, 503}
    else:
        assert first == 503
    if fault is chaos.Fault.DOUBLE:
        # It really was all said again, and the table itself refused it.
        assert b'unique constraint "pk_seen"' in line.replied
    line.mend()
    await site.until_stored(name)
    # And once more, as a provider does that lost our answer.
    assert await site.ask(name) == 200


@pytest.mark.slow
@pytest.mark.case("C07", "C01", "C02")
async def test_a_bad_line_in_every_place_of_a_transaction(
    cluster: peers.Cluster, figures: kept.Figures
) -> None:
    names = (f"m{number}" for number in itertools.count(1))
    sent, before = 1, 0
    async with asyncio.timeout(LIMIT_S), opened(cluster) as (site, line):
        await site.until_stored("m0")
        for fault, places in table.TRANSACTION.items():
            for more in places:
                await suffer(site, line, next(names), fault, more)
            sent += len(places)
            refused = sum(answers.count(503) for answers in site.told.values())
            figures.add(ROWS[0], fault, len(places), messages=len(places), refused=refused - before)
            before = refused
        found, due = await site.stored(), await site.due()
    assert line.struck == {fault: len(places) for fault, places in table.TRANSACTION.items()}
    # A phone each, so a reply each.
    assert len(found) == len(due) == len(set(due)) == sent
    figures.count(ROWS[0], lost=sent - len(found), twice=len(due) - len(set(due)))


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
