"""Requests to the daemon: each asked once, each with its own time limit, answered in any order.

They have a connection of their own, apart from the one that messages come by: an answer must not
wait behind a flood, nor messages be read before somebody can store them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Final, Protocol

import aiohttp

from bot.contract import clock
from bridges.signal.daemon import deadline, jsonrpc, lines, place

CONNECT_LIMIT_S: Final = 5.0
ASK_CONNECT_LIMIT_S: Final = 0.9
"""Of a request, with the wait for a connection of the pool: what has one later leaves later, also
after a pause that came meanwhile (C21). With `pace.PATIENCE_S` it stays below two seconds."""
PENDING_MAX: Final = 256
# listIdentities tells some 300 bytes a person, and a year may bring a hundred thousand of them.
ANSWER_BYTES_MAX: Final = 32 * 1024 * 1024


class NotAskedError(Exception):
    """Nothing was written: nobody is there, or too many wait."""


class NoAnswerError(Exception):
    """Something was written and no answer that can be read came back in time."""


class Calls(Protocol):
    """A way to ask the daemon something."""

    async def ask(self, method: str, params: Mapping[str, object], limit_s: float) -> object:
        """The result. Raises jsonrpc.RefusedError, NotAskedError or NoAnswerError."""

    async def close(self) -> None:
        """Give back connections; may be called twice. A later `ask` opens anew."""


class _Line:
    """One connection with its reader and the requests that wait on it."""

    def __init__(self, opened: lines.Lines) -> None:
        self.lines: Final = opened
        self.waiting: Final[dict[str, asyncio.Future[object]]] = {}
        self.doubted = False
        self.reading: Final = asyncio.ensure_future(self._read())

    @property
    def is_usable(self) -> bool:
        return self.lines.is_open and not self.doubted and not self.reading.done()

    async def _read(self) -> None:
        """Give answers to those who wait; a line that makes no sense ends the connection.

        An answer that nobody waits for (late, or told twice) is dropped.
        """
        try:
            while True:
                for line in await self.lines.some():
                    told = jsonrpc.read(line)
                    if isinstance(told, jsonrpc.Response):
                        self._answer(told)
        except (lines.LinkCutError, ValueError):
            pass
        finally:
            for waiting in self.waiting.values():
                if not waiting.done():
                    waiting.set_exception(NoAnswerError("the connection was cut"))
                    waiting.exception()  # looked at, even where the asker has gone by now
            await self.lines.close()

    def _answer(self, told: jsonrpc.Response) -> None:
        waiting = self.waiting.pop(told.ident, None)
        if waiting is None or waiting.done():
            return
        if told.error is None:
            waiting.set_result(told.result)
        else:
            waiting.set_exception(told.error)

    def retire_if_idle(self) -> None:
        """Close a connection that is not trusted any more, once nobody waits on it."""
        if self.doubted and not self.waiting:
            self.reading.cancel()

    async def close(self) -> None:
        await deadline.dropped(self.reading)


class OverSocket:
    """By a socket file or TCP: one connection, opened at the first call and after each cut."""

    def __init__(self, where: place.Place, moment: clock.Clock) -> None:
        """Opens nothing."""
        self._where = where
        self._clock = moment
        self._line: _Line | None = None
        self._opening = asyncio.Lock()
        self._idents = itertools.count(1)

    async def ask(self, method: str, params: Mapping[str, object], limit_s: float) -> object:
        """See Calls. The limit covers connecting, writing and waiting."""
        until_s = self._clock.monotonic() + limit_s
        try:
            connecting = self._usable()
            line = await deadline.within(self._clock, min(ASK_CONNECT_LIMIT_S, limit_s), connecting)
        except (OSError, TimeoutError):
            raise NotAskedError("nobody is there") from None
        if len(line.waiting) >= PENDING_MAX:
            raise NotAskedError("too many wait for answers")
        if line.lines.is_choked:
            # Behind what it does not read, this would leave when it does.
            raise NotAskedError("it reads nothing")
        left_s = until_s - self._clock.monotonic()
        ident = str(next(self._idents))
        waiting: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        line.waiting[ident] = waiting
        asking = self._exchange(line, jsonrpc.request(ident, method, params), waiting)
        try:
            return await deadline.within(self._clock, left_s, asking)
        except TimeoutError:
            # It may be half open: nothing new is asked on it; what still waits may be answered.
            line.doubted = True
            raise NoAnswerError("no answer within the time limit") from None
        except lines.LinkCutError:
            raise NoAnswerError("the connection was cut") from None
        finally:
            line.waiting.pop(ident, None)
            line.retire_if_idle()

    async def _exchange(
        self, line: _Line, request: bytes, waiting: asyncio.Future[object]
    ) -> object:
        await line.lines.write(request)
        return await waiting

    async def _usable(self) -> _Line:
        async with self._opening:
            if self._line is None or not self._line.is_usable:
                opened = await place.connect(self._where)
                self._line = _Line(lines.Lines(opened, line_bytes_max=ANSWER_BYTES_MAX))
            return self._line

    async def close(self) -> None:
        """See Calls."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()


class OverHttp:
    """By `POST /api/v1/rpc`."""

    def __init__(self, where: place.Place, moment: clock.Clock) -> None:
        """Opens nothing."""
        self._url = f"{where.url}/api/v1/rpc"
        self._clock = moment
        self._session: aiohttp.ClientSession | None = None
        self._idents = itertools.count(1)

    async def ask(self, method: str, params: Mapping[str, object], limit_s: float) -> object:
        """See Calls."""
        ident = str(next(self._idents))
        try:
            asking = self._post(jsonrpc.request(ident, method, params))
            status, body = await deadline.within(self._clock, limit_s, asking)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise NotAskedError("nobody is there") from None
        except TimeoutError:
            raise NoAnswerError("no answer within the time limit") from None
        except (aiohttp.ClientError, OSError):
            raise NoAnswerError("the connection was cut") from None
        if status in {401, 403, 404, 405, 415}:
            raise NotAskedError(f"it answers {status}: is the url right?")
        try:
            told = jsonrpc.read(body)
        except ValueError:
            raise NoAnswerError(f"answered {status} with what nobody can read") from None
        if not isinstance(told, jsonrpc.Response) or told.ident != ident:
            raise NoAnswerError("an answer to another question")
        if told.error is not None:
            raise told.error
        return told.result

    async def _post(self, request: bytes) -> tuple[int, bytes]:
        if self._session is None:
            # Without a time limit of its own: `ask` has one, on the clock that we are given.
            limit = aiohttp.ClientTimeout(total=None, connect=ASK_CONNECT_LIMIT_S)
            self._session = aiohttp.ClientSession(timeout=limit)
        kind = {"Content-Type": "application/json"}
        async with self._session.post(self._url, data=request, headers=kind) as answer:
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise aiohttp.ClientPayloadError("the answer is longer than is allowed")
            return answer.status, bytes(body)

    async def close(self) -> None:
        """See Calls."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
