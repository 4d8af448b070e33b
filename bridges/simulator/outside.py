"""Phones in another process: for tests that kill ours and count what really got through.

The outside world is a loopback URL that is POSTed each reply and keeps its own ledger. Its
answers map to the closed set of outcomes exactly as a real provider's would:

    200 and {"id": "..."}       Accepted        seen now
    409                         Accepted        seen before; our repeat was dropped
    429                         NotNow          after Retry-After seconds, else 60
    other 4xx                   Rejected        certainly not taken
    nobody listening            NotNow          no connection, so nothing can have gone out
    all else, cut, too slow     Unknown         it may have got through
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Final

import aiohttp

from bot.contract import clock, messages, outcomes

SEND_LIMIT_S: Final = 5.0
RETRY_S: Final = 60
MAX_RETRY_S: Final = 86_400
MAX_ANSWER_BYTES: Final = 4_096


class Outside:
    """One outside world. The session is opened at the first send, in the loop that sends."""

    def __init__(self, url: str, time: clock.Clock, *, limit_s: float = SEND_LIMIT_S) -> None:
        """`url` was checked by the settings to be of this machine; `limit_s` are real seconds."""
        self._url = url
        self._clock = time
        self._limit_s = limit_s
        self._session: aiohttp.ClientSession | None = None

    async def deliver(
        self, reply: messages.OutboundReply, quote: messages.Quote
    ) -> outcomes.Outcome:
        """Hand over one reply; never raises but CancelledError."""
        body = {
            "reply_id": reply.reply_id,
            "from": reply.sender.value,
            "to": reply.recipient.value,
            "text": reply.text,
            "parts": quote.parts,
            "cost": quote.price.decimal(),
        }
        try:
            async with self._opened().post(self._url, json=body, allow_redirects=False) as response:
                raw = await response.content.read(MAX_ANSWER_BYTES)
                retry_after = response.headers.get("Retry-After", "")
                return self._outcome(response.status, raw, retry_after, reply, quote)
        except aiohttp.ClientConnectorError:
            return self._not_now("nobody listens at deliver_to", RETRY_S)
        except TimeoutError:
            return outcomes.Unknown(reason="time limit")
        except (aiohttp.ClientError, OSError):
            return outcomes.Unknown(reason="connection cut")

    async def answers(self) -> bool:
        """Whether something listens there at all, whatever it says to a GET."""
        try:
            async with self._opened().get(self._url, allow_redirects=False):
                return True
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=self._limit_s)
            # Unlimited: a send that waits for a connection would run into its own time limit.
            self._session = aiohttp.ClientSession(
                timeout=limit, trust_env=False, connector=aiohttp.TCPConnector(limit=0)
            )
        return self._session

    def _outcome(
        self,
        status: int,
        raw: bytes,
        retry_after: str,
        reply: messages.OutboundReply,
        quote: messages.Quote,
    ) -> outcomes.Outcome:
        if status == 409:  # noqa: PLR2004 (HTTP)
            provider_id = _provider_id(raw) or reply.reply_id
            return outcomes.Accepted(provider_id=provider_id, parts=quote.parts, price=quote.price)
        if status == 200:  # noqa: PLR2004 (HTTP)
            told = _provider_id(raw)
            if told is None:
                return outcomes.Unknown(reason="an answer without an id")
            return outcomes.Accepted(provider_id=told, parts=quote.parts, price=quote.price)
        if status == 429:  # noqa: PLR2004 (HTTP)
            return self._not_now("told to wait", _seconds(retry_after))
        if 400 <= status < 500:  # noqa: PLR2004 (HTTP)
            return outcomes.Rejected(reason=f"refused with {status}")
        return outcomes.Unknown(reason=f"answered {status}")

    def _not_now(self, reason: str, seconds: int) -> outcomes.NotNow:
        return outcomes.NotNow(
            reason=reason, retry_at=self._clock.now() + dt.timedelta(seconds=seconds)
        )


def _provider_id(raw: bytes) -> str | None:
    """The id out of an answer; None for an answer that nobody can read."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    told = found.get("id") if isinstance(found, dict) else None
    usable = isinstance(told, str) and 0 < len(told) <= messages.MAX_ID_CHARACTERS
    return told if isinstance(told, str) and usable else None


def _seconds(retry_after: str) -> int:
    """Whole seconds of a Retry-After header; dates and nonsense count as a minute."""
    digits = retry_after.strip()
    if digits.isascii() and digits.isdigit() and len(digits) <= 6:  # noqa: PLR2004 (11 days)
        return min(int(digits), MAX_RETRY_S)
    return RETRY_S
