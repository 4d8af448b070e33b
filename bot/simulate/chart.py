"""The course of a simulation as a picture: messages, replies, bill and mode over time.

matplotlib is an extra (`charts`): it is big, and a server that answers people does not draw.
"""

from __future__ import annotations

import datetime as dt
import pathlib
import zoneinfo
from typing import TYPE_CHECKING, Any, Final

from bot.contract import money
from bot.simulate import figures

if TYPE_CHECKING:
    from matplotlib import axes

# Told apart by brightness too, for those who do not see colours.
_MESSAGES: Final = "#b8c4d6"
_REPLIES: Final = "#1f5f8b"
_BILL: Final = "#b3412e"
_MODES: Final = {"normal": "#dfe9df", "guarded": "#f4dfae", "flood": "#eeb5a5"}
_OTHER_MODE: Final = "#d9cfe8"


class NoChartError(Exception):
    """No picture can be drawn; the message says how to mend it."""


def draw(of: figures.Figures, path: pathlib.Path) -> None:
    """Write a picture in the format of the name's ending (png, svg, pdf). Raises NoChartError."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 (an extra, and a second to import)
        from matplotlib import figure  # noqa: PLC0415 (the same)
    except ImportError:
        raise NoChartError(
            "charts need matplotlib; install it with: pip install 'antirelou[charts]'"
        ) from None
    if not of.course:
        raise NoChartError("there is nothing to draw: no message came")
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        picture = figure.Figure(figsize=(10, 6), layout="constrained")
        upper, lower, strip = picture.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": [3, 2, 0.25]}
        )
        picture.suptitle(_title(of), x=0.01, ha="left", fontsize=12, fontweight="bold")
        _flow(upper, of)
        _bill(lower, of)
        _modes(strip, of)
        _dates(strip, of)
        try:
            picture.savefig(path, dpi=150)
        except (OSError, ValueError) as error:
            raise NoChartError(f"cannot write {path}: {error}") from None


def _title(of: figures.Figures) -> str:
    name = of.trace.removesuffix(".gz").removesuffix(".jsonl")
    spent = money.plain(of.bill_micros)
    return f"{name}: {of.messages:,} messages, {of.replies:,} replies, {spent} {of.currency}"


def _zone(of: figures.Figures) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(of.timezone)


def _times(of: figures.Figures) -> list[dt.datetime]:
    # In UTC: an hour added to a local time would go wrong in the night when clocks change.
    return [dt.datetime.fromtimestamp(one.from_ms / 1000, dt.UTC) for one in of.course]


def _flow(on: axes.Axes, of: figures.Figures) -> None:
    times: list[Any] = _times(of)
    hour: Any = dt.timedelta(hours=1)
    on.bar(
        times,
        [one.messages for one in of.course],
        width=hour,
        align="edge",
        color=_MESSAGES,
        label="messages in",
    )
    on.step(
        [*times, times[-1] + hour],
        [*(one.replies for one in of.course), of.course[-1].replies],
        where="post",
        color=_REPLIES,
        linewidth=1.6,
        label="replies out",
    )
    on.set_ylabel("an hour")
    on.set_ylim(bottom=0)
    on.grid(axis="y", alpha=0.25)
    on.legend(loc="upper left", frameon=False, ncols=2)


def _bill(on: axes.Axes, of: figures.Figures) -> None:
    times: list[Any] = _times(of)
    hour: Any = dt.timedelta(hours=1)
    totals = [one.bill_micros / money.MICROS for one in of.course]
    ends = [time + hour for time in times]
    on.fill_between(ends, totals, color=_BILL, alpha=0.12)
    on.plot(ends, totals, color=_BILL, linewidth=1.8)
    on.annotate(
        f"{totals[-1]:,.2f}",
        (ends[-1], totals[-1]),
        xytext=(0, 4),
        textcoords="offset points",
        ha="right",
        color=_BILL,
        fontweight="bold",
    )
    on.set_ylabel(f"bill of replies, {of.currency}")
    on.set_ylim(0, (max(totals) or 1) * 1.18)
    on.grid(axis="y", alpha=0.25)
    on.set_title(
        f"the 2017 way would have paid {of.naive_2017_micros / money.MICROS:,.2f} {of.currency}",
        loc="left",
        fontsize=9,
        color="#555555",
    )


def _modes(on: axes.Axes, of: figures.Figures) -> None:
    """A strip below: one field for each stretch of one mode, with its name."""
    times: list[Any] = _times(of)
    hour: Any = dt.timedelta(hours=1)
    begin = 0
    for i, one in enumerate(of.course):
        last = i + 1 == len(of.course)
        if not last and of.course[i + 1].mode == one.mode:
            continue
        start, end = times[begin], times[i] + hour
        on.axvspan(start, end, color=_MODES.get(one.mode, _OTHER_MODE), linewidth=0)
        if i - begin + 1 > len(of.course) * 0.06:
            on.text(start + (end - start) / 2, 0.5, one.mode, ha="center", va="center")
        begin = i + 1
    on.set_ylim(0, 1)
    on.set_yticks([])
    on.set_ylabel("mode", rotation=0, ha="right", va="center")
    on.spines[["left", "bottom"]].set_visible(False)


def _dates(on: axes.Axes, of: figures.Figures) -> None:
    from matplotlib import dates  # noqa: PLC0415 (an extra)

    zone = _zone(of)
    locator = dates.AutoDateLocator(tz=zone, maxticks=9)  # type: ignore[no-untyped-call]  # theirs
    on.xaxis.set_major_locator(locator)
    on.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(locator, tz=zone)  # type: ignore[no-untyped-call]  # theirs
    )
    on.tick_params(axis="x", length=3)
    on.set_xlabel(of.timezone)
    times: list[Any] = _times(of)
    end: Any = times[-1] + dt.timedelta(hours=1)
    on.set_xlim(times[0], end)
