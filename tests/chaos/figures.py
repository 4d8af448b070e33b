"""What the cells have shown, written for docs/reliability.md once a row is whole."""

from __future__ import annotations

import collections
import json
import pathlib
from typing import Any, Final

from tests.chaos import table
from tests.peers import chaos

RESULT: Final = (
    pathlib.Path(__file__).resolve().parents[2] / ".cache" / "reliability" / "chaos.json"
)


class Figures:
    """Of one run of the tests."""

    def __init__(self) -> None:
        """Nothing has been shown."""
        self._cells: dict[tuple[str, str], dict[str, int]] = {}
        self._rows: dict[str, dict[str, int]] = {}

    def add(self, peer: str, fault: chaos.Fault, times: int, **counts: int) -> None:
        """One cell is done: the fault struck so often, and that came of it."""
        self._cells[peer, fault] = {"times": times, **counts}

    def count(self, peer: str, **counts: int) -> None:
        """What is known of a whole row only."""
        self._rows[peer] = counts

    def whole(self) -> dict[str, dict[str, Any]]:
        """By peer, those of which every cell ran; and those that are excused, with why."""
        told: dict[str, dict[str, Any]] = {}
        for peer, cells in table.RUN.items():
            if any((peer, fault) not in self._cells for fault in cells):
                continue
            counts: collections.Counter[str] = collections.Counter()
            faults: dict[str, int] = {}
            for fault in cells:
                cell = dict(self._cells[peer, fault])
                faults[fault.value] = cell.pop("times")
                counts.update(cell)
            told[peer] = {"faults": faults, **counts, **self._rows.get(peer, {})}
        return told

    def write(self, path: pathlib.Path = RESULT) -> None:
        """Rows that are not whole keep what stands there."""
        told = self.whole()
        if not told:
            return
        before = json.loads(path.read_text("utf-8")) if path.exists() else {}
        known = {name: one for name, one in before.items() if name in table.RUN}
        excused = {
            peer: {"excused": {fault.value: why for fault, why in cells.items()}}
            for peer, cells in table.EXCUSED.items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**known, **told, **excused}, indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
