"""Metrics for Prometheus, read from the store: counts and money, never an address or a text.

Labels are of a closed set (states, modes, accounts, channels, names of events), so that a raid
makes no new series.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import prometheus_client
import sqlalchemy as sa
from prometheus_client import core, registry

from bot import ledger, outbox
from bot.contract import money
from bot.dispatcher import claim
from bot.flood import orders
from bot.policy import overrides, periods, settings
from bot.policy.flood import snapshot
from bot.policy.lifecycle import State
from bot.store import events, tables

# Those that wait, each by its partial index; what has ended is counted by `antirelou_events`.
_WAITING = {
    state: sa.select(sa.func.count())
    .select_from(tables.replies)
    .where(sa.literal_column("state") == sa.literal_column(f"'{state}'"))
    for state in (State.HELD, State.SCHEDULED, State.SENDING, State.UNKNOWN)
}
ALL: Final = "all"
"""The label of a pause that is everybody's."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One look at the store. Money in millionths; `caps` has no entry where there is no cap."""

    states: Mapping[str, int]
    late_ms: int
    counts: Mapping[str, int]
    used: Mapping[str, int]
    caps: Mapping[str, int]
    mode: str
    paused: Mapping[str, bool]


class Gauges(registry.Collector):
    """A snapshot taken by `refresh` (a worker), shown by `render` at each scrape."""

    def __init__(
        self,
        ages: Callable[[], Mapping[str, float]] = dict,
        *,
        budget: settings.Budget | None = None,
        channels: Sequence[str] = (),
        now_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        """Empty until the first refresh. `ages`: seconds since each worker and chore last ran."""
        self._ages, self._now_ms = ages, now_ms
        self._budget, self._channels = budget or settings.Budget(), channels
        self._seen: _Seen | None = None
        self._registry = registry.CollectorRegistry(auto_describe=False)
        self._registry.register(self)

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
        self._seen = _Seen(
            states={state: tx.execute(q).scalar_one() for state, q in _WAITING.items()},
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

    def collect(self) -> Iterator[core.Metric]:
        """Called by prometheus_client."""
        if self._seen is not None:
            yield from _metrics(self._seen)
        yield _gauge(
            "antirelou_last_run_seconds",
            "Seconds since each worker and chore last ran",
            "name",
            self._ages().items(),
        )

    def render(self) -> bytes:
        """Prometheus text format."""
        return prometheus_client.generate_latest(self._registry)


def _metrics(seen: _Seen) -> Iterator[core.Metric]:
    yield _gauge("antirelou_replies", "Replies that wait, by state", "state", seen.states.items())
    late = core.GaugeMetricFamily(
        "antirelou_late_seconds", "How long the oldest reply that is due has been due"
    )
    late.add_metric([], seen.late_ms / 1000)
    yield late
    counted = core.CounterMetricFamily(
        "antirelou_events", "What happened, by name", labels=["name"]
    )
    for name, n in sorted(seen.counts.items()):
        counted.add_metric([name], n)
    yield counted
    for name, told, micros in (
        ("antirelou_spent", "Reserved or posted in this period, in major units", seen.used),
        ("antirelou_cap", "What may be spent in this period (inbound: its alarm)", seen.caps),
    ):
        amounts = ((account, n / money.MICROS) for account, n in micros.items())
        yield _gauge(name, told, "account", amounts)
    modes = ((mode.value, mode.value == seen.mode) for mode in snapshot.Mode)
    yield _gauge("antirelou_mode", "1 for the mode in force", "mode", modes)
    yield _gauge(
        "antirelou_paused", "1 while nothing is sent there", "channel", seen.paused.items()
    )


def _gauge(
    name: str, told: str, label: str, values: Iterable[tuple[str, float]]
) -> core.GaugeMetricFamily:
    made = core.GaugeMetricFamily(name, told, labels=[label])
    for value, amount in sorted(values):
        made.add_metric([value], amount)
    return made
