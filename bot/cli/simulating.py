"""`antirelou simulate`: settings for it, a bar while it runs, its table and chart."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from rich import console, progress

from bot import build, config
from bot import simulate as simulation
from bot.cli import opening, options, pricing
from bot.contract import address, bridge, money
from bot.inbox import signals
from bot.policy import settings as policy

_CAPS: Final = ("cap_day", "cap_month")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be played, and where its results go. Of `trace`, `flood` and `days` one is set.

    `days`: so many of the own past; `save`: where a made-up flood is written; `against`: settings
    of a second run of the same.
    """

    trace: pathlib.Path | None = None
    flood: simulation.Flood | None = None
    days: int | None = None
    opinion_price: str | None = None
    save: pathlib.Path | None = None
    replies: pathlib.Path | None = None
    chart: pathlib.Path | None = None
    against: options.Told | None = None


def simulate(told: options.Told, order: Order) -> None:
    """Play it. A fault in a recording ends with its line, and nothing is written."""
    if order.flood is not None and order.flood.kind not in simulation.KINDS:
        options.fail(
            [f"no scenario of ours; choose from {', '.join(simulation.KINDS)}"], options.FAULTY
        )
    with tempfile.TemporaryDirectory(prefix="antirelou-") as folder:
        try:
            if order.days is not None:
                report, second = _past(told, order, order.days)
            else:
                plays = [_play(one) for one in (told, order.against) if one is not None]
                report, second = _played(order, plays, pathlib.Path(folder))
        except (simulation.TraceError, simulation.NoChartError, ValueError) as error:
            options.fail([str(error)])
        except OSError as error:
            options.fail([f"{error.filename or order.trace}: {error.strerror}"])
    if told.as_json:
        both = {} if second is None else {"against": second.as_json()}
        options.put_json(report.as_json() | both)
        return
    shown = report.table() if second is None else report.beside(second)
    console.Console(highlight=False).print(shown)


def _past(
    told: options.Told, order: Order, days: int
) -> tuple[simulation.Report, simulation.Report | None]:
    """The installation's own days, with its own settings and channels; caps bind as in life."""
    found, at = opening.read(told, lambda tx, at: simulation.read_past(tx, at.now_ms, days))
    hashed = signals.hasher(at.keys)

    def play(with_these: config.Settings) -> simulation.Report:
        channels = pricing.bridges(with_these)
        core = build.core_of(with_these, channels)
        with _bar() as moved:
            report, left_out = simulation.play_past(found, core, channels, hashed, moved)
        for why, n in left_out.items():
            options.note(f"left out: {n} messages {why}")
        return report

    report = play(at.settings)
    if order.chart is not None:
        report.chart(order.chart)
    return report, None if order.against is None else play(opening.load(order.against))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Settings of one run, and the channels beside the recording's own."""

    core: policy.Core
    others: Sequence[bridge.Bridge]


def _play(told: options.Told) -> Play:
    core = settings(told)
    if core.reply.route == policy.ROUTE_SAME:
        return Play(core=core, others=())
    found = config.load(told.config, overrides=told.overrides, environ={})
    made = pricing.bridges(found)
    return Play(core=core, others=[one for one in made.values() if one.network == address.SMS])


def _played(
    order: Order, plays: Sequence[Play], folder: pathlib.Path
) -> tuple[simulation.Report, simulation.Report | None]:
    trace, known = order.trace, None
    micros = None
    if order.opinion_price is not None:
        micros = money.parse(order.opinion_price, simulation.CURRENCY).micros
    if order.flood is not None:
        made = f"{order.flood.kind}-{order.flood.seed}.jsonl.gz"
        trace = order.save or folder / made
        known = simulation.write(trace, order.flood)
    assert trace is not None  # noqa: S101 (the command line asked for one of the two)
    reports = []
    for play, replies in zip(plays, (order.replies, None), strict=False):
        with _bar() as moved:
            reports.append(
                simulation.run(
                    trace,
                    play.core,
                    replies=replies,
                    progress=moved,
                    known=known,
                    others=play.others,
                    opinion_micros=micros,
                )
            )
    report = reports[0]
    second = reports[1] if len(reports) > 1 else None
    if order.chart is not None:
        report.chart(order.chart)
    return report, second


def settings(told: options.Told) -> policy.Core:
    """What the file and --set say; a cap binds only if it stands in one of them.

    The environment is left out: the same recording and settings give the same figures.
    """
    try:
        core = config.load(told.config, overrides=told.overrides, environ={}).core
    except config.ConfigError as error:
        options.fail(map(str, error.faults), options.FAULTY)
    given = _given(told)
    absent: dict[str, Any] = {f"{cap}_micros": None for cap in _CAPS if cap not in given}
    if not any(key.startswith("country_cap_day") for key in given):
        absent["country_cap_day_micros"] = MappingProxyType({})
    return dataclasses.replace(core, budget=dataclasses.replace(core.budget, **absent))


def _given(told: options.Told) -> set[str]:
    """The keys of [budget] that somebody wrote down."""
    given = set()
    if told.config is not None:
        given |= tomllib.loads(told.config.read_text(encoding="utf-8")).get("budget", {}).keys()
    for override in told.overrides:
        section, _, key = override.partition("=")[0].partition(".")
        if section.strip() == "budget":
            given.add(key.strip())
    return given


@contextmanager
def _bar() -> Iterator[Any]:
    """A bar on standard error, if that is a terminal; gives what is told (done, all)."""
    shown = progress.Progress(
        progress.TextColumn("{task.completed}/{task.total} messages"),
        progress.BarColumn(),
        progress.TimeRemainingColumn(),
        console=console.Console(stderr=True),
        transient=True,
    )
    task = shown.add_task("", total=None)
    if not shown.console.is_terminal:
        yield None
        return
    with shown:
        yield lambda done, total: shown.update(task, completed=done, total=total)
