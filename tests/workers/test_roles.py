"""`antirelou run --role web` and `--role worker`: the real program, two of each, one PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import time
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot import outbox
from bot.store import postgres
from tests.e2e import program
from tests.peers import postgres as peers

PEOPLE = 60
LIMIT_S = 90


class Site:
    """Processes of one installation; each has its own port and log."""

    def __init__(self, folder: pathlib.Path, url: str, deliver_to: str) -> None:
        # Written by the same hand as for one process; only the database is another.
        self._made = program.Program(folder, deliver_to, idempotent=False, delay_s=(1, 2))
        self._folder, self._url = folder, url
        self.admins: dict[str, str] = {}
        self.processes: list[asyncio.subprocess.Process] = []

    async def start(self, role: str) -> tuple[asyncio.subprocess.Process, str]:
        port, admin = program.free_port(), program.free_port()
        told = ["--set", f"store.url={self._url}", "--set", f"web.port={port}"]
        told += ["--set", f"web.admin_listen=127.0.0.1:{admin}"]
        self.admins[f"http://127.0.0.1:{port}"] = f"http://127.0.0.1:{admin}"
        with (self._folder / f"log-{len(self.processes)}").open("ab") as log:
            made = await asyncio.create_subprocess_exec(
                *(*program.command(), "run", "--role", role),
                *("--config", str(self._folder / "config.toml"), *told),
                cwd=program.ROOT,
                env=program.environment(),
                stdout=log,
                stderr=log,
            )
        self.processes.append(made)
        return made, f"http://127.0.0.1:{port}"

    def said(self) -> str:
        return "\n".join(one.read_text()[-1500:] for one in sorted(self._folder.glob("log-*")))

    async def end(self) -> list[int | None]:
        for one in self.processes:
            if one.returncode is None:
                one.terminate()
        try:
            async with asyncio.timeout(30):
                return [await one.wait() for one in self.processes]
        finally:
            for one in self.processes:
                with contextlib.suppress(ProcessLookupError):
                    one.kill()


@pytest.fixture
async def store() -> AsyncIterator[postgres.Store]:
    reason = peers.missing()
    if reason is not None:
        pytest.skip(reason)
    with peers.running(fsync=True) as cluster:
        made = postgres.Store(cluster.url("postgres"))
        await made.open()
        yield made
        await made.close()


async def health(session: aiohttp.ClientSession, url: str) -> dict[str, object]:
    try:
        async with session.get(f"{url}/health") as answer:
            found: dict[str, object] = await answer.json()
            return found
    except (aiohttp.ClientError, OSError):
        return {}


async def write(session: aiohttp.ClientSession, urls: list[str], number: int) -> None:
    """One message, with the same id at each door until one of them has stored it."""
    body = {"id": f"m{number}", "from": f"+3363998{number:04d}", "text": "Salut, c'est Max"}
    end_s = time.monotonic() + LIMIT_S
    while time.monotonic() < end_s:
        for url in urls:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with session.post(f"{url}/phone/sms/api/messages", json=body) as answer:
                    if answer.status == 200:
                        return
    raise AssertionError(f"message {number} was never stored")


@pytest.mark.slow
@pytest.mark.case("C01", "C02", "C38")
async def test_web_and_worker_processes_killed_meanwhile_answer_everybody_once(
    tmp_path: pathlib.Path, store: postgres.Store
) -> None:
    async with program.phones(1) as phones, aiohttp.ClientSession() as session:
        site = Site(tmp_path, store._url, phones.url)
        try:
            first, one = await site.start("web")

            async def answers() -> bool:
                assert first.returncode is None, site.said()
                return bool(await health(session, site.admins[one]))

            await program.until("the first answer", answers)
            # Nobody sends yet, and the page says so.
            found = await health(session, site.admins[one])
            assert found["ok"] is False
            assert found["late"] == ["senders"]
            _, two = await site.start("web")
            worker, _ = await site.start("worker")
            await site.start("worker")

            async def well() -> bool:
                return (await health(session, site.admins[two])).get("senders") == 2

            await program.until("two that send", well, LIMIT_S)
            assert (await health(session, site.admins[one]))["late"] == []
            half = PEOPLE // 2
            await asyncio.gather(*(write(session, [one, two], n) for n in range(1, half)))
            first.kill()
            worker.kill()
            await asyncio.gather(*(write(session, [one, two], n) for n in range(half, PEOPLE)))

            async def done() -> bool:
                counts = await store.read(outbox.counts)
                return counts["sent"] + counts["delivered"] + counts["sending"] == PEOPLE - 1

            await program.until("the last reply", done, LIMIT_S)
            codes = await site.end()
            assert sorted(codes, key=str) == [-9, -9, 0, 0], site.said()
        finally:
            await site.end()
        reached = Counter(one["to"] for one in (await phones.ledger())["deliveries"])
    assert set(reached.values()) == {1}
    counts = await store.read(outbox.counts)
    # Only what the killed worker had in hand may be missing, and waits to be settled.
    assert PEOPLE - 1 - counts["sending"] <= len(reached) <= PEOPLE - 1
