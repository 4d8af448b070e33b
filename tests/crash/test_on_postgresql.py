"""Two real workers on one PostgreSQL: keys are rotated under them; a dump is brought back."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.store import vault
from tests.e2e import books, crowd, program, test_backup
from tests.peers import postgres

FIRST = 20
LATER = 12


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    if reason := postgres.missing():
        pytest.skip(reason)
    with postgres.running() as made:
        yield made


class Site:
    """Programs that share a database and a key file."""

    def __init__(self, folder: Path, deliver_to: str, url: str, *delays_s: tuple[int, int]) -> None:
        """One worker for each of `delays_s`."""
        self.houses: list[program.Program] = []
        for n, delay_s in enumerate(delays_s):
            (folder / str(n)).mkdir()
            made = program.Program(folder / str(n), deliver_to, delay_s=delay_s, store_url=url)
            self.houses.append(made)
        self.key_file = self.houses[0].key_file
        self.told: list[str] = []
        self.on(url)

    def on(self, url: str) -> None:
        """This database from their next start on, with the first one's keys."""
        self.told = ["--set", f"store.url={url}", "--set", f"store.key_file={self.key_file}"]
        for house in self.houses:
            house._told = self.told  # type: ignore[assignment]  # the settings of more than one

    async def types(self, *words: str) -> str:
        return await test_backup.types(self.houses[0], *words, *self.told)

    async def start(self) -> None:
        for house in self.houses:
            await house.start()
        for house in self.houses:
            await house.ready()


@contextlib.asynccontextmanager
async def ended(site: Site) -> AsyncIterator[Site]:
    async with contextlib.AsyncExitStack() as stack:
        for house in site.houses:
            await stack.enter_async_context(program.ended(house))
        yield site


async def written(people: crowd.Crowd, n: int) -> None:
    async def enough() -> bool:
        return people.acknowledged >= n

    await program.until(f"{n} messages", enough)


async def settled(server: books.Server) -> None:
    query = "SELECT count(*) AS n FROM replies WHERE state IN ('scheduled', 'sending')"

    async def none() -> bool:
        rows = await asyncio.to_thread(server.rows, query)
        return bool(rows[0]["n"] == 0)

    await program.until("the last reply", none, 60)


def sealed(server: books.Server) -> dict[int, int]:
    """Reply that waits -> the number of the key that its address is sealed with."""
    rows = server.rows("SELECT id, address_enc FROM replies WHERE address_enc IS NOT NULL")
    return {row["id"]: int.from_bytes(row["address_enc"][:2], "big") for row in rows}


@pytest.mark.slow
@pytest.mark.case("C01", "C02", "C33")
async def test_keys_are_rotated_under_two_workers_and_nothing_is_lost(
    tmp_path: Path, cluster: postgres.Cluster
) -> None:
    server = books.Server(cluster, await asyncio.to_thread(cluster.fresh))
    async with program.phones(3) as phones:
        site = Site(tmp_path, phones.url, server.url, (6, 8), (6, 8))
        async with ended(site):
            await site.start()
            first, other = site.houses
            async with (
                crowd.writing(first, seed=1, clients=2) as here,
                crowd.writing(other, seed=2, clients=2) as there,
            ):
                await written(here, FIRST)
                await written(there, FIRST)
                before = await asyncio.to_thread(sealed, server)
                told = json.loads(await site.types("keys", "rotate", "--json"))
                after = await asyncio.to_thread(sealed, server)
                # Both go on, each with the keys that it has read by then.
                await written(here, here.acknowledged + LATER)
                await written(there, there.acknowledged + LATER)
                assert await first.answers()
                assert await other.answers()
            await settled(server)
            codes = [(await house.terminate(20))[0] for house in site.houses]
        ledger = await phones.ledger()
    old, new = set(before.values()), told["number"]
    assert before
    assert new not in old
    # Whoever waited then is sealed with the new key, or was sent meanwhile.
    assert {after[n] for n in before.keys() & after.keys()} <= {new}
    assert told["resealed"] > 0
    assert told["sealed_stuck"] == 0
    assert codes == [0, 0]
    keys = vault.load(site.key_file)
    messages = [m for one in (here, there) for m in one.messages if m.acknowledged_ms is not None]
    seen = {row["hash"] for row in server.rows("SELECT hash FROM seen")}
    assert {keys.hash("seen", f"{m.channel}\x00{m.id}") for m in messages} <= seen
    assert await asyncio.to_thread(sealed, server) == {}
    states = server.rows("SELECT DISTINCT state, reason FROM replies")
    ends = {("sent", row["reason"]) for row in states} | {("cancelled", "opted_out")}
    assert {(row["state"], row["reason"]) for row in states} <= ends
    counts = collections.Counter(one["to"] for one in ledger["deliveries"])
    left = {m.sender for m in messages if m.text == "STOP"}
    assert {m.sender for m in messages} - left <= counts.keys() <= {m.sender for m in messages}
    assert set(counts.values()) == {1}


async def runs(name: str, *words: str) -> None:
    """One of PostgreSQL's own programs, which must succeed."""
    folder = postgres.programs()
    assert folder is not None
    process = await asyncio.create_subprocess_exec(
        str(folder / name),
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()


@pytest.mark.slow
@pytest.mark.case("C01")
async def test_a_dump_that_was_brought_back_answers_nobody_twice(
    tmp_path: Path, cluster: postgres.Cluster
) -> None:
    lost = books.Server(cluster, await asyncio.to_thread(cluster.fresh))
    back = books.Server(cluster, await asyncio.to_thread(cluster.fresh))
    dump = str(tmp_path / "dump")
    async with program.phones(5) as phones:
        # Phones that show each reply they are handed, whatever its name.
        await phones.manner(drops_repeats=False)
        site = Site(tmp_path, phones.url, lost.url, (3, 5))
        async with ended(site):
            await site.start()
            (house,) = site.houses
            async with crowd.writing(house, seed=5, clients=4) as people:
                await written(people, FIRST)
                before_ms = time.time_ns() // 1_000_000
                await runs("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={lost.url}")
                await written(people, people.acknowledged + LATER)
                # Whoever the dump knows is answered before the server is lost.
                await house.runs_for(5.5)
            await house.kill()
            await runs("pg_restore", f"--dbname={back.url}", "--no-owner", dump)
            site.on(back.url)
            told = json.loads(await site.types("restore", "--in-place", "--json"))
            await site.start()
            await site.types("resume")
            known = sorted(
                {
                    (m.channel, m.sender)
                    for m in people.messages
                    if m.acknowledged_ms is not None and m.acknowledged_ms < before_ms
                }
            )
            await test_backup.write_again(house, known)
            await settled(back)
            assert (await house.terminate(20))[0] == 0
        ledger = await phones.ledger()
    assert told["held"] > 0
    counts = collections.Counter(one["to"] for one in ledger["deliveries"])
    whom = {sender for _, sender in known}
    assert whom & counts.keys(), "nobody was answered, so this proves nothing"
    assert {to: n for to, n in counts.items() if n > 1 and to in whom} == {}
