"""Alembic's environment: runs in the transaction of whoever called `schema.upgrade`.

The caller's connection comes in `config.attributes`; nothing is begun, committed or closed here,
so that a failure or a kill in the middle leaves the old schema whole. There is no offline mode:
a migration that was never run against a real database is not trusted.
"""

from __future__ import annotations

from alembic import context

from bot.store import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    # One transaction for all steps, and it is the caller's.
    transaction_per_migration=False,
)
context.run_migrations()
