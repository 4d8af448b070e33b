"""What moderators set against a flood: a mode for a while, and topics that they found fine.

Both are control rows; the claim reads them in its own transaction, so they hold at once and
outlive a restart. The leader follows at its next look.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Final

from bot.policy.flood import snapshot
from bot.policy.flood.snapshot import Mode

KEY: Final = "mode"
TOPIC: Final = "topic:"
FINE: Final = "fine"
# So long a topic that was found fine is none; by then its words are usual ones.
FINE_MS: Final = 7 * 86_400_000
# No reply waits longer, so no older quarter is asked for.
CROWD_MS: Final = 36 * 3_600_000
HOLDING: Final = frozenset({Mode.REVIEW, Mode.RECEIVE_ONLY})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A mode set by hand. `until_ms` None: until somebody sets another."""

    mode: Mode
    since_ms: int
    until_ms: int | None = None
    who: str = ""

    def text(self) -> str:
        """As the control row keeps it."""
        return json.dumps({**dataclasses.asdict(self), "mode": self.mode.value})


def read(controls: Mapping[str, str]) -> Order | None:
    """What was set, whether its time is over or not. What nobody can read lets nothing go."""
    value = controls.get(KEY)
    if value is None:
        return None
    try:
        told = json.loads(value)
        until_ms = told["until_ms"]
        return Order(
            mode=Mode(told["mode"]),
            since_ms=int(told["since_ms"]),
            until_ms=None if until_ms is None else int(until_ms),
            who=str(told["who"]),
        )
    except (ValueError, TypeError, KeyError):
        return Order(mode=Mode.REVIEW, since_ms=0)


def order(controls: Mapping[str, str], now_ms: int) -> Order | None:
    """What is in force now, None if the rules decide."""
    found = read(controls)
    if found is None or (found.until_ms is not None and now_ms >= found.until_ms):
        return None
    return found


def mode(controls: Mapping[str, str], seen: Mode, now_ms: int) -> Mode:
    """The mode in force: what a person set comes before what the leader saw."""
    found = order(controls, now_ms)
    return seen if found is None else found.mode


def fine(controls: Mapping[str, str]) -> frozenset[int]:
    """The words that moderators found fine."""
    return frozenset(
        int(key.removeprefix(TOPIC))
        for key, value in controls.items()
        if key.startswith(TOPIC) and value == FINE
    )


def crowd(controls: Mapping[str, str], now_ms: int) -> frozenset[int]:
    """Quarters in which everybody counts as one of a crowd: while `tight` is set by hand."""
    found = order(controls, now_ms)
    if found is None or found.mode is not Mode.TIGHT:
        return frozenset()
    first_ms = max(found.since_ms, now_ms - CROWD_MS)
    return frozenset(range(snapshot.bucket_ms(first_ms), now_ms + 1, snapshot.BUCKET_MS))


def seen(
    by_leader: snapshot.Snapshot, controls: Mapping[str, str], now_ms: int
) -> snapshot.Snapshot:
    """What the leader last saw, corrected by what moderators set since."""
    if KEY not in controls and not any(key.startswith(TOPIC) for key in controls):
        return by_leader
    good = fine(controls)
    return dataclasses.replace(
        by_leader,
        mode=mode(controls, by_leader.mode, now_ms),
        flagged={word: at for word, at in by_leader.flagged.items() if word not in good},
        surges=by_leader.surges | crowd(controls, now_ms),
    )
