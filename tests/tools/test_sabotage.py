"""The list of sabotages fits the source, and the tool says honestly what nobody saw."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tools import copies
from tools.sabotage import __main__ as sabotage
from tools.sabotage import entries, trying

# A room for the tool's own tests: one guard, one test that sees it, one that does not.
GUARD = "def may(age: int) -> bool:\n    return age >= 18\n"
SEES = "import guard\n\n\ndef test_a_child_may_not() -> None:\n    assert not guard.may(17)\n"
BLIND = "import guard\n\n\ndef test_an_adult_may() -> None:\n    assert guard.may(40)\n"
RED = "def test_is_red() -> None:\n    assert 1 == 2\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "guard.py").write_text(GUARD)
    for name, text in (("sees", SEES), ("blind", BLIND), ("red", RED)):
        (tmp_path / "tests" / f"test_{name}.py").write_text(text)
    return tmp_path


def entry(**change: object) -> entries.Entry:
    plain: dict[str, object] = {
        "name": "anybody",
        "file": "guard.py",
        "old": "age >= 18",
        "new": "True",
        "promise": "children may not",
        "tests": ("tests/test_sees.py",),
    }
    return entries.Entry(**{**plain, **change})  # type: ignore[arg-type]


def test_every_sabotage_fits_the_source() -> None:
    found = entries.all_of()
    assert not entries.stale(found)
    assert len(found) >= 100
    assert 3 <= sum(one.quick for one in found) <= 8


def test_what_does_not_fit_is_named(copy: Path) -> None:
    wrong = [
        entry(name="gone", old="age > 18"),
        entry(name="twice", old="a"),
        entry(name="broken", new="18 <"),
        entry(name="harmless", new="(age >= 18)"),
        entry(name="nowhere", file="other.py"),
        entry(name="unseen", tests=("tests/test_nobody.py", "tests/test_sees.py::test_gone")),
    ]
    said = entries.stale(wrong, copy)
    assert [line.partition(":")[0] for line in said] == [
        *("gone", "twice", "broken", "harmless", "nowhere", "unseen", "unseen"),
    ]


def test_who_saw_it_is_told_and_the_copy_is_mended(copy: Path) -> None:
    seen = trying.attempt(entry(), copy, 0, narrow=True)
    assert seen.caught_by == "tests/test_sees.py::test_a_child_may_not"
    assert not seen.wide
    assert (copy / "guard.py").read_text() == GUARD
    assert not trying.red(copy, [seen.caught_by])


def test_what_nobody_saw_is_not_called_seen(copy: Path) -> None:
    blind = trying.attempt(entry(tests=("tests/test_blind.py",)), copy, 0, narrow=True)
    assert not blind.caught
    # A test that cannot even be collected has seen nothing either.
    (copy / "tests" / "test_torn.py").write_text("import nowhere\n")
    torn = trying.attempt(entry(tests=("tests/test_torn.py",)), copy, 1, narrow=True)
    assert not torn.caught
    assert "pytest ended with 2" in torn.trouble
    stale = trying.attempt(entry(old="age > 18"), copy, 2, narrow=True)
    assert stale.trouble.startswith("stale: ")


def test_a_test_that_is_red_anyway_saw_nothing(copy: Path, tmp_path: Path) -> None:
    seen = trying.attempt(entry(tests=("tests/test_red.py",)), copy, 0, narrow=True)
    assert seen.caught
    assert trying.red(copy, [seen.caught_by]) == {seen.caught_by}


@pytest.mark.slow
def test_the_quick_ones_are_seen_by_their_own_tests(tmp_path: Path) -> None:
    chosen = [one for one in entries.all_of() if one.quick][:3]
    found = sabotage.run(chosen, jobs=1, narrow=True, work=tmp_path)
    assert [dataclasses.replace(one, seconds=0) for one in found if not one.caught] == []
    assert not sabotage.unsound(found, work=tmp_path)
    # The tree itself is as it was.
    assert not entries.stale(chosen, copies.ROOT)
