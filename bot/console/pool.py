"""Our own addresses: offered (shown to people), answering (rests, still answers), retired.

`run` enters the configured ones into the table; what moderators decide there wins over the
configuration.
"""

from __future__ import annotations

import dataclasses

import sqlalchemy as sa

from bot.console import audit
from bot.console.results import Done, said
from bot.contract import bridge
from bot.store import pool, tables

_t = tables.pool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One of ours. `since_ms`: when it came into its state."""

    network: str
    value: str
    channel: str
    state: str
    since_ms: int


def listed(tx: sa.Connection) -> tuple[Own, ...]:
    """All of them."""
    return tuple(Own(**row) for row in pool.listed(tx))


def put(tx: sa.Connection, value: str, state: bridge.State, *, now_ms: int, who: str) -> Done:
    """Give one of our addresses another state, on every network that has it."""
    found = [own for own in listed(tx) if own.value == value]
    if not found:
        en, fr = "None of our addresses is that.", "Aucune de nos adresses n'est celle-là."
        return Done(ok=False, said=said(en, fr))
    statement = sa.update(_t).where(_t.c.value == value, _t.c.state != state.value)
    tx.execute(statement.values(state=state.value, since_ms=now_ms))
    channels = ", ".join(sorted({own.channel for own in found}))
    audit.note(tx, now_ms, who, "address", channel=channels, state=state.value)
    return Done(ok=True, said=said(f"It is {state} now.", f"Elle est maintenant : {state}."))
