"""The results as Markdown tables and charts: no figure in the docs is typed by hand.

    python -m bench --json docs/scale.json --write docs/scale.md     measure, then both
    python -m bench --from docs/scale.json --write docs/scale.md     tables and charts alone

Tables stand between `<!-- bench NAME -->` and `<!-- end of bench NAME -->`; charts lie beside the
page, in pictures/scale-*.svg.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench import measure

_MARKED: Final = re.compile(
    r"(<!-- bench (?P<names>[a-z ]+) -->\n).*?(<!-- end of bench (?P=names) -->)", re.DOTALL
)
MACHINE: Final = "machine"
HOLDS: Final = "holds"
_MESSAGES_2017, _REPLIES_2017 = 25_600, 9_000
"""Of the recording `seed-2017`: three days."""
_SERVERS: Final = {
    "tutorial": "the provider's tutorial",
    "plain": "antirelou, plain",
    "ours": "antirelou, with `fast`",
    "limit": "the machine's limit",
}
_OURS, _OTHERS = "#b0305c", "#8a8f98"


@dataclasses.dataclass(frozen=True, slots=True)
class Bars:
    """A chart. Each row: what, its value, whether it is ours."""

    name: str
    title: str
    rows: Sequence[tuple[str, float, bool]]
    is_log: bool = False


def read(path: pathlib.Path) -> dict[str, Any]:
    """What `--json` wrote."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def kept(
    results: Mapping[str, Sequence[measure.Result]], where: Mapping[str, object], *, quick: bool
) -> dict[str, Any]:
    """All that was measured, and where."""
    return {
        "machine": dict(where),
        "quick": quick,
        "results": {
            name: [dataclasses.asdict(one) for one in found] for name, found in results.items()
        },
    }


