"""Metrics for Prometheus, read from the store: counts and money, never an address or a text.

Labels are of a closed set (states, modes, accounts, channels, names of events), so that a raid
makes no new series.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from bot import ledger, outbox
from bot.dispatcher import claim
from bot.flood import orders
from bot.policy import overrides, periods, settings
from bot.policy.lifecycle import State
from bot.store import events, tables
from bot.web import seeing

# Those that wait, each by its partial index; what has ended is counted by `antirelou_events`.
_WAITING = {
    state: sa.select(sa.func.count())
    .select_from(tables.replies)
    .where(sa.literal_column("state") == sa.literal_column(f"'{state}'"))
    for state in (State.HELD, State.SCHEDULED, State.SENDING, State.UNKNOWN)
}
ALL: Final = "all"
"""The label of a pause that is everybody's."""

RESTS: Final = 20
"""A count is taken anew once so many times its cost has passed: ten million rows take seconds."""


class _Waiting:
    """How many replies wait in each state, each counted at its own pace."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._counts: dict[str, int] = {}
        self._next_s = dict.fromkeys(_WAITING, 0.0)

    def count(self, tx: sa.Connection) -> dict[str, int]:
        for state, query in _WAITING.items():
            began_s = self._timer()
            if state in self._counts and began_s < self._next_s[state]:
                continue
            self._counts[state] = tx.execute(query).scalar_one()
            ended_s = self._timer()
            self._next_s[state] = ended_s + RESTS * (ended_s - began_s)
        return dict(self._counts)


class Gauges:
    """A snapshot taken by `refresh` (a worker), shown by `render` at each scrape."""

    def __init__(
        self,
        ages: Callable[[], Mapping[str, float]] = dict,
        *,
        budget: settings.Budget | None = None,
        channels: Sequence[str] = (),
        now_ms: Callable[[], int] = lambda: 0,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Empty until the first refresh. `ages`: seconds since each worker and chore last ran.

        `timer`: seconds by which the cost of a count is told.
        """
        self._waiting = _Waiting(timer)
        self._ages, self._now_ms = ages, now_ms
        self._budget, self._channels = budget or settings.Budget(), channels
        self._seen: seeing.Seen | None = None

    def refresh(self, tx: sa.Connection) -> None:
        """Read the store."""
        now_ms, controls = self._now_ms(), events.controls(tx)
        budget = overrides.budget(self._budget, controls)
        day = periods.day(now_ms, budget.timezone)
        scopes = {
            "replies_day": f"day:{day}",
            "replies_month": f"month:{day[:7]}",
            "inbound_day": f"{ledger.INBOUND}:{day}",
        }
        used = dict(tx.execute(sa.select(tables.caps.c.scope, tables.caps.c.used)).all())
        due_ms = outbox.next_due(tx)
        caps = {
            "replies_day": budget.cap_day_micros,
            "replies_month": budget.cap_month_micros,
            "inbound_day": budget.inbound_alarm_day_micros,
        }
        self._seen = seeing.Seen(
            states=self._waiting.count(tx),
            late_ms=0 if due_ms is None else max(0, now_ms - due_ms),
            counts=events.totals(tx),
            used={name: used.get(scope, 0) for name, scope in scopes.items()},
            caps={name: cap for name, cap in caps.items() if cap is not None},
            mode=orders.told(tx).mode.value,
            paused={
                ALL: claim.paused(controls, None, now_ms),
                **{name: claim.paused(controls, name, now_ms) for name in self._channels},
            },
        )

    def render(self) -> bytes:
        """Prometheus text format."""
        # Its client brings two web servers; who has no monitor needs none of it.
        from bot.web import exposition  # noqa: PLC0415 (see above)

        return exposition.text(self._seen, self._ages())
