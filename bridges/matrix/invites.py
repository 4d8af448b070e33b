"""Invitations: which are followed, when, and how many an hour.

Durable in the bridge's own storage: which rooms are to be joined, and when the last joins were.
Room ids only, never who asked: that is asked of the homeserver again.
"""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

from bot.contract import bridge, clock
from bridges.matrix import calls, sync

KEY: Final = "joins"
HOUR_MS: Final = 3_600_000
MOST: Final = 1_000


class Joins:
    """Rooms to be joined, each with its due time (None: not known yet), kept over restarts."""

    def __init__(self, storage: bridge.Storage, moment: clock.Clock, per_hour: int) -> None:
        self._storage = storage
        self._clock = moment
        self._per_hour = per_hour
        self._due: dict[str, int | None] = {}
        self._done: list[int] = []

    @property
    def waiting(self) -> dict[str, int | None]:
        """Room id -> due time in ms, None while nobody said when."""
        return dict(self._due)

    async def load(self) -> None:
        """Read what an earlier run left."""
        told = await self._storage.get(KEY)
        kept: dict[str, Any] = json.loads(told) if told else {}
        self._due = dict(kept.get("due", {}))
        self._done = list(kept.get("done", []))

    async def add(self, room_id: str, due_ms: int | None) -> None:
        """One more, durably; a room that waits already keeps its time."""
        if room_id in self._due or len(self._due) >= MOST:
            return
        self._due[room_id] = due_ms
        await self._save()

    async def settle(self, room_id: str, due_ms: int) -> None:
        """Say when a waiting room is to be joined."""
        self._due[room_id] = due_ms
        await self._save()

    async def drop(self, room_id: str) -> None:
        """It is no longer asked for."""
        if room_id in self._due:
            del self._due[room_id]
            await self._save()

    def due(self) -> list[str]:
        """Rooms whose time has come, oldest first, as many as the hour allows."""
        now_ms = clock.to_ms(self._clock.now())
        ready = sorted(
            (ms, one) for one, ms in self._due.items() if ms is not None and ms <= now_ms
        )
        return [one for _, one in ready[: self.free()]]

    def free(self) -> int:
        """How many may still be joined within this hour."""
        now_ms = clock.to_ms(self._clock.now())
        self._done = [at for at in self._done if now_ms - HOUR_MS < at <= now_ms]
        return max(0, self._per_hour - len(self._done))

    async def joined(self, room_id: str) -> None:
        """We went in."""
        self._due.pop(room_id, None)
        self._done.append(clock.to_ms(self._clock.now()))
        await self._save()

    async def _save(self) -> None:
        kept = {"due": self._due, "done": self._done}
        await self._storage.put(KEY, json.dumps(kept))


async def join(server: calls.Homeserver, room_id: str) -> bool:
    """Go in; False where that is refused (the invitation was taken back). Raises CallError."""
    try:
        await server.call("POST", calls.path("rooms", room_id, "join"), {})
    except calls.TokenError:
        raise
    except calls.RefusedError:
        return False
    return True


def _nothing() -> str:
    """A filter that lets nothing but invitations through, never the same twice.

    Synapse answers a first sync that it answered within two minutes with the same words again.
    """
    no = f"m.antirelou.{secrets.token_hex(4)}"
    return json.dumps(
        {
            "room": {
                "timeline": {"limit": 1, "types": [no]},
                "state": {"types": [no]},
                "ephemeral": {"types": []},
                "account_data": {"types": []},
            },
            "presence": {"types": []},
            "account_data": {"types": []},
        }
    )


async def pending(server: calls.Homeserver, own: str) -> tuple[sync.Invitation, ...]:
    """Everything we are invited to at this moment. Raises CallError."""
    query = {"filter": _nothing(), "set_presence": "offline", "timeout": "0"}
    body = await server.call("GET", calls.path("sync"), query=query, limit_s=60.0)
    rooms = body.get("rooms")
    return sync.invitations_of(rooms if isinstance(rooms, dict) else {}, own)