def joined(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The new results, and the old ones of what was not run, if this is the same machine."""
    alike = all(old["machine"][name] == new["machine"][name] for name in ("processor", "cores"))
    if not alike:
        return dict(new)
    return {
        **new,
        "quick": old["quick"] or new["quick"],
        "results": {**old["results"], **new["results"]},
    }


def ratio(told: float | None) -> str:
    """How many times."""
    if told is None:
        return "-"
    return f"{told:.2f} x" if told < 10 else f"{told:.0f} x"


def table(found: Mapping[str, Any], name: str) -> str:
    """One bench's lines; of `machine`, where all was measured."""
    if name == MACHINE:
        return _machine(found)
    if name == HOLDS:
        return _holds(found)
    lines = ["| what | measured | times | beside |", "|---|---|---|---|"]
    lines += [
        f"| {one['name']} | {one['figure']} | {ratio(one['ratio'])} | {one['reference']} |"
        for one in found["results"].get(name, ())
    ]
    return "\n".join(lines)


def _machine(found: Mapping[str, Any]) -> str:
    where = found["machine"]
    load = where["load"][0]
    quick = " One short round (`--quick`)." if found["quick"] else ""
    busy = " It was busy with other work: read the ratios." if load > 1 else ""
    return (
        f"{where.get('date', 'No date')}: "
        f"{where['processor']}, {where['cores']} cores, {where['system']}, "
        f"Python {where['python']}; load {load:.1f} before.{quick}{busy}"
    )


def _holds(found: Mapping[str, Any]) -> str:
    """What follows from the tables for a raid like that of October 2017, in seconds."""
    by_bench: Mapping[str, Sequence[Mapping[str, Any]]] = found["results"]
    lines = ["| | messages taken in a second | replies a second | October 2017, all of it |"]
    lines.append("|---|---|---|---|")
    intake = _detail(by_bench.get("intake", ()), "ours_per_s_64")
    dispatch = _detail(by_bench.get("dispatch", ()), "seconds_each")
    if intake and dispatch:
        each = dispatch["seconds_each"]
        first = next(name for name in each if name[0].isdecimal())
        rates = intake["ours_per_s_64"], 1 / statistics.median(each[first])
        lines.append(_held("one process, SQLite, over HTTP", *rates))
    rates_of: dict[str, dict[str, float]] = {}
    for one in by_bench.get("postgres", ()):
        what, _, who = one["name"].partition(" on ")
        rate = _a_second(one["detail"]["n"], one["detail"]["seconds"])
        rates_of.setdefault(who, {})[what] = rate
    lines += [
        _held(f"{who}, without HTTP", rates["intake"], rates["dispatch"])
        for who, rates in rates_of.items()
        if len(rates) == 2
    ]
    return "\n".join(lines)


def _held(who: str, messages: float, replies: float) -> str:
    took_s = _MESSAGES_2017 / messages + _REPLIES_2017 / replies
    return f"| {who} | {messages:,.0f} | {replies:,.0f} | {took_s:.0f} s |"


def page(text: str, found: Mapping[str, Any]) -> str:
    """The page with new tables between its marks. Raises KeyError for a bench that nobody ran."""

    def filled(mark: re.Match[str]) -> str:
        names = mark["names"].split()
        for name in names:
            if name not in {MACHINE, HOLDS} and name not in found["results"]:
                raise KeyError(f"no results of bench {name}")
        parts = [table(found, name) for name in names]
        whole = "\n".join([parts[0], *(part.split("\n", 2)[2] for part in parts[1:])])
        return f"{mark[1]}\n{whole}\n\n{mark[3]}"

    return _MARKED.sub(filled, text)


def charts(found: Mapping[str, Any]) -> list[Bars]:
    """Those for which there are results."""
    by_bench: Mapping[str, Sequence[Mapping[str, Any]]] = found["results"]
    made = []
    if intake := _detail(by_bench.get("intake", ()), "tutorial_per_s_64"):
        made += [_intake(intake, connections) for connections in (64, 256)]
    if dispatch := _detail(by_bench.get("dispatch", ()), "seconds_each"):
        made.append(_dispatch(dispatch))
    rows: list[tuple[str, float, bool]] = []
    for one in by_bench.get("postgres", ()):
        detail, what = one["detail"], one["name"].partition(" ")[0]
        sqlite = f"{what} on SQLite, 1 process"
        if sqlite not in [said for said, _, _ in rows]:
            rows.append((sqlite, _a_second(detail["n"], detail["sqlite_seconds"]), False))
        rows.append((one["name"], _a_second(detail["n"], detail["seconds"]), True))
    if rows:
        made.append(Bars("processes", "messages or replies a second", rows))
    return made


def _a_second(count: int, seconds: Sequence[float]) -> float:
    return count / statistics.median(seconds)


def _detail(results: Sequence[Mapping[str, Any]], key: str) -> Mapping[str, Any] | None:
    return next((one["detail"] for one in results if key in one["detail"]), None)


def _intake(detail: Mapping[str, Any], connections: int) -> Bars:
    rows = [
        (said.replace("`", ""), detail[f"{who}_per_s_{connections}"], who in {"ours", "plain"})
        for who, said in _SERVERS.items()
    ]
    title = f"messages stored a second, {connections} connections, a million people known"
    return Bars(f"intake-{connections}", title, rows)


def _dispatch(detail: Mapping[str, Any]) -> Bars:
    each, waiting = detail["seconds_each"], detail["pending"]
    others = ("procrastinate", "huey")
    whose = {name: name for name in others} | {"apart": "antirelou, far apart"}
    rows = [
        (
            f"{whose.get(name, 'antirelou')}, {waiting[name]:,} pending",
            1 / statistics.median(each[name]),
            name not in others,
        )
        for name in sorted(each, key=lambda name: (name not in others, waiting[name]))
    ]
    return Bars("dispatch", "replies (theirs: empty jobs) a second", rows, is_log=True)


def draw(bars: Bars, folder: pathlib.Path) -> pathlib.Path:
    """The same file for the same figures."""
    import matplotlib as mpl  # noqa: PLC0415 (a second to import)
    from matplotlib import figure  # noqa: PLC0415 (see above)

    with mpl.rc_context({"svg.hashsalt": "antirelou", "font.family": "sans-serif"}):
        picture = figure.Figure(figsize=(8, 0.45 * len(bars.rows) + 1), layout="constrained")
        axes = picture.subplots()
        rows = bars.rows[::-1]
        made = axes.barh(
            [what for what, _, _ in rows],
            [value for _, value, _ in rows],
            color=[_OURS if is_ours else _OTHERS for _, _, is_ours in rows],
        )
        axes.bar_label(made, [f"{value:,.0f}" for _, value, _ in rows], padding=4)
        axes.set_title(bars.title, loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        if bars.is_log:
            axes.set_xscale("log")
        axes.margins(x=0.12)
        path = folder / f"scale-{bars.name}.svg"
        picture.savefig(path, metadata={"Date": None, "Creator": None})
    return path


def write(path: pathlib.Path, found: Mapping[str, Any]) -> None:
    """Tables into the page, charts into the folder beside it."""
    path.write_text(page(path.read_text(encoding="utf-8"), found), encoding="utf-8")
    folder = path.parent / "pictures"
    folder.mkdir(exist_ok=True)
    for bars in charts(found):
        draw(bars, folder)
