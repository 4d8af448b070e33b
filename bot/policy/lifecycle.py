"""All states of a reply and the legal moves between them. No other file knows them all."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class State(enum.StrEnum):
    """What a reply is."""

    HELD = "held"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


MOVES: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.HELD: frozenset({State.SCHEDULED, State.CANCELLED, State.EXPIRED}),
        State.SCHEDULED: frozenset({State.SENDING, State.HELD, State.CANCELLED, State.EXPIRED}),
        # Back to scheduled only when it is certain that nothing went out.
        State.SENDING: frozenset({State.SENT, State.FAILED, State.UNKNOWN, State.SCHEDULED}),
        State.SENT: frozenset({State.DELIVERED, State.FAILED}),
        # Settled by a receipt, the provider's listing, or a moderator; never sent again.
        State.UNKNOWN: frozenset({State.SENT, State.DELIVERED, State.FAILED}),
        State.DELIVERED: frozenset(),
        State.FAILED: frozenset(),
        State.CANCELLED: frozenset(),
        State.EXPIRED: frozenset(),
    }
)

FINAL: Final = frozenset(state for state, moves in MOVES.items() if not moves)
# States that give the person's window back: nothing was and nothing will be sent.
GIVES_BACK: Final = frozenset({State.CANCELLED, State.EXPIRED, State.FAILED})


class IllegalMoveError(Exception):
    """A move that the table does not allow."""


def check(before: State, after: State) -> None:
    """Raise IllegalMoveError unless `after` may follow `before`."""
    if after not in MOVES[before]:
        raise IllegalMoveError(f"a {before} reply cannot become {after}")
