"""`antirelou simulate`: settings for it, a bar while it runs, its table and chart."""

from __future__ import annotations

import dataclasses
import pathlib
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from rich import console, progress

from bot import config
from bot import simulate as simulation
from bot.cli import options
from bot.policy import settings as policy

_CAPS: Final = ("cap_day", "cap_month")


def simulate(
    told: options.Told,
    trace: pathlib.Path,
    *,
    replies: pathlib.Path | None,
    chart: pathlib.Path | None,
) -> None:
    """Play the recording. A fault in it ends with its line, and nothing is written."""
    core = settings(told)
    try:
        with _bar() as moved:
            report = simulation.run(trace, core, replies=replies, progress=moved)
        if chart is not None:
            report.chart(chart)
    except simulation.TraceError as error:
        options.fail([str(error)])
    except OSError as error:
        options.fail([f"{error.filename or trace}: {error.strerror}"])
    if told.as_json:
        options.put_json(report.as_json())
    else:
        console.Console(highlight=False).print(report.table())


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
