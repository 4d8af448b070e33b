"""The database turns read-only under the running program, and can be written again later."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import os
import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e import forbidding, program, test_storage

DELAY_S = (3, 4)
# Longer than every reply that was promised before.
PAST_DUE_S = 6.0


class OnDisk(program.Program):
    """Its database lies in a folder of its own; `words` stand before its command."""

    def __init__(
        self, folder: Path, deliver_to: str, words: Sequence[str], fds: Sequence[int] = ()
    ) -> None:
        super().__init__(folder, deliver_to, delay_s=DELAY_S)
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.admin = program.free_port()
        self._words, self._fds = words, fds

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*self._words, *program.command()),
                *("run", "--config", str(self.folder / "config.toml")),
                *("--set", f"store.url=sqlite:{self.disk}/antirelou.db"),
                *("--set", f"web.admin_listen=127.0.0.1:{self.admin}"),
                cwd=program.ROOT,
                env=program.environment(),
                stdout=log,
                stderr=log,
                pass_fds=self._fds,
            )

    async def health(self) -> dict[str, Any]:
        """In detail; the status says the same."""
        url = f"http://127.0.0.1:{self.admin}/health"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            told: dict[str, Any] = await answer.json()
            assert (answer.status == 200) == told["ok"]
            return told

    async def is_well(self) -> bool:
        """Whether the database takes what is written."""
        return bool((await self.health())["store"]["ok"])

    def stored(self) -> int:
        """How many messages."""
        with contextlib.closing(sqlite3.connect(self.disk / "antirelou.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM inbound").fetchone()[0])


async def written(house: OnDisk, people: dict[str, str]) -> collections.Counter[int]:
    """Each of them writes; how often each status was answered."""
    answers = [await test_storage.post(house, name, who) for who, name in people.items()]
    return collections.Counter(answers)


async def answered(phones: program.Phones, house: OnDisk, people: dict[str, str]) -> None:
    """Each got one reply, and no one a second."""

    async def all_of_them() -> bool:
        return len((await phones.ledger())["deliveries"]) >= len(people)

    await program.until("the last reply", all_of_them, 60)
    code, _ = await house.terminate(20)
    assert code == 0, house.said()
    told = collections.Counter(one["to"] for one in (await phones.ledger())["deliveries"])
    assert told == dict.fromkeys(people, 1)


@contextlib.asynccontextmanager
async def asked(tmp_path: Path, url: str) -> AsyncIterator[tuple[OnDisk, forbidding.Forbidding]]:
    """A program that the kernel asks about, running."""
    gate = forbidding.Forbidding(tmp_path / "disk")
    words = gate.command([])
    made = OnDisk(tmp_path, url, words, [gate.theirs.fileno()])
    async with program.ended(made):
        try:
            await made.start()
            gate.started()
            await made.ready()
            yield made, gate
        finally:
            with contextlib.suppress(RuntimeError):
                await made.kill()
            await asyncio.to_thread(gate.ended)


def crowd(first: int, count: int) -> dict[str, str]:
    """People and the ids of their messages."""
    return {f"+3363998{n:04}": uuid.uuid4().hex for n in range(first, first + count)}


@pytest.mark.slow
@pytest.mark.case("C07", "C02", "C03")
@pytest.mark.skipif(forbidding.why_not() is not None, reason=str(forbidding.why_not()))
async def test_a_disk_that_turns_read_only_in_mid_run_and_back(tmp_path: Path) -> None:
    async with program.phones(9) as phones, asked(tmp_path, phones.url) as (made, gate):
        pid = made.process.pid
        before, meanwhile = crowd(1, 10), crowd(11, 20)
        assert await written(made, before) == {200: 10}
        with gate.in_force():
            # Not one is told that it was stored, so each provider comes again.
            assert await written(made, meanwhile) == {503: 20}
            told = await made.health()
            assert not told["ok"]
            assert not told["store"]["ok"]
            assert str(made.disk) in told["store"]["mend"]
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{made.url}/health") as answer:
                    assert (answer.status, await answer.json()) == (503, {"ok": False})
                async with session.get(f"{made.url}/") as answer:
                    assert answer.status == 200
            # All that was promised falls due, and nothing goes out that cannot be written down.
            await made.runs_for(PAST_DUE_S)
            assert (await phones.ledger())["deliveries"] == []
            assert not await made.is_well()
        assert gate.refused > len(meanwhile)
        await program.until("a good word about the disk", made.is_well)
        for who, name in meanwhile.items():
            again = functools.partial(test_storage.is_taken, made, name, who)
            await program.until("a message to be taken", again)
        assert made.stored() == len(before | meanwhile)
        assert made.process.pid == pid
        await answered(phones, made, before | meanwhile)


def owned() -> list[str]:
    """Words that make modes hold: in a namespace of its own root is only the owner of its files."""
    return ["unshare", "--user"] if os.geteuid() == 0 else []


def why_modes_do_not_hold() -> str | None:
    """None if they do."""
    if os.geteuid() != 0:
        return None
    return test_storage.why_not() if shutil.which("unshare") else "root, and no unshare here"


@pytest.mark.slow
@pytest.mark.case("C07", "C01")
async def test_a_file_and_a_folder_whose_modes_forbid_writing(tmp_path: Path) -> None:
    """What is open stays open: it goes on, and says at its next start what is the matter."""
    if (reason := why_modes_do_not_hold()) is not None:
        pytest.skip(reason)
    async with program.phones(10) as phones:
        made = OnDisk(tmp_path, phones.url, owned())
        async with program.ended(made):
            await made.start()
            await made.ready()
            before, meanwhile = crowd(1, 10), crowd(11, 20)
            assert await written(made, before) == {200: 10}
            files = sorted(made.disk.iterdir())
            modes = {path: path.stat().st_mode for path in (*files, made.disk)}
            for path in modes:
                path.chmod(0o500 if path.is_dir() else 0o400)
            told = await written(made, meanwhile)
            assert set(told) <= {200, 503}
            taken = told[200]
            await made.kill()
            code, said = await test_storage.ends(made)
            assert code == 3
            assert str(made.disk) in said
            for path, mode in modes.items():
                path.chmod(mode)
            await made.start()
            await made.ready()
            assert made.stored() == len(before) + taken
            for who, name in meanwhile.items():
                assert await test_storage.is_taken(made, name, who)
            assert made.stored() == len(before | meanwhile)
            await answered(phones, made, before | meanwhile)
