"""A full disk, a folder that cannot be written, a damaged file: the real program on a real one.

The disk is a tmpfs of eight megabytes in a namespace of the program's own, which needs no root
where the kernel lets people make one; elsewhere these tests are skipped aloud.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import shutil
import sqlite3
import subprocess
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e import program

MOUNT = "mount -t tmpfs -o size=8m tmpfs {disk} && exec {command}"
READ_ONLY = "mount --bind {disk} {disk} && mount -o remount,bind,ro {disk} && exec {command}"


@functools.cache
def why_not() -> str | None:
    """Why no small disk can be made here, None if it can."""
    if shutil.which("unshare") is None:
        return "no unshare here (util-linux)"
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        check=False,
        capture_output=True,
        timeout=20,
    )
    return None if tried.returncode == 0 else "no namespaces for users here: no small disk"


@pytest.fixture
def namespaces() -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)


class OnSmallDisk(program.Program):
    """Its database lies in `disk`, which is a file system of its own for its process alone."""

    def __init__(self, folder: Path, deliver_to: str, how: str) -> None:
        super().__init__(folder, deliver_to)
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.admin = program.free_port()
        self._how = how

    async def start(self) -> None:
        words = [
            *program.command(),
            *("run", "--config", str(self.folder / "config.toml")),
            *("--set", f"store.url=sqlite:{self.disk}/antirelou.db"),
            *("--set", f"web.admin_listen=127.0.0.1:{self.admin}"),
        ]
        script = self._how.format(disk=self.disk, command=" ".join(words))
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("unshare", "-rm", "sh", "-c", script),
                cwd=program.ROOT,
                env=program.environment(),
                stdout=log,
                stderr=log,
            )

    @property
    def inside(self) -> Path:
        """The disk as the process sees it."""
        return Path(f"/proc/{self.process.pid}/root{self.disk}")

    async def condition(self) -> dict[str, Any]:
        """What its health says of the database, on the listener of those who run it."""
        url = f"http://127.0.0.1:{self.admin}/health"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            told: dict[str, Any] = await answer.json()
            assert (answer.status == 200) == told["ok"]
            found: dict[str, Any] = told["store"]
            return found


async def post(house: program.Program, message_id: str, sender: str) -> int:
    body = {"id": message_id, "from": sender, "text": "salut"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{house.url}/phone/sms/api/messages", json=body) as answer,
    ):
        return answer.status


async def is_taken(house: program.Program, message_id: str, sender: str) -> bool:
    return await post(house, message_id, sender) == 200


def fill(disk: Path) -> None:
    """Until not one byte more goes on it."""
    with (disk / "fill").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4_096))


def stored(house: OnSmallDisk) -> int:
    """Messages in a copy of its files: SQLite itself would look for them outside."""
    for end in ("", "-wal"):
        copy = house.folder / f"copy.db{end}"
        copy.write_bytes((house.inside / f"antirelou.db{end}").read_bytes())
    with contextlib.closing(sqlite3.connect(house.folder / "copy.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM inbound").fetchone()[0])


@pytest.mark.slow
@pytest.mark.case("C07", "C02")
@pytest.mark.usefixtures("namespaces")
async def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_space(tmp_path: Path) -> None:
    async with program.phones(8) as phones:
        made = OnSmallDisk(tmp_path, phones.url, MOUNT)
        async with program.ended(made):
            await made.start()
            await made.ready()
            pid = made.process.pid
            people = {f"+3363998{n:04}": uuid.uuid4().hex for n in range(1, 61)}
            taken = {w for w in list(people)[:10] if await post(made, people[w], w) == 200}
            assert len(taken) == 10
            assert (await made.condition())["ok"]
            fill(made.inside)
            answers = {who: await post(made, people[who], who) for who in list(people)[10:]}
            taken |= {who for who, status in answers.items() if status == 200}
            assert set(answers.values()) <= {200, 503}
            assert 503 in answers.values()
            told = await made.condition()
            assert not told["ok"]
            assert "full" in told["error"]
            assert told["mend"].startswith(f"free some space on the disk of {made.disk}")
            (made.inside / "fill").unlink()
            for who in people.keys() - taken:
                # As a provider does: the same message again, until it is taken.
                again = functools.partial(is_taken, made, people[who], who)
                await program.until("a message to be taken", again)

            async def well() -> bool:
                return bool((await made.condition())["ok"])

            async def answered() -> bool:
                return len((await phones.ledger())["deliveries"]) >= len(people)

            await program.until("a good word about the disk", well)
            await program.until("the last reply", answered, 60)
            assert stored(made) == len(people)
            assert made.process.pid == pid
            code, _ = await made.terminate(20)
            assert code == 0, made.said()
        ledger = await phones.ledger()
    counts = collections.Counter(one["to"] for one in ledger["deliveries"])
    assert counts == dict.fromkeys(people, 1)


async def ends(house: program.Program) -> tuple[int, str]:
    """It does not start: its exit code, and the last line that it said."""
    await house.start()
    async with asyncio.timeout(program.START_LIMIT_S):
        code = await house.process.wait()
    return code, house.said().splitlines()[-1]


@pytest.mark.slow
@pytest.mark.case("C07")
@pytest.mark.usefixtures("namespaces")
async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    made = OnSmallDisk(tmp_path, "http://127.0.0.1:9/", READ_ONLY)
    async with program.ended(made):
        code, said = await ends(made)
    assert code == 3
    assert f"see that {made.disk}/antirelou.db and its folder are there" in said


@pytest.mark.slow
@pytest.mark.case("C07", "C35")
async def test_a_damaged_file_and_a_wrong_key_file_are_refused_by_name(tmp_path: Path) -> None:
    made = program.Program(tmp_path, "http://127.0.0.1:9/")
    async with program.ended(made) as house:
        await house.start()
        await house.ready()
        assert await post(house, "a1", "+33639980001") == 200
        await house.terminate(20)
        whole, keys = house.database.read_bytes(), house.key_file.read_bytes()
        house.database.write_bytes(whole[:4_096] + bytes(40_960) + whole[45_056:])
        code, said = await ends(house)
        assert code == 3
        assert f"{house.database} is damaged" in said
        assert "antirelou restore" in said
        # Nobody "mends" it by making a new one.
        assert house.database.stat().st_size == len(whole)
        house.database.write_bytes(whole)
        house.key_file.unlink()
        code, said = await ends(house)
        assert code == 2
        assert f"the key file {house.key_file} is missing; put it back" in said
        assert not house.key_file.exists()
        house.key_file.touch(0o600)
        lines = keys.splitlines()
        swapped = [lines[0], b"mac" + lines[2][3:], b"enc" + lines[1][3:]]
        house.key_file.write_bytes(b"\n".join(swapped))
        code, said = await ends(house)
        assert code == 2
        assert "does not belong to this database" in said
        house.key_file.write_bytes(keys)
        await house.start()
        await house.ready()
