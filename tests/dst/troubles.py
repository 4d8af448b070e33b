"""What the disk does wrong in a run: away before a transaction, full at its commit, refusing."""

from __future__ import annotations

import collections
import random

from bot.dispatcher import loop
from bot.store import database
from tests.dst import outside, points

_AWAY = "the disk is full, or locked"
_NOT_YET, _NEVER = 0.4, 0.7


class Troubles:
    """Of one run; `world` is told what came of it, `met` that it happened."""

    def __init__(self, draw: random.Random, world: outside.Outside) -> None:
        """All is well."""
        self.met: collections.Counter[str] = collections.Counter()
        self._draw, self._world = draw, world
        self._away = self._full = self._against = 0
        self._failed = self._refuses = self._refused = False

    def end(self) -> None:
        """From here on nothing goes wrong."""
        self._away, self._full, self._against, self._refuses = 0, 0, 0, False

    def away(self, times: int) -> outside.Act:
        """So many transactions in a row do not begin."""

        async def act() -> None:
            self._away = times

        return act

    def full(self, times: int) -> outside.Act:
        """So many commits in a row fail, after all their statements went well."""

        async def act() -> None:
            self._full = times

        return act

    async def refusing(self) -> None:
        """The next result of a send cannot be written as it is, not yet, or never with others."""
        self._refuses = True

    def before(self, name: str) -> None:
        """Raise what is wrong with the disk, for a transaction of this name that is to begin."""
        if self._away > 0:
            self._away -= 1
            self.met["disk_away"] += 1
            raise database.StoreAwayError(_AWAY)
        if name != "dispatcher.record.record":
            return
        # What was refused is written after all, or apart.
        self._world.effects["write_refused"] += self._refused
        self._refused = False
        if self._refuses:
            self._refuses, self._refused = False, True
            roll = self._draw.random()
            if roll < _NOT_YET:
                # What a provider has just taken cannot be written down yet.
                self.met["disk_away"] += 1
                raise database.StoreAwayError(_AWAY)
            self.met["write_refused"] += 1
            if roll < _NEVER:
                raise points.RefusedError
            self._against = loop._AGAINST
        if self._against:
            self._against -= 1
            raise database.AgainstError("conflict")

    def at_commit(self) -> bool | None:
        """Whether SQLite took back what is to be written now; None if it can be written."""
        if self._full <= 0:
            # The first that goes well after those that did not: nothing of them stayed behind.
            self._world.effects["commit_failed"] += self._failed
            self._failed = False
            return None
        self._full -= 1
        self._failed = True
        self.met["commit_failed"] += 1
        return self._draw.random() < 0.5
