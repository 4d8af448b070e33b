"""The whole program as installed: set up by the command, run, spoken to, killed, run again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bridges.matrix import people, world
from tests.e2e import program
from tests.peers import synapse

_CONFIG = """
[store]
url = "sqlite:{folder}/antirelou.db"
key_file = "{folder}/antirelou.key"

[web]
port = {port}

[log]
level = "warning"
format = "json"

[channels.sms]
kind = "simulator"
addresses = ["+33639980000"]

[channels.moderators]
kind = "matrix"
role = "room"
homeserver = "{server}"
user = "{user}"
folder = "{folder}/keys"
password_file = "{folder}/password"
room = "{room}"
roster = {{ "{ada}" = "admin" }}
"""


async def ended(config: Path, *words: str) -> str:
    """Run a command to its end; what it printed. Fails unless it went well."""
    process = await asyncio.create_subprocess_exec(
        *program.command(),
        *words,
        "--config",
        str(config),
        cwd=program.ROOT,
        env=program.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    return told.decode()


@contextlib.asynccontextmanager
async def running(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program, killed without warning at the end."""
    with (config.parent / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *program.command(),
            "run",
            "--config",
            str(config),
            cwd=program.ROOT,
            env=program.environment(),
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.slow
@pytest.mark.case("C24", "C25", "C33")
async def test_the_installed_program_is_run_from_an_encrypted_room(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    ada = people.Person(server, tmp_path, "ada")
    user = server.register(f"bot-{secrets.token_hex(4)}", people.PASSWORD)
    (tmp_path / "password").write_text(people.PASSWORD)
    try:
        await ada.open()
        room_id = await ada.create(encrypted=True, invite=[user])
        config = tmp_path / "config.toml"
        config.write_text(
            _CONFIG.format(
                folder=tmp_path,
                port=program.free_port(),
                server=server.url,
                user=user,
                room=room_id,
                ada=ada.user,
            )
        )
        found = json.loads(await ended(config, "setup", "moderators", "--apply", "--json"))
        assert found, "set-up said nothing"
        async with running(config):
            await ada.until(lambda: world.is_joined(ada, room_id, user))
            await ada.say(room_id, "!status")
            await ada.until(lambda: bool(ada.texts(user)))
            answered = len(ada.texts(user))
        # Killed without warning; a command meanwhile; then it runs again.
        await ada.say(room_id, "!help")
        async with running(config):
            await ada.until(lambda: len(ada.texts(user)) > answered)
        assert all(one.encrypted for one in ada.messages(user))
        log = (tmp_path / "log").read_text()
        assert ada.user not in log
        assert "Traceback" not in log
    finally:
        await ada.close()
