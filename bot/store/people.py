"""Persons by id, through their merges."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from bot.store import tables

NOBODY: Final = 0
"""Whose a reply is that was sent to somebody forgotten since. Persons' numbers begin at 1."""

_p = tables.persons


def text_place(person_id: int, received_ms: int) -> str:
    """Where a message's sealed words belong (vault): its id is not known when it is sealed."""
    return f"inbound/{person_id}/{received_ms}"


def survivor(tx: sa.Connection, person_id: int) -> int:
    """The person that this one was merged into, however often; itself if never."""
    seen = {person_id}
    while True:
        query = sa.select(_p.c.merged_into).where(_p.c.id == person_id)
        into = tx.execute(query).scalar_one_or_none()
        if into is None or into in seen:
            return person_id
        seen.add(into)
        person_id = into
