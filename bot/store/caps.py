"""What is in use of each scope, read as a hint or held until the transaction's end."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from bot.store import prepared, statements, tables

_caps = tables.caps

USED: Final = prepared.Listed(
    sa.select(_caps.c.scope, _caps.c.used).where(
        _caps.c.scope.in_(sa.bindparam("scopes", expanding=True))
    ),
    "scopes",
)
HELD: Final = prepared.Listed(
    USED.statement.order_by(statements.by_bytes(_caps.c.scope)).with_for_update(), "scopes"
)
"""The same, and on PostgreSQL theirs until the end: so a hint is the truth.

Whoever changes several takes them in this order, which is Python's own, else two that meet
crosswise stand still until the server ends one.
"""
