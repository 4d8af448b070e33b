"""Each peer meets each fault, or it says in one place why not; and what ran is what is written."""

from __future__ import annotations

import json
import pathlib
import types

import pytest

from tests.chaos import (
    figures,
    table,
    test_matrix,
    test_postgres,
    test_receives,
    test_sends,
    test_signal,
    test_twilio,
    test_webhooks,
)
from tests.peers import chaos

MODULES: tuple[types.ModuleType, ...] = (
    test_matrix,
    test_postgres,
    test_receives,
    test_sends,
    test_signal,
    test_twilio,
    test_webhooks,
)


@pytest.mark.parametrize("fault", list(chaos.Fault))
@pytest.mark.parametrize("peer", [*table.RUN, *table.EXCUSED])
def test_each_cell_is_run_or_excused(peer: str, fault: chaos.Fault) -> None:
    places = table.RUN.get(peer, {}).get(fault, ())
    excuse = table.EXCUSED.get(peer, {}).get(fault, "")
    assert bool(places) is not bool(excuse)


def test_each_row_has_exactly_one_test_that_takes_its_places_from_the_table() -> None:
    rows = [name for module in MODULES for name in module.ROWS]
    assert sorted(rows) == sorted(table.RUN)


def test_a_row_is_written_when_it_is_whole_and_not_before(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "chaos.json"
    path.write_text('{"Synapse": {"old": 1}, "gone": {"old": 1}}')
    told = figures.Figures()
    told.count("PostgreSQL", lost=0)
    for number, fault in enumerate(chaos.Fault):
        assert "PostgreSQL" not in told.whole()
        told.add("PostgreSQL", fault, number, sends=number + 1)
    told.write(path)
    read = json.loads(path.read_text("utf-8"))
    times = {fault.value: number for number, fault in enumerate(chaos.Fault)}
    assert read["PostgreSQL"] == {"faults": times, "sends": 15, "lost": 0}
    assert read["Synapse"] == {"old": 1}
    assert "gone" not in read
    for peer, why in table.EXCUSED.items():
        assert read[peer] == {"excused": {fault.value: why[fault] for fault in chaos.Fault}}
