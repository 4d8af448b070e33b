"""Figures as tables of Markdown. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_STAMP: Final = ("date", "machine", "commit")
_FAULT: Final = "fault "
# Told as a sentence (`crash_places`).
_PLACES: Final = "crash places"
_EXPLAINED: Final = Path(__file__).resolve().parent.parent / "mutants" / "explained.toml"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; a `|` in a cell is written so that it stays in it."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [number(cell).replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def number(cell: object) -> str:
    """Whole numbers with thousands apart, everything else as it is."""
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    if isinstance(cell, list | tuple):
        return ", ".join(map(str, cell)) or "none"
    return str(cell)


def stamp(proof: Mapping[str, Any]) -> str:
    """When, where and on which commit."""
    commit = proof.get("commit") or "no clone"
    return f"*{proof.get('date', '?')}, {proof.get('machine', '?')}, commit {commit}*"


def figures(proof: Mapping[str, Any]) -> str:
    """All plain figures of a proof that are no faults, a line each."""
    rows = [
        (name, value)
        for name, value in proof.items()
        if name not in _STAMP
        and not name.startswith((_FAULT, _PLACES))
        and not isinstance(value, dict)
    ]
    return table(("", "figure"), rows)


def crash_places(proof: Mapping[str, Any]) -> str:
    """Where the drawn crashes fell. That they fell not everywhere is no fault: see the words."""
    if _PLACES not in proof:
        return ""
    known = proof.get(f"{_PLACES} known", proof[_PLACES])
    return (
        f"These crashes are drawn by chance: they fell at {number(proof[_PLACES])} of "
        f"{number(known)} named places. That every place is died at once is what the enumerated "
        "crash points below are for."
    )


def soaked(proof: Mapping[str, Any]) -> str:
    """The long run of the simulation in one sentence."""
    told = {name: number(proof[name]) for name in ("seeds", "messages", "crashes", "broken")}
    return (
        f"{told['seeds']} runs, {told['messages']} messages, {told['crashes']} crashes, broken: "
        f"{told['broken']} ({proof.get('date', '?')}, commit {proof.get('commit') or 'no clone'})."
    )


def faults(proof: Mapping[str, Any]) -> str:
    """Faults injected by kind, the commonest first; what is told by kind in a table of its own."""
    found = [(n.removeprefix(_FAULT), v) for n, v in proof.items() if n.startswith(_FAULT)]
    by_kind = proof.get("faults")
    # The simulation tells their whole number under that name.
    found += list(by_kind.items()) if isinstance(by_kind, dict) else []
    rows = sorted(found, key=lambda pair: (-pair[1], pair[0]))
    return table(("fault", "times"), rows) if rows else ""


def columns(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """One column a run, one line a figure."""
    names = list(dict.fromkeys(name for one in runs.values() for name in one))
    rows = [(name, *(one.get(name, "") for one in runs.values())) for name in names]
    return table(("", *runs), rows)


def peers(proof: Mapping[str, Any]) -> str:
    """Peers by faults: how often each struck, and what came of all of them; then the excuses."""
    runs = {name: one for name, one in proof.items() if isinstance(one, dict)}
    ran = {name: one for name, one in runs.items() if "faults" in one}
    kinds = list(dict.fromkeys(kind for one in ran.values() for kind in one["faults"]))
    rows = [
        (name, *(one["faults"].get(kind, "-") for kind in kinds), _came(one))
        for name, one in ran.items()
    ]
    parts = [table(("the line to", *kinds, "what came of it"), rows)]
    not_run = [
        (name, ", ".join(kinds), why)
        for name, one in runs.items()
        for why, kinds in _by_reason(one.get("excused", {})).items()
    ]
    if not_run:
        parts.append(table(("not run against", "faults", "because it"), not_run))
    return "\n\n".join(parts)


def _came(one: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {number(n)}" for key, n in one.items() if key != "faults")


def _by_reason(excused: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, why in excused.items():
        found.setdefault(why, []).append(kind)
    return found


def sabotages(proof: Mapping[str, Any]) -> str:
    """Each sabotage with the test that saw it."""
    rows = [
        (
            name,
            one["promise"],
            f"`{_short(one['caught_by'])}`" if one["caught_by"] else "**nobody**",
        )
        for name, one in sorted(proof["sabotages"].items(), key=lambda kv: (kv[1]["file"], kv[0]))
    ]
    return table(("guard taken out", "the promise it keeps", "seen by"), rows)


def _short(test: str) -> str:
    """Without the parameters of one case."""
    return test.removeprefix("tests/").partition("[")[0]


def mutants(proof: Mapping[str, Any]) -> str:
    """A line a file."""
    names = ("mutants", "killed", "timeout", "explained", "survived", "no_test", "unchecked")
    rows = []
    made = asked = fine = 0
    for file, one in sorted(proof["files"].items()):
        tried = one["mutants"] - one.get("unchecked", 0)
        good = sum(one.get(name, 0) for name in ("killed", "timeout", "explained"))
        made, asked, fine = made + one["mutants"], asked + tried, fine + good
        score = f"{100 * good / tried:.1f} %" if tried else "-"
        rows.append((f"`{file}`", *(one.get(name, 0) for name in names), score))
    heads = ("file", *(name.replace("_", " ") for name in names), "killed or explained")
    said = f"{asked:,} of {made:,} mutants tried; {asked - fine:,} of those neither killed nor"
    return f"{said} explained.\n\n{table(heads, rows)}"


def explained() -> str:
    """The survivors that change nothing anybody could see, and why."""
    read = tomllib.loads(_EXPLAINED.read_text("utf-8")).get("explained", [])
    rows = [(f"`{one['file']}` {one['function']}", f"`{one['now']}`", one["why"]) for one in read]
    return table(("where", "what it becomes", "why nobody could tell"), rows)


def promises(kept: Mapping[str, Any]) -> str:
    """The four promises, added up over all proofs that ran."""
    rows = []
    simulated = kept.get("dst")
    if simulated:
        rows.append(
            (
                "simulated",
                simulated.get("seeds", 0),
                simulated.get("messages", 0),
                simulated.get("crashes", 0),
                simulated.get("broken", 0),
            )
        )
    for name, one in (kept.get("crash") or {}).get("runs", {}).items():
        bad = ("lost", "stored twice", "answered twice", "early", "cents over")
        broken = sum(one.get(figure, 0) for figure in bad)
        rows.append((f"killed: {name}", 1, one["messages"], one["kills"], broken))
    return table(("", "runs", "messages", "crashes", "promises broken"), rows)
