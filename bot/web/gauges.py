"""Metrics for Prometheus, read from the store: counts and money, never an address or a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import prometheus_client
import sqlalchemy as sa
from prometheus_client import core, registry

from bot.contract import money
from bot.policy.lifecycle import State
from bot.store import events, tables

# Those that wait, each by its partial index; what has ended is counted by `antirelou_events`.
_WAITING = {
    state: sa.select(sa.func.count())
    .select_from(tables.replies)
    .where(sa.literal_column("state") == sa.literal_column(f"'{state}'"))
    for state in (State.HELD, State.SCHEDULED, State.SENDING, State.UNKNOWN)
}


class Gauges(registry.Collector):
    """A snapshot taken by `refresh` (a worker), shown by `render` at each scrape."""

    def __init__(self, ages: Callable[[], Mapping[str, float]] = dict) -> None:
        """Empty until the first refresh. `ages`: seconds since each worker and chore last ran."""
        self._ages = ages
        self._states: Mapping[str, int] = {}
        self._counts: Mapping[str, int] = {}
        self._used: Mapping[str, int] = {}
        self._registry = registry.CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def refresh(self, tx: sa.Connection) -> None:
        """Read the store."""
        self._states = {state: tx.execute(q).scalar_one() for state, q in _WAITING.items()}
        self._counts = events.totals(tx)
        caps = tables.caps
        self._used = dict(tx.execute(sa.select(caps.c.scope, caps.c.used)).all())

    def collect(self) -> Iterator[core.Metric]:
        """Called by prometheus_client."""
        replies = core.GaugeMetricFamily(
            "antirelou_replies", "Replies that wait, by state", labels=["state"]
        )
        for state, n in sorted(self._states.items()):
            replies.add_metric([state], n)
        yield replies
        counted = core.CounterMetricFamily(
            "antirelou_events", "What happened, by name", labels=["name"]
        )
        for name, n in sorted(self._counts.items()):
            counted.add_metric([name], n)
        yield counted
        used = core.GaugeMetricFamily(
            "antirelou_money", "Reserved or posted, in major units", labels=["scope"]
        )
        for scope, micros in sorted(self._used.items()):
            if scope.startswith(("day:", "month:", "inbound:", "donations")):
                used.add_metric([scope], micros / money.MICROS)
        yield used
        ages = core.GaugeMetricFamily(
            "antirelou_last_run_seconds",
            "Seconds since each worker and chore last ran",
            labels=["name"],
        )
        for name, age_s in sorted(self._ages().items()):
            ages.add_metric([name], age_s)
        yield ages

    def render(self) -> bytes:
        """Prometheus text format."""
        return prometheus_client.generate_latest(self._registry)
