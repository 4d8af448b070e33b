"""Receiving by websocket: `/v1/receive` of signal-cli-rest-api in json-rpc mode.

This way LOSES messages, whatever we do: all while nobody is connected, and in a burst most of
them even while we are (PROVIDERS.md: 80-99 % of 1,000 at once). The server drops what does not
fit into its channel; it keeps nothing. It is for trying out; take the webhook or the daemon.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from bot.contract import bridge, intake
from bridges.signal import answers, http, settings, transport

BATCH: Final = 256
WAITING: Final = 20_000
_MAX_MESSAGE: Final = 1_000_000
_ENDS: Final = frozenset({aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED})


async def receive(client: http.Http, chosen: settings.Settings, hand: transport.Hand) -> None:
    """Read until the link is lost, which ends in BridgeDownError; a ping finds it half open."""
    limit = aiohttp.ClientWSTimeout(ws_close=1.0)
    try:
        async with asyncio.timeout(http.ASK_LIMIT_S):
            link = await client.session().ws_connect(
                client.url("v1", "receive", chosen.number),
                timeout=limit,
                heartbeat=chosen.heartbeat_s,
                max_msg_size=_MAX_MESSAGE,
            )
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise bridge.BridgeDownError("websocket: cannot connect") from None
    async with link:
        waiting: asyncio.Queue[object] = asyncio.Queue(WAITING)
        reading = asyncio.create_task(_read(link, waiting))
        try:
            await _hand_on(reading, waiting, hand, chosen.heartbeat_s)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    raise bridge.BridgeDownError("websocket: the link was lost")


async def _read(link: aiohttp.ClientWebSocketResponse, waiting: asyncio.Queue[object]) -> None:
    """As fast as it comes, for what we do not take at once the server drops."""
    while True:
        frame = await link.receive()
        if frame.type is aiohttp.WSMsgType.TEXT:
            await waiting.put(answers.parsed(frame.data.encode("utf-8", "replace")))
        elif frame.type in _ENDS or frame.type is aiohttp.WSMsgType.ERROR:
            return


async def _hand_on(
    reading: asyncio.Task[None],
    waiting: asyncio.Queue[object],
    hand: transport.Hand,
    heartbeat_s: float,
) -> None:
    """Batches of what waits, until the reader has ended and nothing waits any more."""
    await hand([])
    while not (reading.done() and waiting.empty()):
        batch = await _gathered(reading, waiting, heartbeat_s)
        pause_s = 0
        while True:
            await asyncio.sleep(pause_s)
            try:
                await hand(batch)
            except intake.NotStoredError as away:
                pause_s = away.retry_after_s
            else:
                break


async def _gathered(
    reading: asyncio.Task[None], waiting: asyncio.Queue[object], heartbeat_s: float
) -> list[object]:
    """What waits, up to BATCH; empty after a heartbeat's time in which the link held."""
    first = asyncio.ensure_future(waiting.get())
    try:
        await asyncio.wait(
            {first, reading}, timeout=heartbeat_s, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        if not first.done():
            first.cancel()
    batch = [first.result()] if first.done() and not first.cancelled() else []
    while len(batch) < BATCH and not waiting.empty():
        batch.append(waiting.get_nowait())
    return batch
