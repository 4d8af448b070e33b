"""Our bridge in a process of its own, to be killed without warning; its door is a SQLite file.

    python child.py DATABASE TABLE.json

It prints `store` before commands are written and `stored` after it (and after the first place in
the stream), so that the parent can kill it just there; and it goes on at once.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.contract import bridge, clock, conformance, room
from bridges import matrix
from bridges.matrix import bridge as matrix_bridge

_SCHEMA = """
create table if not exists events (place integer primary key, id text unique, text text);
create table if not exists kept (key text primary key, value text);
create table if not exists said (id text primary key);
"""


class Door:
    """The core's door in a file; every call is one transaction."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)

    async def events(
        self, batch: Sequence[room.RoomEvent], *, channel: str, cursor: str | None = None
    ) -> None:
        commands = [one for one in batch if isinstance(one, room.Command)]
        first = cursor is not None and self.kept("cursor") is None
        if commands:
            print("store", flush=True)  # noqa: T201 (the parent reads it)
        self._db.execute("begin immediate")
        for one in commands:
            self._db.execute(
                "insert or ignore into events (id, text) values (?, ?)", (one.event_id, one.text)
            )
        if cursor is not None:
            self._keep("cursor", cursor)
        self._db.execute("commit")
        if commands or first:
            print("stored", flush=True)  # noqa: T201 (the parent reads it)

    async def cursor(self, channel: str) -> str | None:
        return self.kept("cursor")

    async def outgoing(self, channel: str, limit: int = 10) -> Sequence[room.Outgoing]:
        """An echo of each command, until it is said."""
        rows = self._db.execute(
            "select place, text from events where place not in (select id from said)"
            " order by place limit ?",
            (limit,),
        )
        return [
            room.Outgoing(
                id=f"echo-{place}",
                room_id=str(self.kept("room")),
                lane=room.Lane.ANSWER,
                plain=f"did {text}",
            )
            for place, text in rows
        ]

    async def ready(self, channel: str) -> None:
        await clock.SystemClock().sleep(0.05)

    async def sent(self, out_id: str, event_id: str) -> None:
        self._db.execute("insert or ignore into said values (?)", (out_id.removeprefix("echo-"),))

    async def refused(self, out_id: str, reason: str) -> None:
        await self.sent(out_id, reason)

    def kept(self, key: str) -> str | None:
        row = self._db.execute("select value from kept where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _keep(self, key: str, value: str | None) -> None:
        self._db.execute("replace into kept values (?, ?)", (key, value))

    async def get(self, key: str) -> str | None:
        return self.kept(f"own/{key}")

    async def put(self, key: str, value: str | None) -> None:
        self._keep(f"own/{key}", value)

    def keep_room(self, room_id: str) -> None:
        self._keep("room", room_id)


async def main(database: str, table: str) -> None:
    """Listen until killed."""
    door = Door(database)
    told = json.loads(Path(table).read_text(encoding="utf-8"))
    door.keep_room(told["room"])
    context = bridge.Context(
        channel="moderators", clock=clock.SystemClock(), storage=door, currency="EUR"
    )
    made = matrix.create(told, context)
    assert isinstance(made, matrix_bridge.Moderators)
    made.host(door)
    await made.listen(conformance.FakeIntake())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
