"""A backup taken while people write, and put back later: the phones say who was answered twice."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import sqlite3
import time
import uuid
from collections.abc import Collection
from pathlib import Path

import aiohttp
import pytest

from bot.store import backup, vault
from tests.e2e import crowd, program

FIRST = 30
LATER = 20


async def types(house: program.Program, *words: str) -> str:
    """A command as a process of its own, which must succeed."""
    config = str(house.folder / "config.toml")
    process = await asyncio.create_subprocess_exec(
        *(*program.command(), *words, "--config", config),
        cwd=program.ROOT,
        env=program.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


def seen_in(path: Path) -> set[bytes]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT hash FROM seen")}


async def settled(path: Path) -> bool:
    """Whether nothing waits to be sent or is being sent."""
    query = "SELECT count(*) FROM replies WHERE state IN ('scheduled', 'sending')"
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
        return bool(connection.execute(query).fetchone()[0] == 0)


async def write_again(house: program.Program, people: Collection[tuple[str, str]]) -> None:
    """Everybody once more, each with a message of a new id."""
    async with aiohttp.ClientSession() as session:
        for channel, sender in people:
            body = {"id": uuid.uuid4().hex, "from": sender, "text": "Tu réponds pas ?"}
            url = f"{house.url}/phone/{channel}/api/messages"
            async with session.post(url, json=body) as answer:
                assert answer.status == 200


async def lost_and_brought_back(folder: Path, *how: str) -> tuple[set[str], list[str]]:
    """The people that the backup knew, and to whom replies came, one entry each."""
    async with program.phones(8) as phones:
        # Phones that show each reply they are handed, whatever its name.
        await phones.manner(drops_repeats=False)
        made = program.Program(folder, phones.url, delay_s=(2, 4), idempotent=False)
        async with program.ended(made) as house:
            await house.start()
            await house.ready()
            async with crowd.writing(house, seed=8, clients=4) as people:

                async def wrote(n: int) -> None:
                    async def enough() -> bool:
                        return people.acknowledged >= n

                    await program.until(f"{n} messages", enough)

                await wrote(FIRST)
                before_ms = time.time_ns() // 1_000_000
                stored = [m for m in people.messages if m.acknowledged_ms is not None]
                await types(house, "backup", str(folder / "b.db"))
                await wrote(people.acknowledged + LATER)
                # Whoever the backup knows is answered before the disk is lost.
                await house.runs_for(4.5)
            await house.kill()
            keys = vault.load(house.key_file)
            known = {(m.channel, m.sender) for m in stored if (m.acknowledged_ms or 0) < before_ms}
            hashes = {keys.hash("seen", f"{m.channel}\x00{m.id}") for m in stored}
            assert hashes <= seen_in(folder / "b.db"), "what was acknowledged is not in the backup"
            assert backup.look(folder / "b.db").replies
            for path in folder.glob("antirelou.db*"):
                path.unlink()
            await types(house, "restore", str(folder / "b.db"), *how)
            await house.start()
            await house.ready()
            await types(house, "resume")
            await write_again(house, sorted(known))
            await program.until("the last reply", lambda: settled(house.database), 180)
            code, _ = await house.terminate(20)
            assert code == 0
        ledger = await phones.ledger()
    return {sender for _, sender in known}, [one["to"] for one in ledger["deliveries"]]


@pytest.mark.slow
@pytest.mark.case("C01")
async def test_nobody_that_the_backup_knows_is_answered_twice(tmp_path: Path) -> None:
    """And beside it the same house told that nothing was sent, which is not so: that is seen."""
    safe, blind = tmp_path / "safe", tmp_path / "blind"
    safe.mkdir()
    blind.mkdir()
    # Most of it is waiting, so both at once.
    (known, answered), (known_too, answered_too) = await asyncio.gather(
        lost_and_brought_back(safe), lost_and_brought_back(blind, "--nothing-was-sent-since")
    )
    counts = collections.Counter(answered)
    assert known & counts.keys(), "nobody was answered, so this proves nothing"
    assert {to: n for to, n in counts.items() if n > 1 and to in known} == {}
    twice = collections.Counter(answered_too)
    assert [to for to, n in twice.items() if n > 1 and to in known_too]
