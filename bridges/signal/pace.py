"""A gap between two sends of one account: Signal takes haste for spam.

The core's own `parts_per_second` keeps the queue at the right pace; this is the floor under it
that no setting of the core can take away. Whoever has to wait long is given a moment of his own
to come back at, so that a thousand who wait do not all knock again at once.
"""

from __future__ import annotations

from typing import Final

PATIENCE_S: Final = 1.0
"""So long at the most does a pause or a STOP come too late here; the core asks at each return."""
_PROMISED: Final = 20_000


class Pace:
    """Slots on the monotonic clock; of one event loop."""

    def __init__(self, gap_s: float) -> None:
        """`gap_s` 0 is no gap at all."""
        self._gap_s = gap_s
        self._next_s = 0.0
        self._granted_s = -gap_s
        self._promised: dict[str, float] = {}

    def wait_s(self, reply_id: str, now_s: float) -> float:
        """How long this reply has to wait. Up to PATIENCE_S: wait, then send. Longer: come back."""
        earliest_s = max(now_s, self._granted_s + self._gap_s)
        slot_s = self._promised.pop(reply_id, None)
        if slot_s is None:
            slot_s = max(earliest_s, self._next_s)
            self._next_s = slot_s + self._gap_s
        slot_s = max(slot_s, earliest_s)
        wait_s = slot_s - now_s
        if wait_s <= PATIENCE_S:
            self._granted_s = slot_s
        else:
            if len(self._promised) >= _PROMISED:
                del self._promised[next(iter(self._promised))]
            self._promised[reply_id] = slot_s
        return wait_s
