"""Statements whose spelling SQLAlchemy keeps per database, one spelling for ours."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import dml
from sqlalchemy.ext import compiler
from sqlalchemy.sql import expression


def upsert(table: sa.Table) -> sqlite.Insert:
    """INSERT with `on_conflict_do_*`.

    SQLite and PostgreSQL share the ON CONFLICT syntax to the letter, but SQLAlchemy has a
    construct for each. SQLite's is used here; `_on_conflict` lets PostgreSQL compile it too.
    """
    return sqlite.insert(table)


def bump(table: sa.Table, column: str) -> sqlite.Insert:
    """Additive upsert: insert the row, or add `column` of the new row to the old one."""
    insert = sqlite.insert(table)
    key = [c.name for c in table.primary_key.columns]
    added = table.c[column] + insert.excluded[column]
    return insert.on_conflict_do_update(index_elements=key, set_={column: added})


class by_bytes(expression.FunctionElement[str]):  # noqa: N801 (as SQL's functions are written)
    """A text to order by as Python does, whatever the database's language."""

    inherit_cache = True


@compiler.compiles(by_bytes)
def _plainly(element: Any, made: Any, **more: Any) -> str:  # noqa: ANN401 (SQLAlchemy's hook)
    text: str = made.process(element.clauses, **more)
    return text


@compiler.compiles(by_bytes, "postgresql")
def _in_c(element: Any, made: Any, **more: Any) -> str:  # noqa: ANN401 (SQLAlchemy's hook)
    return f'{made.process(element.clauses, **more)} COLLATE "C"'


@compiler.compiles(dml.OnConflictDoUpdate, "postgresql")
@compiler.compiles(dml.OnConflictDoNothing, "postgresql")
def _on_conflict(element: Any, made: Any, **more: Any) -> str:  # noqa: ANN401 (SQLAlchemy's hook)
    """Both databases share the clause to the letter; only this attribute is lacking."""
    element.constraint_target = None
    visit = getattr(made, f"visit_{element.__visit_name__}")
    text: str = visit(element, **more)
    return text
