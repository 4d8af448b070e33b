"""What the gauges saw, in Prometheus' text format. Must not read the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import prometheus_client
from prometheus_client import core, registry

from bot.contract import money
from bot.policy.flood import snapshot
from bot.web import seeing


class _Once(registry.Collector):
    """One answer to one scrape."""

    def __init__(self, seen: seeing.Seen | None, ages: Mapping[str, float]) -> None:
        self._seen, self._ages = seen, ages

    def collect(self) -> Iterator[core.Metric]:
        """Called by prometheus_client."""
        if self._seen is not None:
            yield from _metrics(self._seen)
        yield _gauge(
            "antirelou_last_run_seconds",
            "Seconds since each worker and chore last ran",
            "name",
            self._ages.items(),
        )


def text(seen: seeing.Seen | None, ages: Mapping[str, float]) -> bytes:
    """All of it. `ages`: seconds since each worker and chore last ran."""
    made = registry.CollectorRegistry(auto_describe=False)
    made.register(_Once(seen, ages))
    return prometheus_client.generate_latest(made)


def _metrics(seen: seeing.Seen) -> Iterator[core.Metric]:
    waiting = "Replies that wait, by state; a long count is at most 20 times as old as it took"
    yield _gauge("antirelou_replies", waiting, "state", seen.states.items())
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
