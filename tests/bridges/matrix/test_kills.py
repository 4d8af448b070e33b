"""Killed at every awkward place: no command lost, none twice, nothing said twice (C24)."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import random
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.contract import room
from tests.bridges.matrix import world
from tests.peers import synapse

KILLS = 34
PROCESSES = 12
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.case("C24", "C25")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
async def test_killed_again_and_again_no_command_is_lost_or_doubled(
    server: synapse.Synapse, tmp_path: Path, encrypted: bool
) -> None:
    chance = random.Random(24)
    async with world.met(server, tmp_path, encrypted=encrypted) as (bot, ada, room_id):
        expected: list[str] = []
        killed: collections.Counter[str] = collections.Counter()
        for turn in range(KILLS):
            # Between the sync and the store, between the store and the next sync, or while away.
            where = chance.choice(["before", "after", "away"])
            killed[where] += 1
            if where == "away":
                await bot.kill()
            else:
                bot.door.paused.clear()
                bot.door.pause_at = where
            for part in range(chance.randint(1, 3)):
                expected.append(f"!do {turn}.{part}")
                await ada.say(room_id, expected[-1])
            if where != "away":
                await world.bounded(bot.door.paused.wait())
                await bot.kill()
            bot.start()
        await bot.door.until(lambda: len(bot.door.commands()) >= len(expected))
        assert bot.door.commands() == expected
        assert min(killed.values()) > KILLS // 6
        assert bot.door.snags() == []


@pytest.mark.case("C24")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
async def test_killed_after_a_send_nothing_is_said_twice(
    server: synapse.Synapse, tmp_path: Path, encrypted: bool
) -> None:
    async with world.met(server, tmp_path, encrypted=encrypted) as (bot, ada, room_id):
        texts = [f"notice {turn}" for turn in range(8)]
        for text in texts:
            bot.door.paused.clear()
            bot.door.pause_at = "sent"
            bot.door.put(world.said(text, room_id=room_id))
            await world.bounded(bot.door.paused.wait())
            await bot.kill()
            bot.start()
        await bot.door.until(lambda: len(bot.door.said) == len(texts))
        await ada.until(lambda: len(ada.texts(bot.user)) >= len(texts))
        assert ada.texts(bot.user) == texts


@pytest.mark.case("C24")
async def test_what_could_not_be_stored_is_kept_until_it_can(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=False) as (bot, ada, room_id):
        bot.door.refuse = 2
        await ada.say(room_id, "!once")
        await bot.door.until(lambda: bot.door.commands() == ["!once"])
        assert bot.door.refuse == 0


@pytest.mark.case("C24")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
async def test_a_limited_timeline_loses_nothing(
    server: synapse.Synapse, tmp_path: Path, encrypted: bool
) -> None:
    async with world.met(server, tmp_path, encrypted=encrypted) as (bot, ada, room_id):
        await ada.say(room_id, "!first")
        await bot.door.until(lambda: bot.door.commands() == ["!first"])
        await bot.kill()
        expected = ["!first"]
        for turn in range(130):
            expected.append(f"!missed {turn}")
            await ada.say(room_id, expected[-1])
        bot.start()
        await bot.door.until(lambda: len(bot.door.commands()) >= len(expected))
        assert bot.door.commands() == expected
        assert room.Snag.GAP not in bot.door.snags()


@pytest.mark.slow
@pytest.mark.case("C24", "C25")
async def test_a_process_killed_without_warning_does_each_command_once(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    """As the others, but with SIGKILL: sessions and the store are what the disk holds."""
    chance = random.Random(25)
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        await bot.kill()
        table = tmp_path / "table.json"
        table.write_text(json.dumps(bot.table()))
        database = tmp_path / "door.sqlite"
        expected: list[str] = []
        # The first sync ever takes no history: let it pass before anybody speaks.
        await _killed(database, table, "", ada.sync)
        for turn in range(PROCESSES):

            async def speak(turn: int = turn) -> None:
                expected.append(f"!do {turn}")
                await ada.say(room_id, expected[-1])

            await _killed(database, table, chance.choice(["store", "stored"]), speak)
        child = await _child(database, table)
        try:
            wanted = [f"did {text}" for text in expected]
            await ada.until(lambda: len(ada.texts(bot.user)) >= len(wanted))
        finally:
            child.kill()
            await child.wait()
        assert ada.texts(bot.user) == wanted
        with contextlib.closing(sqlite3.connect(database)) as db:
            rows = db.execute("select text from events order by place").fetchall()
        assert [text for (text,) in rows] == expected
        held = [one for one in await ada.history(room_id) if one["sender"] == bot.user]
        assert "did" not in json.dumps([one["content"].get("body", "") for one in held])


async def _child(database: Path, table: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bridges.matrix.child",
        str(database),
        str(table),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )


async def _killed(
    database: Path, table: Path, word: str, speak: Callable[[], Awaitable[None]]
) -> None:
    """Start the child, speak, and kill it at this word (none: when it has stored a place)."""
    child = await _child(database, table)
    assert child.stdout is not None
    try:
        await speak()
        async with asyncio.timeout(world.WITHIN_S):
            if word:
                async for line in child.stdout:
                    if line.decode().strip() == word:
                        break
            else:
                await child.stdout.readline()
    finally:
        child.kill()
        await child.wait()
