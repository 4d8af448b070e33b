"""What the bridge remembers across restarts, in its small store, bounded.

`parts:SLOT`      one reply of several parts: how many there are and which were delivered
`seen:NAME`       when something was last seen: any event, a message, a test of the checklist
`failures`        the events of the sends that failed in a row

Nothing of a person: reply ids are made up, and no number or text is kept.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable
from typing import Final, TypeVar

from bot.contract import bridge, intake

SLOTS: Final = 1_024
"""Replies of several parts that are followed at a time; a newer one takes an older one's slot."""
FAILURES: Final = 3
"""So many sends that failed in a row stop the channel."""
T = TypeVar("T")


async def stored(call: Awaitable[T]) -> T:
    """The result; NotStoredError when the database is away, whatever error it says so with."""
    (result,) = await asyncio.gather(call, return_exceptions=True)
    if isinstance(result, Exception):
        raise intake.NotStoredError("the bridge's notes cannot be kept") from None
    if isinstance(result, BaseException):
        raise result
    return result


class Notes:
    """The notes of one channel. Every method may raise NotStoredError."""

    def __init__(self, storage: bridge.Storage) -> None:
        """Reads nothing yet."""
        self._storage = storage
        self._lock = asyncio.Lock()

    async def expect(self, reply_id: str, parts: int) -> None:
        """A reply of several parts goes out; one of one part needs no note."""
        if parts > 1:
            async with self._lock:
                found = await self._slot(reply_id)
                await self._keep(reply_id, parts, found[1] if found else [])

    async def parts(self, reply_id: str) -> int:
        """How many parts the reply has; 1 if nothing else is known."""
        found = await self._slot(reply_id)
        return found[0] if found else 1

    async def delivered(self, reply_id: str, event_id: str) -> bool:
        """Note that one part arrived, under the event that says so; whether all have now."""
        async with self._lock:
            found = await self._slot(reply_id)
            if found is None:
                return True
            parts, events = found
            if event_id not in events and len(events) < parts:
                events.append(event_id)
                await self._keep(reply_id, parts, events)
            return len(events) >= parts

    async def fails(self, event_id: str | None) -> bool:
        """Count sends that failed in a row, None for one that went well; whether too many now.

        By event, since the app tells the same one again until we answer.
        """
        async with self._lock:
            told = await stored(self._storage.get("failures"))
            before: list[str] = json.loads(told) if told is not None else []
            after = [] if event_id is None else before
            if event_id is not None and event_id not in before:
                after = [*before, event_id][-FAILURES:]
            if after != before:
                await stored(self._storage.put("failures", json.dumps(after)))
            return len(after) >= FAILURES

    async def saw(self, name: str, at: dt.datetime, detail: str = "") -> None:
        """Note when something was seen last."""
        value = json.dumps({"at": at.isoformat(), "detail": detail})
        await stored(self._storage.put(f"seen:{name}", value))

    async def seen(self, name: str) -> tuple[dt.datetime, str] | None:
        """When it was seen last, with its detail."""
        told = await stored(self._storage.get(f"seen:{name}"))
        if told is None:
            return None
        found = json.loads(told)
        return dt.datetime.fromisoformat(found["at"]), found["detail"]

    async def _slot(self, reply_id: str) -> tuple[int, list[str]] | None:
        told = await stored(self._storage.get(_key(reply_id)))
        if told is None:
            return None
        found = json.loads(told)
        return (found["parts"], found["events"]) if found["reply"] == reply_id else None

    async def _keep(self, reply_id: str, parts: int, events: list[str]) -> None:
        value = json.dumps({"reply": reply_id, "parts": parts, "events": events})
        await stored(self._storage.put(_key(reply_id), value))


def _key(reply_id: str) -> str:
    return f"parts:{int(reply_id[-8:], 16) % SLOTS}"
