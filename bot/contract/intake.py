"""The door a bridge hands things in by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.contract import address, messages


class NotStoredError(Exception):
    """Nothing was stored: do not acknowledge to the network (answer 503, keep the cursor)."""

    def __init__(self, reason: str, *, retry_after_s: int = 5) -> None:
        """`reason` holds no address and no text; `retry_after_s` is for the Retry-After header."""
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Intake(Protocol):
    """Implemented by the core; safe to call from many tasks at once."""

    async def accept(
        self,
        batch: Sequence[messages.InboundMessage],
        *,
        channel: str | None = None,
        cursor: str | None = None,
    ) -> None:
        """Store messages, and the channel's cursor with them, in one transaction.

        Returning means: durably stored, you may acknowledge. A message seen before is dropped in
        silence. `cursor` is an opaque string kept per `channel`. Raises NotStoredError.
        """

    async def receipts(self, batch: Sequence[messages.DeliveryReceipt]) -> None:
        """Store delivery receipts and late prices. Raises NotStoredError."""

    async def cursor(self, channel: str) -> str | None:
        """The cursor stored last for this channel, None at the first start."""

    async def delay_over(self, sender: address.Address) -> bool:
        """Whether his first contact lies longer back than the longest delay.

        Nothing but silence or a busy tone before that: the number may be tested in front of the
        person who gave it out (C16). False if he never wrote. Raises NotStoredError.
        """
