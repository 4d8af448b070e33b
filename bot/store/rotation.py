"""How much is sealed with which key: what a rotation has left to do and a drop must find gone.

Every sealed column of every table is counted, whoever fills it: a column's name ends in `_enc`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from bot.store import tables

_ENDS: Final = "_enc"
COLUMNS: Final = tuple(
    (table, column)
    for table in tables.metadata.sorted_tables
    for column in table.columns
    if column.name.endswith(_ENDS)
)


def uses(tx: sa.Connection) -> Mapping[int, Mapping[str, int]]:
    """Key number -> "table.column" -> how many values are sealed with it; only what there is."""
    found: dict[int, dict[str, int]] = {}
    for table, column in COLUMNS:
        number = sa.func.substr(column, 1, 2).label("number")
        query = sa.select(number, sa.func.count()).where(column.is_not(None)).group_by(number)
        for head, n in tx.execute(query):
            of = found.setdefault(int.from_bytes(bytes(head), "big"), {})
            of[f"{table.name}.{column.name}"] = int(n)
    return found
