"""The Twilio emulator of npm (emulate@0.12.2): a process on loopback that keeps its own list.

tools/peers.sh puts it into .cache/peers/emulate; where it is not, a test that asks for it is
skipped aloud. It lacks 429, 5xx, prices, error codes and date filters: an own fault proxy stands
in front of it (tests/bridges/sms/twilio/between.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / ".cache" / "peers" / "emulate" / "node_modules" / "emulate" / "dist" / "api.js"
START_LIMIT_S = 20.0


def missing() -> str | None:
    """Why it cannot be had here, None if it can."""
    if shutil.which("node") is None:
        return "no node here: the Twilio emulator cannot run"
    return None if PACKAGE.exists() else "no Twilio emulator: bash tools/peers.sh says why"


@contextlib.asynccontextmanager
async def running(
    account: str, token: str, numbers: Sequence[Mapping[str, str]]
) -> AsyncIterator[str]:
    """An emulator with one account; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seed = {"account": {"sid": account, "auth_token": token}, "phone_numbers": list(numbers)}
    script = Path(__file__).with_name("emulate.mjs")
    process = await asyncio.create_subprocess_exec(
        *("node", str(script), str(PACKAGE), json.dumps(seed)),
        env={**os.environ, "PORT": str(port)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_LIMIT_S):
            url = (await process.stdout.readline()).decode().strip()
        assert url.startswith("http://"), url
        # What it writes later is read, or a full pipe would stop it.
        drain = asyncio.create_task(process.stdout.read())
        try:
            yield url
        finally:
            process.kill()
            await drain
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
