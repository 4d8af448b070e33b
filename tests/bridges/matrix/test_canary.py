"""The canary by Matrix: a stranger at the public handle, and moderators who type it in the room.

The homeserver is a real Synapse, the program the installed one. The folders in which a Matrix
account keeps its own state are left out: as with any client, who wrote to it stands there
(docs/privacy.md, "Beside the database").
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from pathlib import Path

import pytest

from tests.bridges.matrix import people, test_program, world
from tests.e2e import program
from tests.peers import synapse
from tests.privacy import canary

_CONFIG = """
[store]
url = "sqlite:{folder}/antirelou.db"
key_file = "{folder}/antirelou.key"

[web]
port = {port}

[reply]
delay_min_s = 1
delay_max_s = 2

[log]
level = "debug"
format = "json"

[channels.moderators]
kind = "matrix"
role = "room"
homeserver = "{server}"
user = "{of_room}"
folder = "{folder}/client-room"
password_file = "{folder}/password"
room = "{room}"
roster = {{ "{ada}" = "admin" }}

[channels.handle]
kind = "matrix"
role = "public"
homeserver = "{server}"
user = "{of_handle}"
folder = "{folder}/client-handle"
password_file = "{folder}/password"
"""
COMMANDS = (
    f"!why {canary.NUMBER}",
    f"!block {canary.NUMBER} {canary.WORDS}",
    f"!reply #zzzz {canary.WORDS}",
    f"!{canary.WORDS}",
    canary.WORDS,
    "!status",
)


def kept(folder: Path) -> dict[str, bytes]:
    """Every file of the program's own."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.name: path.read_bytes()
        for path in files
        if path.name not in {"config.toml", "password"} and "client-" not in str(path.parent)
    }


def stored(folder: Path) -> int:
    """How many contacts the program has."""
    with contextlib.closing(sqlite3.connect(folder / "antirelou.db", timeout=10)) as connection:
        return int(connection.execute("SELECT count(*) FROM inbound").fetchone()[0])


@pytest.mark.slow
@pytest.mark.case("C33")
async def test_the_canary_is_found_nowhere_in_the_room_and_at_the_handle(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    folder, mark = tmp_path / "bot", secrets.token_hex(4)
    folder.mkdir()
    (folder / "password").write_text(people.PASSWORD)
    ada = people.Person(server, tmp_path, "ada")
    him = people.Person(server, tmp_path, "kanarikanari")
    assert "kanarikanari" in him.user
    names = [server.register(f"{what}-{mark}", people.PASSWORD) for what in ("room", "handle")]
    config = folder / "config.toml"
    try:
        await ada.open()
        await him.open(signed=False)
        room = await ada.create(encrypted=True, invite=[names[0]])
        fill = {"folder": folder, "port": program.free_port(), "server": server.url}
        fill |= {"of_room": names[0], "of_handle": names[1], "room": room, "ada": ada.user}
        config.write_text(_CONFIG.format(**fill))
        for channel in ("moderators", "handle"):
            await test_program.ended(config, "setup", channel, "--apply")
        async with test_program.running(config) as process:
            await ada.until(lambda: world.is_joined(ada, room, names[0]))
            met = await him.create(encrypted=False, invite=[names[1]], direct=True)
            await him.say(met, canary.WORDS)
            for words in COMMANDS:
                await ada.say(room, words)
            # The invitation, then, once the delay is over and we are in, what he wrote.
            await him.until(lambda: stored(folder) >= 2)
            await him.say(met, f"{canary.WORDS} {canary.NUMBER}")
            await him.until(lambda: stored(folder) >= 3)
            await ada.until(lambda: len(ada.texts(names[0])) >= len(COMMANDS) - 1)
            shown = {f"alive: {name}": data for name, data in kept(folder).items()}
            process.terminate()
            await process.wait()
    finally:
        await ada.close()
        await him.close()
    shown |= {f"ended: {name}": data for name, data in kept(folder).items()}
    assert b'"level": "debug"' in shown["ended: log"]
    assert any(name.endswith("-wal") for name in shown)
    # What the room is told is for its members; not even they are shown whom or what.
    shown["told in the room"] = "\n".join(ada.texts(names[0])).encode()
    assert canary.places(shown) == []
