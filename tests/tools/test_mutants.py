"""Slices name files and tests that are there; survivors are told from the killed honestly."""

from __future__ import annotations

import pytest

from tools import copies
from tools.mutants import __main__ as mutants
from tools.mutants import running


def test_every_slice_names_what_is_there() -> None:
    found = running.slices()
    assert {"ledger", "outbox", "policy", "inbox"} <= {one.name for one in found}
    for one in found:
        assert all((copies.ROOT / name).exists() for name in (*one.mutate, *one.tests)), one.name
    mutated = [file for one in found for file in one.mutate]
    assert len(mutated) == len(set(mutated))


def test_every_explanation_is_about_a_mutated_file() -> None:
    mutated = {file for one in running.slices() for file in one.mutate}
    for one in mutants.explained():
        assert one.file in mutated
        assert len(one.why) > 20


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (1, "killed"),
        (3, "killed"),
        (36, "timeout"),
        (0, "survived"),
        (33, "no_test"),
        (None, "unchecked"),
        (2, "unchecked"),
        (-11, "odd"),
    ],
)
def test_only_a_failed_test_kills(code: int | None, end: str) -> None:
    assert running._end(code) == end


def mutant(n: int, end: str) -> running.Mutant:
    return running.Mutant(key=f"bot.ledger.x_grant__mutmut_{n}", file="bot/ledger.py", end=end)


def test_a_mutants_function_is_read_from_its_name() -> None:
    assert mutant(1, "killed").function == "grant"
    method = running.Mutant(key="bot.a.xǁDoorǁaccept__mutmut_3", file="bot/a.py", end="killed")
    assert method.function == "Door.accept"


def test_the_score_counts_what_was_tried_and_takes_only_explained_ones_out() -> None:
    found = [mutant(n, end) for n, end in enumerate(("killed", "survived", "no_test", "unchecked"))]
    why = mutants.Survivor(mutant=found[1], was="a", now="b", why="nobody can tell")
    bare = mutants.Survivor(mutant=found[2], was="a", now="b", why=None)
    (counts,) = mutants.score(found, [why, bare]).values()
    assert counts == {"mutants": 4, "killed": 1, "explained": 1, "no_test": 1, "unchecked": 1}
    assert mutants.percent(counts) == "66.7 %"


def test_an_explanation_covers_its_own_change_only() -> None:
    one = mutants.Explained(file="bot/ledger.py", function="gra*", now="*n >= 0*", why="the same")
    assert one.covers(mutant(1, "survived"), "if n >= 0:")
    assert not one.covers(mutant(1, "survived"), "if n > 1:")
    other = running.Mutant(key="bot.x.x_grant__mutmut_1", file="bot/outbox.py", end="survived")
    assert not one.covers(other, "if n >= 0:")
