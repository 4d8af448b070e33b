"""A hold is only as good as the session that has it: one that was lost is nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bot.store import holds


class Session:
    """A server's session that knows who has which lock; `lost` is a line that was cut."""

    def __init__(self, taken: dict[object, Session]) -> None:
        self.taken, self.lost, self.ended = taken, False, False

    async def fetchval(self, query: str, *args: object) -> bool:
        assert "pg_try_advisory_lock" in query
        self._alive()
        (key,) = args
        return self.taken.setdefault(key, self) is self

    async def execute(self, query: str, *args: object) -> str:
        assert not args
        self._alive()
        return query

    async def fetch(self, query: str, *args: object) -> Sequence[Sequence[Any]]:
        raise AssertionError(query, args)

    async def set_type_codec(self, typename: str, **how: object) -> None:
        raise AssertionError(typename, how)

    def is_closed(self) -> bool:
        # The driver does not know yet: nothing was said on the line since.
        return self.ended

    def terminate(self) -> None:
        self.ended = True

    def cut(self) -> None:
        """The server has noticed, and gives the locks away."""
        self.lost = True
        for key in [key for key, one in self.taken.items() if one is self]:
            del self.taken[key]

    def _alive(self) -> None:
        if self.lost:
            raise ConnectionResetError


@pytest.mark.case("C38")
async def test_who_lost_his_session_does_not_think_that_he_holds() -> None:
    taken: dict[object, Session] = {}
    sessions: list[Session] = []

    async def connect() -> Session:
        sessions.append(Session(taken))
        return sessions[-1]

    ours, theirs = holds.Holds(connect), holds.Holds(connect)
    assert await ours.hold("on:signal")
    assert not await theirs.hold("on:signal")
    sessions[0].cut()
    assert await theirs.hold("on:signal")
    # Asked again, as every few seconds: never two at once.
    assert not await ours.hold("on:signal")
    assert sessions[0].ended
    assert not await ours.hold("on:signal")
    await theirs.close()
    assert sessions[1].ended
