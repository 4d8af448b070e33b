"""docs/reliability.md is what the tool renders from the committed figures, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tools import figures
from tools.reliability import __main__ as reliability
from tools.reliability import tables


def test_the_page_is_what_the_figures_say() -> None:
    kept = json.loads(reliability.KEPT.read_text("utf-8"))
    assert reliability.PAGE.read_text("utf-8") == reliability.render(kept)


def test_a_page_without_any_figure_says_so() -> None:
    page = reliability.render({})
    assert page.count("No figures yet.") >= 6
    assert "promises broken" in page


def test_figures_are_taken_over_and_others_are_kept(tmp_path: Path) -> None:
    (tmp_path / "dst.json").write_text('{"seeds": 7, "fault cut": 3}')
    (tmp_path / "crash.json").write_text('{"date": "2026-01-02", "commit": "c", "runs": {}}')
    (tmp_path / "other.json").write_text("{}")
    os.utime(tmp_path / "dst.json", (0, 0))
    before = {"mutants": {"files": {}}, "dst": {"seeds": 1}}
    kept = reliability.collected(before, tmp_path)
    assert list(kept) == ["dst", "crash", "mutants"]
    # What says nothing of its day has the file's; what does keeps its own.
    assert kept["dst"]["date"] == "1970-01-01"
    assert kept["dst"]["seeds"] == 7
    assert kept["crash"]["date"] == "2026-01-02"
    assert kept["mutants"] == {"files": {}}


def test_broken_promises_are_added_up_and_not_made_up() -> None:
    run = {"messages": 5, "kills": 2, "lost": 1, "answered twice": 2, "cents over": 3}
    told = tables.promises({"dst": {"seeds": 4, "broken": 1}, "crash": {"runs": {"sqlite": run}}})
    assert "| simulated | 4 | 0 | 0 | 1 |" in told
    assert "| killed: sqlite | 1 | 5 | 2 | 6 |" in told


def test_faults_are_told_by_kind_and_nobody_is_called_seen_who_was_not() -> None:
    told = tables.faults({"fault cut": 3, "fault full": 12_000, "seeds": 4})
    assert told.splitlines()[2:] == ["| full | 12,000 |", "| cut | 3 |"]
    rows = tables.sabotages(
        {
            "sabotages": {
                "a": {"file": "x", "promise": "p|q", "caught_by": "tests/t.py::test_a[1 2]"},
                "b": {"file": "y", "promise": "r", "caught_by": ""},
            }
        }
    )
    assert "| a | p\\|q | `t.py::test_a` |" in rows
    assert "| b | r | **nobody** |" in rows


def test_places_that_no_crash_fell_at_by_chance_are_told_without_alarm() -> None:
    drawn = {"crash places": 2, "crash places known": 3, "crash places not drawn": ["a.b: c()"]}
    page = reliability.render({"dst": {"seeds": 1, **drawn}})
    assert "they fell at 2 of 3 named places" in page
    assert "a.b: c()" not in page
    assert "they fell at" not in reliability.render({"dst": {"seeds": 1}})


def test_peers_by_faults_and_what_is_excused_is_not_called_run() -> None:
    told = tables.peers(
        {
            "date": "2026-01-02",
            "a": {"faults": {"cut": 2, "drip": 1_000}, "lost": 0, "sends": 3},
            "b": {"faults": {"cut": 1}},
            "c": {"excused": {"cut": "needs a phone", "drip": "needs a phone"}},
        }
    )
    first, second = told.split("\n\n")
    assert first.splitlines()[2:] == [
        "| a | 2 | 1,000 | lost: 0, sends: 3 |",
        "| b | 1 | - |  |",
    ]
    assert second.splitlines()[2:] == ["| c | cut, drip | needs a phone |"]


def test_a_merge_keeps_the_rows_of_other_runs(tmp_path: Path) -> None:
    figures.merge("crash", {"runs": {"a": {"kills": 1}}}, into=("runs",), folder=tmp_path)
    path = figures.merge("crash", {"runs": {"b": {"kills": 2}}}, into=("runs",), folder=tmp_path)
    read = json.loads(path.read_text("utf-8"))
    assert read["runs"] == {"a": {"kills": 1}, "b": {"kills": 2}}
    assert {"date", "machine", "commit"} <= read.keys()


@pytest.mark.parametrize("value", [1_234, "text", [], ["a", "b"], True])
def test_cells_are_readable(value: object) -> None:
    assert tables.number(value) in {"1,234", "text", "none", "a, b", "True"}
