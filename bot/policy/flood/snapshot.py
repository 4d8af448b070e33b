"""What the leader last saw of the flood: all that intake and dispatch need to know of it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final

BUCKET_MS: Final = 900_000


class Mode(enum.StrEnum):
    """How careful the house is. Each is a notice with its reasons; each goes back by itself."""

    NORMAL = "normal"
    TIGHT = "tight"
    FREE_ONLY = "free-only"
    REVIEW = "review"
    RECEIVE_ONLY = "receive-only"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The flood as the leader's last look saw it.

    `flagged`: word -> when many last used it as a topic. `surges`: buckets (start in ms) in which
    far more new senders came than is usual. `usual`: new senders by local hour. `plain`: words
    that say nothing.
    """

    at_ms: int = 0
    mode: Mode = Mode.NORMAL
    flagged: Mapping[int, int] = dataclasses.field(default_factory=dict)
    strong: frozenset[int] = frozenset()
    surges: frozenset[int] = frozenset()
    usual: tuple[float, ...] | None = None
    plain: frozenset[int] = frozenset()

    def in_surge(self, first_ms: int) -> bool:
        """Whether somebody who first wrote then came with a crowd."""
        return bucket_ms(first_ms) in self.surges


CALM: Final = Snapshot()


def bucket_ms(moment_ms: int) -> int:
    """Start of the quarter of an hour."""
    return moment_ms - moment_ms % BUCKET_MS
