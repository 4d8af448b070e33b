"""Server-sent events over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Sequence

import aiohttp

from bot.contract import bridge, clock
from bridges.signal import transport
from bridges.signal.daemon import calls, deadline, handing, jsonrpc, lines, place, sse


class Streamed:
    """`GET /api/v1/events`: server-sent events. What it is cut off from is lost: see the docs."""

    def __init__(
        self,
        where: place.Place,
        moment: clock.Clock,
        *,
        number: str,
        pace: handing.Pace | None = None,
    ) -> None:
        """Opens nothing."""
        self._url = f"{where.url}/api/v1/events"
        self._clock = moment
        self._number = number
        self._pace = pace or handing.Pace()

    async def listen(self, hand: transport.Hand) -> None:
        """See Ear."""
        limit = aiohttp.ClientTimeout(total=None, sock_connect=calls.CONNECT_LIMIT_S)
        # A small buffer: what has been read is lost when we are killed.
        async with aiohttp.ClientSession(timeout=limit, read_bufsize=lines.READ_BYTES) as session:
            try:
                opening = session.get(self._url, params={"account": self._number})
                answer = await deadline.within(
                    self._clock, self._pace.ping_every_s, _opened(opening)
                )
                async with answer:
                    _check(answer.status)
                    await self._follow(answer.content, handing.Delivery(hand, self._clock))
            except TimeoutError:
                raise bridge.BridgeDownError(
                    "the link to signal-cli's daemon is half open"
                ) from None
            except (aiohttp.ClientError, OSError, sse.EventTooLongError):
                raise bridge.BridgeDownError("the link to signal-cli's daemon was cut") from None

    async def _follow(self, content: aiohttp.StreamReader, delivery: handing.Delivery) -> None:
        reader = sse.Reader()
        silence_s = self._pace.ping_every_s + self._pace.ping_limit_s
        try:
            while chunk := await deadline.within(self._clock, silence_s, content.readany()):
                await delivery.give(_decoded(reader.feed(chunk)))
        except asyncio.CancelledError:
            await handing.farewell(delivery.give_again())
            raise
        raise bridge.BridgeDownError("signal-cli's daemon ended the events")


async def _opened(opening: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
    return await opening


def _check(status: int) -> None:
    """The daemon answers 400 where it has no such account."""
    if status == 400:  # noqa: PLR2004 (HTTP: bad request)
        raise handing.down(jsonrpc.RefusedError(jsonrpc.INVALID_PARAMS))
    if status != 200:  # noqa: PLR2004 (HTTP: fine)
        raise bridge.BridgeDownError(f"signal-cli's daemon answers {status}: is the url right?")


def _decoded(events: Sequence[bytes]) -> list[object]:
    found: list[object] = []
    for event in events:
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(event))
    return found
