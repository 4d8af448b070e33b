"""Handing messages over, however they came: until they are stored, also when we are stopped."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from bot.contract import bridge, clock, intake
from bridges.signal import transport
from bridges.signal.daemon import deadline, jsonrpc

# On the machine's own clock: whoever stops us gives all of us ten seconds together (C37).
FAREWELL_S: Final = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds. A half-open link is noticed after the sum of both.

    After `ping_every_s` of silence a sign of life is asked for, due in `ping_limit_s`. The HTTP
    daemon gives one by itself every 15 s.
    """

    ping_every_s: float = 30.0
    ping_limit_s: float = 15.0


class Delivery:
    """Hands batches over, however often it takes; keeps the one that is in hand."""

    def __init__(self, hand: transport.Hand, moment: clock.Clock) -> None:
        """`hand` says when a batch is stored."""
        self._hand = hand
        self._clock = moment
        self._in_hand: Sequence[object] = ()

    async def give(self, batch: Sequence[object]) -> None:
        """Return when it is stored. An empty batch is a sign of life."""
        self._in_hand = batch
        while True:
            try:
                await self._hand(batch)
            except intake.NotStoredError as away:
                await self._clock.sleep(away.retry_after_s)
            else:
                self._in_hand = ()
                return

    async def give_again(self) -> None:
        """Hand over what was interrupted; it may be stored already, which does no harm."""
        if self._in_hand:
            await self.give(self._in_hand)


async def farewell(parting: Coroutine[Any, Any, None]) -> None:
    """Give a parting its few seconds, although we are cancelled; it may fail."""
    task = asyncio.ensure_future(parting)
    try:
        await asyncio.wait({task}, timeout=FAREWELL_S)
    finally:
        await deadline.dropped(task)


def down(error: jsonrpc.RefusedError) -> bridge.BridgeDownError:
    """What a refusal to receive means for the supervisor."""
    if error.code == jsonrpc.INVALID_PARAMS:
        return bridge.BridgeDownError(
            "signal-cli's daemon has no such account",
            needs_human="register the number with signal-cli, or mend `number` (docs/signal.md)",
        )
    return bridge.BridgeDownError(f"signal-cli's daemon refuses to receive (error {error.code})")
