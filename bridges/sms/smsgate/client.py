"""The app's HTTP API, of the phone or of the server. Every request has a time limit."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Final

import aiohttp

from bridges.sms.smsgate import settings, wire

MAX_ANSWER_BYTES: Final = 4 * 1_048_576
"""A page of 500 messages of the inbox, with room."""
CONNECT_LIMIT_S: Final = 1.5
"""Name and connection together: what is connected later leaves later, also after a pause that came
meanwhile, which may take two seconds (C21)."""


class NobodyThereError(Exception):
    """No connection came about, so nothing was asked."""


class CutError(Exception):
    """Asked, but not answered: a time limit, a cut connection. It may have been done."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API answered. `wait_s`: its Retry-After, None without one."""

    status: int
    body: bytes
    wait_s: int | None = None

    @property
    def is_good(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004 (HTTP)

    def json(self) -> object:
        """The body's value, None where it is no JSON."""
        return wire.json_of(self.body)


class Client:
    """One API; the session is opened at the first request, in the loop that asks."""

    def __init__(self, chosen: settings.Settings) -> None:
        """Opens nothing."""
        self._base = chosen.base
        self._headers = {"Authorization": chosen.authorization, "Accept": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        limit_s: float,
        body: object = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. Raises NobodyThereError, CutError."""
        try:
            async with (
                asyncio.timeout(limit_s),
                self._opened().request(
                    method,
                    f"{self._base}{path}",
                    json=body,
                    params=query,
                    headers=self._headers,
                    allow_redirects=False,
                    # A phone out of reach often swallows what comes: without a connection
                    # nothing was asked, and that must not end as "nobody knows".
                    timeout=aiohttp.ClientTimeout(
                        total=None, connect=min(limit_s / 2, CONNECT_LIMIT_S)
                    ),
                ) as response,
            ):
                raw = await _read(response)
                return Answer(
                    status=response.status,
                    body=raw,
                    wait_s=_seconds(response.headers.get("Retry-After", "")),
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise NobodyThereError from None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            raise CutError from None

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The limit is the request's own; a queue for connections would eat it up.
            self._session = aiohttp.ClientSession(
                trust_env=False,
                connector=aiohttp.TCPConnector(limit=0),
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body; CutError by way of ValueError when it is longer than any good one."""
    found = bytearray()
    async for piece in response.content.iter_chunked(65_536):
        found += piece
        if len(found) > MAX_ANSWER_BYTES:
            raise ValueError("an answer without end")
    return bytes(found)


def _seconds(told: str) -> int | None:
    """Whole seconds of a Retry-After header; dates and nonsense count as none."""
    digits = told.strip()
    if digits.isascii() and digits.isdigit() and len(digits) <= 6:  # noqa: PLR2004 (11 days)
        return min(int(digits), 86_400)
    return None
