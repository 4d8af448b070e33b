"""The `receive` command, again and again."""

from __future__ import annotations

import asyncio
from typing import Final

from bot.contract import bridge, clock
from bridges.signal import transport
from bridges.signal.daemon import calls, deadline, handing, jsonrpc


class Polled:
    """The `receive` command again and again: at most `batch` messages are ever on their way.

    Slower than a subscription (signal-cli connects to Signal for each call), and the smallest loss
    when somebody is killed.
    """

    WAIT_S: Final = 1.0  # for the first message; a call ends after so long a silence
    _CALL_LIMIT_S: Final = 60.0

    def __init__(
        self, asking: calls.Calls, moment: clock.Clock, *, number: str, batch: int, pause_s: float
    ) -> None:
        """`batch`: the most messages of one answer. `pause_s`: between two empty answers."""
        self._calls = asking
        self._clock = moment
        self._asked = {"account": number, "timeout": self.WAIT_S, "maxMessages": batch}
        self._batch = batch
        self._pause_s = pause_s

    async def listen(self, hand: transport.Hand) -> None:
        """See Ear."""
        delivery = handing.Delivery(hand, self._clock)
        while True:
            call = asyncio.ensure_future(self._call())
            try:
                batch = await asyncio.shield(call)
                await delivery.give(batch)
            except asyncio.CancelledError:
                await handing.farewell(self._end(call, delivery))
                raise
            finally:
                await deadline.dropped(call)
            if len(batch) < self._batch:
                await self._clock.sleep(self._pause_s)

    @staticmethod
    async def _end(call: asyncio.Future[list[object]], delivery: handing.Delivery) -> None:
        """A call that was asked takes messages from Signal, wanted or not: wait for them."""
        await delivery.give(await call)

    async def _call(self) -> list[object]:
        try:
            told = await self._calls.ask("receive", self._asked, self._CALL_LIMIT_S)
        except calls.NotAskedError:
            raise bridge.BridgeDownError("signal-cli's daemon is not there") from None
        except calls.NoAnswerError:
            raise bridge.BridgeDownError("signal-cli's daemon does not answer") from None
        except jsonrpc.RefusedError as error:
            raise handing.down(error) from None
        if not isinstance(told, list):
            raise bridge.BridgeDownError("signal-cli's daemon answers what nobody can read")
        return told
