"""Events whose key has not come yet: tried again at each sync, told of when patience ends.

A key often comes a moment after its event. The moderators' ones are kept durably, ciphertext and
all, before the sync token that brought them, so that a kill between the two loses no command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from bot.contract import bridge, clock
from bridges.matrix import wire

KEY: Final = "late"
PATIENCE_MS: Final = 30_000
MOST: Final = 100

Hear = Callable[[Mapping[str, Any], str], wire.Heard]


class Late:
    """What we cannot read yet. `storage` None: kept in memory only (strangers' events)."""

    def __init__(self, storage: bridge.Storage | None, moment: clock.Clock) -> None:
        self._storage = storage
        self._clock = moment
        self._waiting: list[dict[str, Any]] = []
        self._changed = False

    async def load(self) -> None:
        """Read what an earlier run left. Once, before anything else."""
        told = await self._storage.get(KEY) if self._storage is not None else None
        self._waiting = json.loads(told) if told else []

    async def add(self, room_id: str, event: Mapping[str, Any]) -> None:
        """One more; the oldest falls out when there are too many. Durable after `save`."""
        ids = {one["event"].get("event_id") for one in self._waiting}
        if event.get("event_id") in ids:
            return
        now_ms = clock.to_ms(self._clock.now())
        self._waiting.append({"room": room_id, "event": dict(event), "since_ms": now_ms})
        del self._waiting[:-MOST]
        self._changed = True

    def now_readable(self, hear: Hear) -> list[tuple[str, wire.Heard]]:
        """Those whose key came, taken off the list; also those that it shows to be replayed."""
        found, left = [], []
        for one in self._waiting:
            heard = hear(one["event"], one["room"])
            if heard.readable or heard.replayed:
                found.append((str(one["room"]), heard))
            else:
                left.append(one)
        self._changed |= len(left) != len(self._waiting)
        self._waiting = left
        return found

    def given_up(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Those that waited too long, taken off the list."""
        before_ms = clock.to_ms(self._clock.now()) - PATIENCE_MS
        old = [one for one in self._waiting if one["since_ms"] <= before_ms]
        self._waiting = [one for one in self._waiting if one["since_ms"] > before_ms]
        self._changed |= bool(old)
        return [(str(one["room"]), one["event"]) for one in old]

    async def save(self) -> None:
        """Make it durable."""
        if self._storage is not None and self._changed:
            await self._storage.put(KEY, json.dumps(self._waiting) if self._waiting else None)
        self._changed = False
