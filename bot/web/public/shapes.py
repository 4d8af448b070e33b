"""Text drawn as SVG outlines, for numbers that people see and search engines do not read.

What is drawn has no order that a missing style sheet could change: where it cannot be drawn there
is nothing to see, never a wrong number.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any, Final

import markupsafe

_HEAD: Final = (
    '<svg class="drawn" role="img" aria-label="{}" fill="currentColor" '
    'preserveAspectRatio="xMinYMid" viewBox="0 {} {} {}">'
)


def drawn(text: str, label: str) -> markupsafe.Markup | None:
    """The text as one picture called `label`; None if it has a character without an outline."""
    table = _table()
    shapes: dict[str, tuple[int, str]] = table["shapes"]
    if not text or any(character not in shapes for character in text):
        return None
    em, at = int(table["em"]), 0
    paths = []
    for character in text:
        width, path = shapes[character]
        if path:
            paths.append(f'<path transform="translate({at})" d="{path}"/>')
        at += width
    # The label may be anything and is escaped by format; the outlines are ours.
    head = markupsafe.Markup(_HEAD).format(label, -em * 4 // 5, at, em)  # noqa: S704 (as said)
    return head + markupsafe.Markup("".join(paths) + "</svg>")  # noqa: S704 (as said)


@functools.cache
def _table() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("shapes.json").read_text(encoding="ascii")
    table: dict[str, Any] = json.loads(text)
    return table
