"""Our own addresses: offered (shown to people), answering (rests, still answers), retired.

`run` enters the configured ones into the table; what moderators decide there wins over the
configuration. One that is on offer for long gets known, and he can look it up: after half a year
it had better rest. A retired one is kept for a year, so that it never reaches a private person.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import sqlalchemy as sa

from bot.console import audit
from bot.console.results import Done, Words, said
from bot.contract import bridge
from bot.store import pool, tables

OFFERED_DAYS: Final = 183
KEPT_DAYS: Final = 365
_DAY_MS: Final = 86_400_000
_t = tables.pool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One of ours. `since_ms`: when it came into its state."""

    network: str
    value: str
    channel: str
    state: str
    since_ms: int

    @property
    def due_ms(self) -> int | None:
        """When it had better rest, or may be given back; None while it only answers."""
        days = {bridge.State.OFFERED: OFFERED_DAYS, bridge.State.RETIRED: KEPT_DAYS}
        found = days.get(bridge.State(self.state))
        return None if found is None else self.since_ms + found * _DAY_MS


def listed(tx: sa.Connection) -> tuple[Own, ...]:
    """All of them."""
    return tuple(Own(**row) for row in pool.listed(tx))


def due(tx: sa.Connection, now_ms: int) -> tuple[Own, ...]:
    """Those on offer for too long, and those that were kept for long enough."""
    return tuple(own for own in listed(tx) if own.due_ms is not None and own.due_ms <= now_ms)


def step(own: Own) -> Words:
    """What it is time for, of one that is due."""
    if own.state == bridge.State.RETIRED:
        return said("kept for a year, may be given back", "gardée un an, peut être rendue")
    return said(
        "on offer for half a year, let one rest", "proposée depuis six mois, à mettre au repos"
    )


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
