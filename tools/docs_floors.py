"""The picture of the floors, drawn from the contracts that import-linter keeps (pyproject.toml).

python -m tools.docs_floors          writes docs/pictures/floors.svg
python -m tools.docs_floors --check  fails if the picture there is another one
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURE: Final = ROOT / "docs" / "pictures" / "floors.svg"
_WIDTH: Final = 760
_LEFT: Final = 70
_HOUSE: Final = 540
_FLOOR: Final = 46
_GAP: Final = 8
_TOP: Final = 44
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
# From the street up: cellar of contracts to roof.
_SHADES: Final = ("#dbe7f3", "#dfeaf0", "#e3ecea", "#e8eee3", "#edefdc", "#f2efd8", "#f5ecd8",
                  "#f7e8da", "#f9e4dc", "#fbe0de")  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """`floors`: rooms of each, the lowest first; `sees`: what the annex may import of them."""

    floors: tuple[tuple[str, ...], ...]
    annex: str
    sees: str


def read(pyproject: Path) -> House:
    """The floors as the machine keeps them. Raises KeyError where a contract is gone."""
    told = tomllib.loads(pyproject.read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    contracts: dict[str, Any] = {one["id"]: one for one in told}
    layers = [
        tuple(room.strip().strip("()") for room in layer.split("|"))
        for layer in contracts["floors"]["layers"]
    ]
    bridges = contracts["bridges-see-contract"]
    seen = {
        rule.partition("->")[2].strip().removesuffix(".**") for rule in bridges["ignore_imports"]
    }
    (only,) = seen
    return House(
        floors=tuple(reversed(layers)),
        annex=bridges["source_modules"][0],
        sees=only.partition(".")[2],
    )


def draw(house: House) -> str:
    """An SVG that needs nothing from anywhere."""
    height = _TOP + len(house.floors) * (_FLOOR + _GAP) + 22
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    font = f'font-family="{_FONT}" font-size="14"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {font}>',
        "<title>The floors of bot/: a room imports only from floors below its own</title>",
        f'<rect width="{_WIDTH}" height="{height}" rx="10" fill="#ffffff"/>',
        _text(_LEFT, 28, "bot/", bold=True),
        _text(_LEFT + _HOUSE, 28, "a room imports only from floors below", anchor="end"),
    ]
    for index, rooms in enumerate(house.floors):
        parts += _floor(index, rooms, _y(len(house.floors) - 1 - index))
    parts += _annex(house)
    parts.append("</svg>\n")
    return "\n".join(parts)


def _y(row: int) -> int:
    return _TOP + row * (_FLOOR + _GAP)


def _floor(index: int, rooms: tuple[str, ...], y: int) -> list[str]:
    """One floor with its number; rooms of one floor stand apart, as they do not know each other."""
    parts = [_text(_LEFT - 14, y + 29, str(index + 1), anchor="end", colour="#5b6470")]
    width = (_HOUSE - _GAP * (len(rooms) - 1)) / len(rooms)
    for place, room in enumerate(rooms):
        x = _LEFT + place * (width + _GAP)
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_FLOOR}" rx="5" '
            f'fill="{_SHADES[index % len(_SHADES)]}" stroke="#8a94a0"/>'
        )
        parts.append(_text(x + width / 2, y + 29, room, anchor="middle"))
    return parts


def _annex(house: House) -> list[str]:
    """The bridges: beside the house, with one door."""
    floor = next(i for i, rooms in enumerate(house.floors) if house.sees in rooms)
    y = _y(len(house.floors) - 1 - floor)
    x, width = _LEFT + _HOUSE + 34, _WIDTH - _LEFT - _HOUSE - 34 - 14
    look = 'rx="5" fill="#e7e0f1" stroke="#8a94a0"'
    return [
        f'<path d="M{x} {y + _FLOOR / 2:.0f} h-30 m8 -5 l-8 5 l8 5" fill="none" stroke="#3b4654"/>',
        f'<rect x="{x}" y="{y}" width="{width}" height="{_FLOOR}" {look}/>',
        _text(x + width / 2, y + 29, f"{house.annex}/", anchor="middle"),
    ]


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    colour: str = "#1d2733",
    bold: bool = False,
) -> str:
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}"{weight}>'
        f"{words}</text>"
    )


def main() -> int:
    """Write the picture, or say that it is old."""
    asked = argparse.ArgumentParser(description="The picture of the floors.")
    asked.add_argument("--check", action="store_true", help="change nothing; 1 if it is old")
    drawn = draw(read(ROOT / "pyproject.toml"))
    if not asked.parse_args().check:
        PICTURE.write_text(drawn, "utf-8")
        return 0
    if PICTURE.is_file() and PICTURE.read_text("utf-8") == drawn:
        return 0
    print("docs/pictures/floors.svg is not of these contracts; python -m tools.docs_floors")
    return 1


if __name__ == "__main__":
    sys.exit(main())
