"""Requests to the homeserver, each with a time limit, each ending in a body or a named error.

    error           it certainly did nothing    what to do
    AwayError       only if `unsent`            ask again after a growing pause
    LimitedError    yes                         ask again after `retry_after_s`
    TokenError      yes                         a human must log in
    RefusedError    yes                         never as it is

matrix-nio's own client is not used for this: it retries 429 and time-outs for ever and hammers on
a 401 (PROVIDERS.md, Matrix). It must not log: a path may hold an account's name.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import yarl

LIMIT_S: Final = 20.0
MAX_RETRY_AFTER_S: Final = 600.0
DEFAULT_RETRY_AFTER_S: Final = 5.0
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
CLIENT: Final = "/_matrix/client/v3"
MEDIA: Final = "/_matrix/media/v3"
_OK: Final = range(200, 300)
_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_BROKEN: Final = 500
_TOKEN_CODES: Final = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"})

Body = dict[str, Any]


class CallError(Exception):
    """A request that did not end well. The message holds no address, no text, no secret."""


class AwayError(CallError):
    """No answer, or one that nobody can read. `unsent`: it certainly never left us."""

    def __init__(self, reason: str, *, unsent: bool = False) -> None:
        super().__init__(reason)
        self.unsent = unsent


class LimitedError(CallError):
    """429: nothing was done; ask again after `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("the homeserver asks for patience")
        self.retry_after_s = retry_after_s


class RefusedError(CallError):
    """4xx: `status`, and Matrix's own `code` (M_FORBIDDEN). `body` as it came (for 401 flows)."""

    def __init__(self, status: int, code: str, body: Body) -> None:
        super().__init__(f"refused: {status} {code}")
        self.status = status
        self.code = code
        self.body = body


class TokenError(RefusedError):
    """401: our access token is no longer known."""


def path(*parts: str, under: str = CLIENT) -> str:
    """A path with each part quoted whole: room ids hold `!` and `:`, event ids `$` and `/`."""
    return "/".join((under, *(urllib.parse.quote(part, safe="") for part in parts)))


class Homeserver:
    """One homeserver and our token on it."""

    def __init__(self, url: str, token: str = "") -> None:
        """`url` without a slash at its end; nothing is opened before the first call."""
        self._url = url.rstrip("/")
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        target: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        limit_s: float = LIMIT_S,
        connect_s: float | None = None,
    ) -> Body:
        """One request; the JSON object that came back. Raises CallError.

        `connect_s`: how long it may wait for a connection, with nothing sent; None: `limit_s`.
        """
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        limit = aiohttp.ClientTimeout(total=limit_s, connect=connect_s)
        return await self._ask(
            method, target, data, kind="application/json", query=query or {}, limit=limit
        )

    async def upload(self, data: bytes, kind: str, name: str) -> str:
        """Store a file; its `mxc://` address. Raises CallError."""
        query = {"filename": name} if name else {}
        limit = aiohttp.ClientTimeout(total=LIMIT_S)
        told = await self._ask(
            "POST", path("upload", under=MEDIA), data, kind=kind, query=query, limit=limit
        )
        uri = told.get("content_uri")
        if not isinstance(uri, str):
            raise AwayError("an upload was answered without an address")
        return uri

    async def close(self) -> None:
        """Give back the connections; may come twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(
        self,
        method: str,
        target: str,
        data: bytes | None,
        *,
        kind: str,
        query: Mapping[str, str],
        limit: aiohttp.ClientTimeout,
    ) -> Body:
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=True)
        url = self._url + target + ("?" + urllib.parse.urlencode(query) if query else "")
        headers = {"Content-Type": kind}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            async with self._session.request(
                method,
                yarl.URL(url, encoded=True),
                data=data,
                headers=headers,
                timeout=limit,
                allow_redirects=False,
            ) as answer:
                raw = await answer.content.read(-1)
                return _read(answer.status, answer.headers.get("Retry-After"), raw)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise AwayError("nobody answers at the homeserver's address", unsent=True) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AwayError(f"no whole answer ({type(error).__name__})") from None


def _read(status: int, retry_after: str | None, raw: bytes) -> Body:
    """The body of a good answer; everything else as its error."""
    try:
        told = json.loads(raw) if len(raw) <= MAX_BODY_BYTES else None
    except (ValueError, RecursionError):
        told = None
    body: Body = told if isinstance(told, dict) else {}
    if status in _OK:
        if not isinstance(told, dict):
            raise AwayError("an answer that is no JSON object")
        return body
    code = body.get("errcode")
    code = code if isinstance(code, str) and code.startswith("M_") and len(code) < 64 else ""  # noqa: PLR2004 (a code, not a text)
    if status == _TOO_MANY or code == "M_LIMIT_EXCEEDED":
        raise LimitedError(_patience_s(body.get("retry_after_ms"), retry_after))
    if status == _UNAUTHORIZED and code in _TOKEN_CODES:
        raise TokenError(status, code, body)
    if status >= _BROKEN or status < 400 or (not code and "flows" not in body):  # noqa: PLR2004
        # A proxy in front says 404 in HTML while the homeserver restarts: that is no refusal.
        raise AwayError(f"answer {status}")
    raise RefusedError(status, code, body)


def _patience_s(told_ms: object, header: str | None) -> float:
    if isinstance(told_ms, int | float) and told_ms > 0:
        return min(told_ms / 1000, MAX_RETRY_AFTER_S)
    if header is not None and header.isdecimal():
        return min(float(header), MAX_RETRY_AFTER_S)
    return DEFAULT_RETRY_AFTER_S
