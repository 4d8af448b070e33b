"""Requests to signal-cli-rest-api: one at a time each, bounded in time and size, never repeated.

Nothing is logged here, and no error holds what the neighbour said.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Sequence
from typing import Final

import aiohttp

from bridges.signal import answers
from bridges.signal.transport import AwayError

ASK_LIMIT_S: Final = 4.0
CONNECT_LIMIT_S: Final = 3.0
SEND_CONNECT_LIMIT_S: Final = 0.9
"""Of a send, with the wait for a connection of the pool. With `pace.PATIENCE_S` it stays below the
two seconds that a pause may take (C21); the neighbour is near."""
MAX_ANSWER: Final = 8_000_000
FINE: Final = range(200, 300)


class Http:
    """The neighbour behind one URL; opens its session at the first request."""

    def __init__(self, url: str) -> None:
        """`url` has no slash at its end."""
        self._url = url
        self._opened: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """One session; every request has a connection of its own.

        A connection kept from before may be dead already, and then nobody knows whether the
        message was read. Proxies of the environment are not asked: the neighbour is near.
        """
        if self._opened is None or self._opened.closed:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=32),
                trust_env=False,
                auto_decompress=True,
            )
        return self._opened

    def url(self, *path: str) -> str:
        """`/v1/...` below the configured address; parts are quoted."""
        quoted = "/".join(urllib.parse.quote(part, safe="") for part in path)
        return f"{self._url}/{quoted}"

    async def ask(
        self, method: str, path: Sequence[str], query: Sequence[tuple[str, str]] = ()
    ) -> object:
        """A question with a JSON answer. Raises AwayError."""
        status, body = await self.attempt(method, path, query=query)
        if status not in FINE:
            raise AwayError(f"answered {status}")
        return answers.parsed(body)

    async def attempt(
        self,
        method: str,
        path: Sequence[str],
        *,
        query: Sequence[tuple[str, str]] = (),
        body: object = None,
        limit_s: float = ASK_LIMIT_S,
    ) -> tuple[int, bytes]:
        """Status and body of a question, never of a send. Raises AwayError."""
        limit = aiohttp.ClientTimeout(total=limit_s, sock_connect=CONNECT_LIMIT_S)
        try:
            return await self.request(method, path, query=query, body=body, limit=limit)
        except TimeoutError:
            raise AwayError("no answer within the time limit") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise AwayError("the neighbour is not there") from None

    async def request(
        self,
        method: str,
        path: Sequence[str],
        *,
        query: Sequence[tuple[str, str]] = (),
        body: object = None,
        limit: aiohttp.ClientTimeout,
    ) -> tuple[int, bytes]:
        """Status and bounded body; redirects are not followed: a POST would be lost on the way."""
        data = None if body is None else json.dumps(body).encode()
        async with self.session().request(
            method,
            self.url(*path),
            params=list(query) or None,
            data=data,
            headers={"content-type": "application/json"} if data is not None else None,
            timeout=limit,
            allow_redirects=False,
        ) as answer:
            read = bytearray()
            async for piece in answer.content.iter_any():
                read += piece
                if len(read) > MAX_ANSWER:
                    raise ValueError("the answer is too long")
            return answer.status, bytes(read)

    async def close(self) -> None:
        """End the session."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()
