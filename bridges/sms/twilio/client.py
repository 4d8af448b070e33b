"""The official SDK's client, with what it lacks: time limits, silence, and certainty.

Twilio's async HTTP client has no time limit (its `timeout` is not used), logs recipients at
INFO, keeps no Retry-After, and gives one kind of error for "refused" and "nobody knows". So its
request is made here, and ends in one of four ways:

    an answer        2xx with JSON (or empty, as after a DELETE)
    RefusedError     4xx: certainly not done
    AbsentError      no connection was made: certainly not done
    LostError        cut, too slow, 3xx, 5xx, nonsense: nobody knows

None of them holds an address or a text. Nothing is ever asked a second time in here.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from twilio import rest  # type: ignore[import-untyped]  # the SDK has no types of its own
from twilio.http import async_http_client, response  # type: ignore[import-untyped]

from bridges.sms.twilio import errors, settings

CONNECT_LIMIT_S: Final = 5.0
SEND_CONNECT_LIMIT_S: Final = 1.5
"""Name, connection and TLS of a send together: what is connected later leaves later, also after a
pause that came meanwhile, which may take two seconds (C21)."""
READ_LIMIT_S: Final = 30.0
"""For a question; a page of the list holds a thousand messages."""
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_LOGGERS: Final = ("twilio.http_client", "twilio.async_http_client")
_TIMEOUT: Final = 408


class RefusedError(Exception):
    """Twilio said no."""

    def __init__(self, refusal: errors.Refusal) -> None:
        super().__init__(f"refused with status {refusal.status}, code {refusal.code}")
        self.refusal = refusal


class AbsentError(Exception):
    """Twilio could not be connected to."""


class LostError(Exception):
    """It may have been done or not."""


SayingNo = (RefusedError, AbsentError, LostError)


class Http(async_http_client.AsyncTwilioHttpClient):  # type: ignore[misc]  # untyped base
    """The SDK's client with a session of its own."""

    def __init__(self, limit_s: float) -> None:
        """`limit_s`: real seconds for whatever changes something. Made in a running loop."""
        super().__init__(pool_connections=False, timeout=limit_s)
        # A kept connection that Twilio just closed would make a send unknown that never left:
        # at one send a second a handshake each is cheap. No limit: waiting for a place in the
        # pool would be counted as Twilio's time.
        self._sends = aiohttp.ClientTimeout(total=limit_s, connect=SEND_CONNECT_LIMIT_S)
        self._reads = aiohttp.ClientTimeout(total=READ_LIMIT_S, sock_connect=CONNECT_LIMIT_S)
        self.session = aiohttp.ClientSession(
            trust_env=False,
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
        )

    async def request(  # noqa: PLR0917 (the SDK's signature)
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # ours holds for all requests
        allow_redirects: bool = False,  # noqa: FBT001, FBT002
    ) -> response.Response:
        """One request, once."""
        lines = dict(headers or {})
        if auth is not None:
            login = base64.b64encode(f"{auth[0]}:{auth[1]}".encode()).decode()
            lines["Authorization"] = f"Basic {login}"
        try:
            async with self.session.request(
                method.upper(),
                url,
                params=_plain(params),
                data=_plain(data),
                headers=lines,
                timeout=self._reads if method.upper() == "GET" else self._sends,
                allow_redirects=False,
            ) as answer:
                raw = await _whole(answer.content)
                return _judged(answer.status, raw, answer.headers)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise AbsentError("no connection to Twilio") from None
        except TimeoutError:
            raise LostError("time limit") from None
        except (aiohttp.ClientError, OSError):
            raise LostError("connection cut") from None


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """The body to its end. One `read` gives only what has arrived by then."""
    raw = bytearray()
    async for part in content.iter_any():
        raw += part
        if len(raw) > MAX_ANSWER_BYTES:
            raise LostError("an endless answer")
    return bytes(raw)


class Account:
    """Twilio's client for one account, made at its first use in the loop that uses it."""

    def __init__(self, chosen: settings.Settings) -> None:
        self._settings = chosen
        self._http: Http | None = None
        self._sdk: Any = None
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)

    @property
    def sdk(self) -> Any:  # noqa: ANN401 (untyped)
        """`twilio.rest.Client`; its calls raise the errors of this module."""
        if self._sdk is None:
            self._http = Http(self._settings.send_limit_s)
            self._sdk = rest.Client(
                self._settings.username,
                self._settings.password,
                self._settings.account_sid,
                http_client=self._http,
            )
            if self._settings.base_url is not None:
                for domain in (self._sdk.api, self._sdk.pricing, self._sdk.lookups):
                    domain.base_url = self._settings.base_url
        return self._sdk

    async def close(self) -> None:
        """Give the connections back; a later use opens them again."""
        http, self._http, self._sdk = self._http, None, None
        if http is not None:
            await http.session.close()


def _plain(told: Mapping[str, object] | None) -> dict[str, str] | None:
    """As the query and the form take it: texts, and no word for what is not set."""
    if told is None:
        return None
    return {name: str(value) for name, value in told.items() if value is not None}


def _judged(status: int, raw: bytes, headers: Mapping[str, str]) -> response.Response:
    """The SDK's Response of a good answer; raises for the others."""
    try:
        text = raw.decode("utf-8")
        told = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        text, told = "", None
    if 200 <= status < 300 and isinstance(told, dict):  # noqa: PLR2004 (HTTP)
        return response.Response(status, text, headers)
    # 408 is a gateway's "too slow", not Twilio's no.
    if 400 <= status < 500 and status != _TIMEOUT:  # noqa: PLR2004 (HTTP)
        code = told.get("code") if isinstance(told, dict) else None
        raise RefusedError(
            errors.Refusal(
                status=status,
                code=code if type(code) is int else 0,
                retry_after_s=_seconds(headers.get("Retry-After", "")),
            )
        )
    raise LostError(f"answered {status}" if told is not None else f"nonsense with {status}")


def _seconds(retry_after: str) -> int | None:
    """Whole seconds of a Retry-After header; None for a date, nonsense or nothing."""
    digits = retry_after.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 7 else None  # noqa: PLR2004 (11 days)
