"""Who did what: one event an act. Holds ids and names of accounts, never an address."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from bot.store import events

KIND: Final = "act"


def note(
    tx: sa.Connection, now_ms: int, who: str, act: str, **details: str | int | list[int] | None
) -> None:
    """Append the event in the act's own transaction."""
    told = {key: value for key, value in details.items() if value is not None}
    events.append(tx, now_ms, KIND, {"act": act, "who": who, **told})
