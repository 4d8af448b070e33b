"""Who of several processes leads the flood, keeps house, or listens on a channel (PostgreSQL).

A hold is an advisory lock of a session of its own: it ends with its process, and the server ends
a session that was silent for IDLE_S (the process is stopped, the host is lost). Whoever asks next
takes over. Nothing that must not happen twice may rest on it alone: a holder that was stopped
learns only at its next question that it holds nothing any more.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import structlog

_log = structlog.get_logger(__name__)

IDLE_S: Final = 20
# Holders ask at least as often; a question is as good as a sign of life.
ASK_S: Final = 5.0
_LIMIT_S: Final = 5.0


class Driver(Protocol):
    """What is used of an asyncpg connection, which has no types of its own."""

    async def execute(self, query: str, *args: object) -> str:
        """Run; the server's word, such as `UPDATE 5`."""

    async def fetch(self, query: str, *args: object) -> Sequence[Sequence[Any]]:
        """All rows."""

    async def fetchval(self, query: str, *args: object) -> Any:  # noqa: ANN401 (any column)
        """The first column of the first row."""

    async def set_type_codec(self, typename: str, **how: object) -> None:
        """How values of a type are read and written."""

    def is_closed(self) -> bool:
        """Whether either side has closed it."""

    def terminate(self) -> None:
        """Close it without a word."""


class Holds:
    """What this process holds. `connect` opens the session."""

    def __init__(self, connect: Callable[[], Awaitable[Driver]]) -> None:
        """Nothing is held yet."""
        self._connect = connect
        self._session: Driver | None = None
        self._held: set[str] = set()
        self._turn = asyncio.Lock()

    async def hold(self, name: str) -> bool:
        """Whether `name` is this process's now; takes it where nobody has it."""
        async with self._turn:
            try:
                async with asyncio.timeout(_LIMIT_S):
                    return await self._ask(name)
            except driver_errors() as error:
                if self._held:
                    _log.warning("holds_lost", n=len(self._held), error=type(error).__name__)
                self._let_go()
                return False

    async def _ask(self, name: str) -> bool:
        if self._session is None or self._session.is_closed():
            self._let_go()
            self._session = await self._connect()
        if name in self._held:
            await self._session.execute("SELECT 1")
            return True
        taken = await self._session.fetchval("SELECT pg_try_advisory_lock($1)", number(name))
        if taken:
            self._held.add(name)
            _log.info("holds", what=name)
        return bool(taken)

    def _let_go(self) -> None:
        self._held.clear()
        session, self._session = self._session, None
        if session is not None:
            session.terminate()

    async def close(self) -> None:
        """Let everything go, for others to take at once."""
        async with self._turn:
            self._let_go()


def number(name: str) -> int:
    """The lock's key: 63 bits of the name's hash, for all processes the same."""
    return int.from_bytes(hashlib.sha256(f"antirelou {name}".encode()).digest()[:8], "big") >> 1


def driver_errors() -> tuple[type[Exception], ...]:
    """What asyncpg and the line may raise; the third when the server ends a session as we speak."""
    import asyncpg  # noqa: PLC0415 (an extra: SQLite alone goes without it)

    return asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError
