"""Our own addresses and their states. The database knows later states than the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from bot.contract import bridge
from bot.store import statements, tables

_t = tables.pool


def enter(
    tx: sa.Connection, channel: str, addresses: Iterable[bridge.OwnAddress], now_ms: int
) -> None:
    """Add addresses that are new, in their configured state; known ones keep theirs."""
    rows = [
        {
            "network": own.address.network,
            "value": own.address.value,
            "channel": channel,
            "state": own.state,
            "since_ms": now_ms,
        }
        for own in addresses
    ]
    if rows:
        tx.execute(
            statements.upsert(_t).on_conflict_do_nothing(index_elements=["network", "value"]), rows
        )


def listed(tx: sa.Connection) -> Sequence[sa.RowMapping]:
    """All of them: network, value, channel, state, since_ms."""
    query = sa.select(_t).order_by(_t.c.network, _t.c.since_ms, _t.c.value)
    return tx.execute(query).mappings().all()


def offered(tx: sa.Connection) -> dict[str, list[str]]:
    """Channel -> addresses that may be shown to the public."""
    out: dict[str, list[str]] = {}
    for row in listed(tx):
        if row["state"] == bridge.State.OFFERED:
            out.setdefault(row["channel"], []).append(row["value"])
    return out
