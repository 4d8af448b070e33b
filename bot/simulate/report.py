"""A simulation's figures with the ways to show them."""

from __future__ import annotations

import dataclasses
import pathlib

from rich import console

from bot.simulate import chart, figures, table


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report(figures.Figures):
    """What `run` gives back; `as_json` comes with the figures."""

    def table(self) -> console.RenderableType:
        """For the terminal."""
        return table.render(self)

    def beside(self, other: Report) -> console.RenderableType:
        """For the terminal: this run and another of the same recording."""
        return table.beside(self, other)

    def chart(self, path: pathlib.Path) -> None:
        """Draw messages, replies, bill and mode over time. Raises chart.NoChartError."""
        chart.draw(self, path)
