"""Metrics for Prometheus, read from the store: counts and money, never an address or a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import prometheus_client
import sqlalchemy as sa
from prometheus_client import core, registry

from bot.contract import money
from bot.store import events, tables

_r = tables.replies


class Gauges(registry.Collector):
    """A snapshot taken by `refresh` (a worker), shown by `render` at each scrape."""

    def __init__(self) -> None:
        """Empty until the first refresh."""
        self._states: Mapping[str, int] = {}
        self._counts: Mapping[str, int] = {}
        self._used: Mapping[str, int] = {}
        self._registry = registry.CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def refresh(self, tx: sa.Connection) -> None:
        """Read the store."""
        query = sa.select(_r.c.state, sa.func.count()).group_by(_r.c.state)
        self._states = dict(tx.execute(query).all())
        self._counts = events.totals(tx)
        caps = tables.caps
        self._used = dict(tx.execute(sa.select(caps.c.scope, caps.c.used)).all())

    def collect(self) -> Iterator[core.Metric]:
        """Called by prometheus_client."""
        replies = core.GaugeMetricFamily("antirelou_replies", "Replies by state", labels=["state"])
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

    def render(self) -> bytes:
        """Prometheus text format."""
        return prometheus_client.generate_latest(self._registry)
