"""Whose each of our last messages is: a receipt of it counts only if it is his own.

A receipt names nothing but timestamps, and anybody may send one with timestamps that he guessed.
What is kept is bounded and survives a restart; people stand in it as (shortened) keyed hashes.
It is written in pages, so that one send does not write all of them.
"""

from __future__ import annotations

import json
from typing import Final

from bot.contract import bridge

KEY: Final = "sent"
PAGES: Final = 50
ROWS: Final = 100
SHORT: Final = 16  # hexadecimal digits: nobody without the secret can aim at one
KEPT_MS: Final = 30 * 86_400_000  # a phone that was off for longer tells us nothing of use
_MOST: Final = (PAGES - 1) * ROWS


class Sent:
    """The last sends of one account; of one event loop."""

    def __init__(self, storage: bridge.Storage) -> None:
        """Reads nothing before it is asked."""
        self._storage = storage
        self._whose: dict[int, str] | None = None
        self._page: list[tuple[int, str]] = []
        self._turn = 0

    async def note(self, timestamp_ms: int, who: str) -> None:
        """The message of that timestamp went to `who`, a keyed hash."""
        whose = await self._load()
        whose.pop(timestamp_ms, None)
        whose[timestamp_ms] = who[:SHORT]
        while len(whose) > _MOST:
            del whose[next(iter(whose))]
        if len(self._page) >= ROWS:
            self._page, self._turn = [], self._turn + 1
        self._page.append((timestamp_ms, who[:SHORT]))
        page = json.dumps([self._turn, self._page])
        await self._storage.put(f"{KEY}-{self._turn % PAGES}", page)

    async def forget_old(self, now_ms: int) -> None:
        """Rows older than KEPT_MS go from the store too."""
        whose = await self._load()
        oldest_ms = now_ms - KEPT_MS
        if all(stamp >= oldest_ms for stamp in whose):
            return
        for number in range(PAGES):
            raw = await self._storage.get(f"{KEY}-{number}")
            turn, rows = json.loads(raw) if raw is not None else (0, [])
            if turn == self._turn and raw is not None:
                # The page that is written on: what was noted meanwhile is on it.
                rows = self._page
            left = [(stamp, who) for stamp, who in rows if stamp >= oldest_ms]
            if len(left) == len(rows):
                continue
            if turn == self._turn:
                self._page = left
            page = json.dumps([turn, left]) if left else None
            await self._storage.put(f"{KEY}-{number}", page)
        for stamp in [one for one in whose if one < oldest_ms]:
            del whose[stamp]

    async def whose(self, timestamp_ms: int) -> str | None:
        """Beginning of the hash of whom it went to, None if it is none of our last ones."""
        return (await self._load()).get(timestamp_ms)

    async def _load(self) -> dict[int, str]:
        if self._whose is not None:
            return self._whose
        raw = [await self._storage.get(f"{KEY}-{number}") for number in range(PAGES)]
        # Another task may have read it meanwhile, and noted more.
        if self._whose is None:
            pages = sorted(json.loads(page) for page in raw if page is not None)
            self._whose = {stamp: who for _, rows in pages for stamp, who in rows}
            if pages:
                self._turn = pages[-1][0]
                self._page = [(stamp, who) for stamp, who in pages[-1][1]]
        return self._whose
