"""What happened, for those above to read: notices, status, metrics. No address, no text.

Also the additive counters by hour, and what moderators decided (`control`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from bot.policy import periods
from bot.store import prepared, statements, tables

CHALLENGE: Final = "challenge"
"""The control `challenge:CHANNEL` holds the token of what a network wants solved by a human."""

RESTORED: Final = "restored"
"""The control that says when a backup was put back, in milliseconds."""

_TOKEN_CHARACTERS: Final = 1_024
_EVENT = prepared.Insert(tables.events)
_COUNT = prepared.Prepared(statements.bump(tables.counters, "n"))
_control = tables.control
_CONTROLS = prepared.Prepared(sa.select(_control.c.key, _control.c.value))


def append(tx: sa.Connection, at_ms: int, kind: str, data: Mapping[str, object]) -> None:
    """Append an event; `data` holds plain JSON values."""
    _EVENT.many(tx, [{"at_ms": at_ms, "kind": kind, "data": json.dumps(data)}])


def count(tx: sa.Connection, at_ms: int, deltas: Mapping[str, int]) -> None:
    """Add to the counters of the hour."""
    hour_ms = periods.hour_ms(at_ms)
    rows = [{"hour_ms": hour_ms, "name": name, "n": n} for name, n in sorted(deltas.items()) if n]
    if rows:
        _COUNT.many(tx, rows)


def totals(tx: sa.Connection) -> dict[str, int]:
    """All counters, summed over all hours."""
    query = sa.select(tables.counters.c.name, sa.func.sum(tables.counters.c.n)).group_by(
        tables.counters.c.name
    )
    return {name: int(n) for name, n in tx.execute(query)}


def controls(tx: sa.Connection) -> dict[str, str]:
    """Everything moderators set: `paused`, `paused:CHANNEL`, `stopped:CHANNEL` -> why or until."""
    return dict(_CONTROLS.rows(tx))


def restored_ms(controls: Mapping[str, str]) -> int:
    """When a backup was put back; 0 if never."""
    return int(controls.get(RESTORED, 0))


def control(tx: sa.Connection, at_ms: int, key: str, value: str | None) -> None:
    """Set a control; None removes it."""
    tx.execute(sa.delete(_control).where(_control.c.key == key))
    if value is not None:
        tx.execute(sa.insert(_control), {"key": key, "value": value, "at_ms": at_ms})


def challenge(tx: sa.Connection, at_ms: int, channel: str, token: str) -> None:
    """A network that wants a human gets nothing more until one acts; asked on, it would ban us."""
    control(tx, at_ms, f"{CHALLENGE}:{channel}", token[:_TOKEN_CHARACTERS])
    append(tx, at_ms, CHALLENGE, {"channel": channel})
