"""Statements whose spelling SQLAlchemy keeps per database, one spelling for ours."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite


def upsert(table: sa.Table) -> sqlite.Insert:
    """INSERT with `on_conflict_do_*`.

    SQLite and PostgreSQL share the ON CONFLICT syntax to the letter, but SQLAlchemy has a
    construct for each. SQLite's is used here; the PostgreSQL store will compile it the same way.
    """
    return sqlite.insert(table)


def bump(table: sa.Table, column: str) -> sqlite.Insert:
    """Additive upsert: insert the row, or add `column` of the new row to the old one."""
    insert = sqlite.insert(table)
    key = [c.name for c in table.primary_key.columns]
    added = table.c[column] + insert.excluded[column]
    return insert.on_conflict_do_update(index_elements=key, set_={column: added})
