"""The figures in docs/scale.md are those that were measured; the bench itself is not run here."""

import json
import pathlib
import re
from typing import Any

import pytest

from bench import __main__ as listed
from bench import measure, telling

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "scale.md"
WHERE: dict[str, object] = {
    "processor": "A chip",
    "cores": 2,
    "system": "Linux 6",
    "python": "3.11.7",
    "load": [0.2, 0.1, 0.1],
}
EMPTY = "<!-- bench one -->\n<!-- end of bench one -->"
MARKED = "a\n<!-- bench one two -->\nold\n<!-- end of bench one two -->\nz\n"


def result(name: str, ratio: float | None = 2.0, **detail: Any) -> measure.Result:  # noqa: ANN401 (any JSON)
    return measure.Result(
        name=name, figure="1,000 a second", ratio=ratio, reference="a loop", detail=detail
    )


def found(**results: list[measure.Result]) -> dict[str, Any]:
    return telling.kept(results, WHERE, quick=False)


def test_tables_come_from_the_results_and_nothing_else_changes() -> None:
    known = found(one=[result("first"), result("second", 12.3)], two=[result("third", None)])
    made = telling.page(MARKED, json.loads(json.dumps(known)))
    assert "old" not in made
    assert made.startswith("a\n<!-- bench one two -->\n")
    assert made.endswith("\n<!-- end of bench one two -->\nz\n")
    rows = re.findall(r"\| (.*?) \| 1,000 a second \| (.*?) \| a loop \|", made)
    assert rows == [("first", "2.00 x"), ("second", "12 x"), ("third", "-")]
    assert made.count("| what |") == 1
    assert telling.page(made, known) == made
    assert "| first |" in telling.page(EMPTY, known)


def test_a_table_of_what_nobody_measured_is_refused() -> None:
    with pytest.raises(KeyError, match="two"):
        telling.page(MARKED, found(one=[result("first")]))


@pytest.mark.parametrize(("load", "quick"), [(0.2, False), (7.0, True)])
def test_the_machine_and_its_load_are_said(load: float, quick: bool) -> None:
    known = telling.kept({}, WHERE | {"load": [load]}, quick=quick)
    said = telling.table(known, telling.MACHINE)
    assert "A chip, 2 cores" in said
    assert ("busy" in said) == (load > 1)
    assert ("--quick" in said) == quick


def test_what_is_measured_again_takes_the_place_of_what_was_there() -> None:
    old = found(one=[result("old")], two=[result("kept")])
    new = found(one=[result("new")])
    assert telling.joined(old, new) == found(one=[result("new")], two=[result("kept")])
    elsewhere = new | {"machine": WHERE | {"cores": 64}}
    assert telling.joined(old, elsewhere) == elsewhere
    assert telling.joined(old | {"quick": True}, new)["quick"]


def test_charts_show_what_was_measured(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib")
    known = found(
        dispatch=[
            result(
                "dispatch",
                seconds_each={"10,000": [0.5, 0.25, 0.1], "huey": [1.0]},
                pending={"10,000": 10_000, "huey": 100_000},
            )
        ],
        postgres=[
            result("intake on PostgreSQL, 1 process", n=100, seconds=[2.0], sqlite_seconds=[1.0])
        ],
    )
    bars = {one.name: list(one.rows) for one in telling.charts(known)}
    assert bars == {
        "dispatch": [("huey, 100,000 pending", 1.0, False), ("antirelou, 10,000 pending", 4, True)],
        "processes": [
            ("intake on SQLite, 1 process", 100.0, False),
            ("intake on PostgreSQL, 1 process", 50.0, True),
        ],
    }
    (tmp_path / "page.md").write_text("nothing marked")
    telling.write(tmp_path / "page.md", known)
    drawn = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in drawn] == ["scale-dispatch.svg", "scale-processes.svg"]
    before = [path.read_bytes() for path in drawn]
    telling.write(tmp_path / "page.md", known)
    assert [path.read_bytes() for path in drawn] == before


def test_what_a_machine_holds_follows_from_the_tables() -> None:
    intake = result("intake", ours_per_s_64=25_600.0)
    ours = result("dispatch", seconds_each={"10,000": [0.001, 0.002, 0.001], "huey": [9.0]})
    several = [
        result(f"{what} on PostgreSQL, 2 processes", n=n, seconds=[2.0], sqlite_seconds=[1.0])
        for what, n in (("intake", 2_560), ("dispatch", 1_800))
    ]
    alone = result("dispatch on PostgreSQL, 4 processes", n=9, seconds=[1.0], sqlite_seconds=[1.0])
    known = found(intake=[intake], dispatch=[ours], postgres=[*several, alone])
    assert telling.table(known, telling.HOLDS).splitlines()[2:] == [
        "| one process, SQLite, over HTTP | 25,600 | 1,000 | 10 s |",
        "| PostgreSQL, 2 processes, without HTTP | 1,280 | 900 | 30 s |",
    ]
    assert len(telling.table(found(), telling.HOLDS).splitlines()) == 2


def test_the_page_tells_what_its_file_of_results_tells() -> None:
    text = PAGE.read_text(encoding="utf-8")
    known = telling.read(PAGE.with_name("scale.json"))
    assert telling.page(text, known) == text
    assert "-->\n<!-- end" not in text
    marks = re.findall(r"<!-- bench ([a-z ]+) -->", text)
    assert len(marks) >= 6
    names = {name for name, _ in listed.BENCHES} | {telling.MACHINE, telling.HOLDS}
    assert {name for mark in marks for name in mark.split()} <= names
    charts = {f"scale-{one.name}.svg" for one in telling.charts(known)}
    assert charts == set(re.findall(r"pictures/(scale-[a-z0-9-]+\.svg)", text))
    assert all((PAGE.parent / "pictures" / name).exists() for name in charts)
