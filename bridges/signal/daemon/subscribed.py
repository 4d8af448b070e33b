"""`subscribeReceive` over a socket file or TCP."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from typing import Final

from bot.contract import bridge, clock
from bridges.signal import transport
from bridges.signal.daemon import calls, deadline, handing, jsonrpc, lines, place

LINE_BYTES_MAX: Final = 1024 * 1024


class Subscribed:
    """`subscribeReceive` over a socket file or TCP, on a connection of its own."""

    def __init__(
        self,
        where: place.Place,
        moment: clock.Clock,
        *,
        account: Mapping[str, object],
        pace: handing.Pace | None = None,
    ) -> None:
        """Opens nothing. `account`: the parameters that say whose messages."""
        self._where = where
        self._clock = moment
        self._account = account
        self._pace = pace or handing.Pace()

    async def listen(self, hand: transport.Hand) -> None:
        """See Ear."""
        try:
            connecting = place.connect(self._where)
            opened = await deadline.within(self._clock, calls.CONNECT_LIMIT_S, connecting)
        except (OSError, TimeoutError):
            raise bridge.BridgeDownError("signal-cli's daemon is not there") from None
        line = lines.Lines(opened, line_bytes_max=LINE_BYTES_MAX)
        talk = _Subscription(line, handing.Delivery(hand, self._clock), self._clock, self._pace)
        try:
            await talk.begin(self._account)
            await talk.follow()
        except lines.LinkCutError:
            raise bridge.BridgeDownError("the link to signal-cli's daemon was cut") from None
        except asyncio.CancelledError:
            await handing.farewell(talk.end())
            raise
        finally:
            await talk.drop()


class _Subscription:
    """One connection from its first request to its last line."""

    def __init__(
        self, line: lines.Lines, delivery: handing.Delivery, moment: clock.Clock, pace: handing.Pace
    ) -> None:
        self._line = line
        self._delivery = delivery
        self._clock = moment
        self._pace = pace
        self._reading: asyncio.Future[list[bytes]] | None = None
        self._idents = itertools.count(1)
        self._answers: dict[str, jsonrpc.Response] = {}
        self._begun = ""

    async def begin(self, account: Mapping[str, object]) -> None:
        """Subscribe; messages may come before the answer does."""
        # Set before it is written: cancelled right after, we know that messages may be coming.
        self._begun = self._ident()
        await self._write(self._begun, "subscribeReceive", account)
        if not await self._until(self._begun):
            raise bridge.BridgeDownError("signal-cli's daemon does not answer")
        if (error := self._answers[self._begun].error) is not None:
            raise handing.down(error)

    async def follow(self) -> None:
        """Hand over until the link is cut; ask for a sign of life where there is none."""
        while True:
            if await self._heard(self._pace.ping_every_s):
                continue
            ident = self._ident()
            await self._write(ident, "version", {})
            if not await self._heard(self._pace.ping_limit_s):
                raise bridge.BridgeDownError("the link to signal-cli's daemon is half open")
            self._answers.pop(ident, None)

    async def end(self) -> None:
        """Unsubscribe and hand over what is still on its way: a planned stop loses nothing."""
        await self._delivery.give_again()
        if self._begun and await self._until(self._begun):
            number = self._answers[self._begun].result
            ident = self._ident()
            await self._write(ident, "unsubscribeReceive", {"subscription": number})
            await self._until(ident)

    async def drop(self) -> None:
        """Close, whatever is on its way."""
        if self._reading is not None:
            await deadline.dropped(self._reading)
        await self._line.close()

    async def _until(self, ident: str) -> bool:
        """Hand over until the answer to `ident` is there; False after a silence."""
        while ident not in self._answers:
            if not await self._heard(self._pace.ping_limit_s):
                return False
        return True

    def _ident(self) -> str:
        return str(next(self._idents))

    async def _write(self, ident: str, method: str, params: Mapping[str, object]) -> None:
        writing = self._line.write(jsonrpc.request(ident, method, params))
        try:
            await deadline.within(self._clock, self._pace.ping_limit_s, writing)
        except TimeoutError:
            raise bridge.BridgeDownError("the link to signal-cli's daemon is half open") from None

    async def _heard(self, seconds: float) -> bool:
        """Hand over what comes within `seconds`; whether anything came."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._line.some())
        if not await deadline.done_in(self._clock, seconds, self._reading):
            return False
        said, self._reading = self._reading, None
        batch: list[object] = []
        for line in said.result():
            # What makes no sense is passed over: to cut the link would lose what stands behind it.
            with contextlib.suppress(ValueError):
                told = jsonrpc.read(line)
                if isinstance(told, jsonrpc.Response):
                    self._answers.setdefault(told.ident, told)
                elif told.method == "receive":
                    batch.append(told.params)
        await self._delivery.give(batch)
        return True
