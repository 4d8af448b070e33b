"""Due replies that are not sent now, gathered by where they go."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import sqlalchemy as sa

from bot import ledger, outbox
from bot.policy import decision, settings
from bot.policy.decision import Step
from bot.policy.lifecycle import State
from bot.store import events, prepared, tables

# Behind those of other channels that are due, so that these are reached.
FULL_WAIT_MS: Final = 1_000

_LATER = prepared.Prepared(
    sa.update(tables.replies)
    .where(tables.replies.c.id == sa.bindparam("of"))
    .where(sa.literal_column("state") == sa.literal_column("'scheduled'"))
    .values(due_ms=sa.bindparam("due"))
)


class Pace:
    """Parts a second of each channel, over all rounds: a bucket that fills at the channel's rate.

    `full`: channels that take no further round just now. In memory: after a restart a second's
    worth may leave at once, and no more.
    """

    def __init__(self, quotas: Mapping[str, settings.Quota]) -> None:
        """Every bucket is full."""
        self._quotas = quotas
        self._room: dict[str, float] = {}
        self._at_ms: dict[str, int] = {}
        self._queued: dict[str, int] = {}
        self.full: AbstractSet[str] = frozenset()

    def begin(self, now_ms: int) -> None:
        """A new round: fill the buckets by the time that passed."""
        self._queued.clear()
        for channel, quota in self._quotas.items():
            rate = quota.parts_per_second
            if rate is None:
                continue
            passed_s = max(0, now_ms - self._at_ms.get(channel, now_ms)) / 1000
            self._at_ms[channel] = now_ms
            most = max(rate, 1.0)
            self._room[channel] = min(most, self._room.get(channel, most) + passed_s * rate)

    def wait_ms(self, channel: str, parts: int) -> int:
        """0 if these parts may be handed over now, else how long they wait behind the others."""
        least_ms = FULL_WAIT_MS if channel in self.full else 0
        quota = self._quotas.get(channel)
        if quota is None or quota.parts_per_second is None:
            return least_ms
        room, queued = self._room[channel], self._queued.get(channel, 0)
        # A message of more parts than the bucket holds goes when it is full.
        if not least_ms and not queued and room >= min(parts, max(quota.parts_per_second, 1.0)):
            self._room[channel] = room - parts
            return 0
        self._queued[channel] = queued + parts
        lacking = max(queued + parts - room, 0.0)
        return max(int(lacking / quota.parts_per_second * 1000), 1, least_ms)


class Moves:
    """What a claim writes at its end: due replies that are not sent now, by where they go.

    `till`: what those that are sent reserve; `counts`: what else is counted.
    """

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._held: list[dict[str, Any]] = []
        self._ended: dict[State, list[dict[str, Any]]] = {State.CANCELLED: [], State.EXPIRED: []}
        self._later: list[dict[str, int]] = []
        self.till: Final[ledger.Till] = {}
        self.counts: Final[dict[str, int]] = {}

    def add(self, reply: outbox.DueReply, due: decision.Due) -> None:
        """LATER, CANCEL or EXPIRE."""
        if due.step is Step.LATER and due.at_ms is not None:
            self.later(reply, due.at_ms)
        else:
            state = State.EXPIRED if due.step is Step.EXPIRE else State.CANCELLED
            self._ended[state].append(
                {
                    "id": reply.id,
                    "person_id": reply.person_id,
                    "window_ms": reply.window_ms,
                    "reason": due.reason,
                    "address_enc": None,
                }
            )

    def hold(
        self,
        reply: outbox.DueReply,
        reason: str,
        *,
        topic: int | None = None,
        quoted_micros: int | None = None,
    ) -> None:
        """It waits for money, its turn, or a moderator; `topic`: the cluster it belongs to."""
        self._held.append(
            {"id": reply.id, "reason": reason, "topic": topic, "quoted_micros": quoted_micros}
        )

    def later(self, reply: outbox.DueReply, at_ms: int) -> None:
        """It stays scheduled."""
        self._later.append({"of": reply.id, "due": at_ms})

    def write(self, tx: sa.Connection) -> None:
        """All moves; then, at rows where all workers meet, the till and what is counted."""
        outbox.move(tx, State.SCHEDULED, State.HELD, self._held)
        for state, rows in self._ended.items():
            outbox.move(tx, State.SCHEDULED, state, rows)
        if self._later:
            _LATER.many(tx, self._later)
        ledger.settle(tx, self.till)
        counts = self.counts
        for row in self._held:
            name = f"held:{row['reason']}"
            counts[name] = counts.get(name, 0) + 1
        events.count(tx, self._now_ms, counts)
