"""Short names of people in the room (`#k7f2`), which expire: nobody is followed for long by one."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from bot.console import names
from bot.store import people, tables, vault

LASTS_MS: Final = 7 * 86_400_000
# So long after its end a code is nobody else's, so that an old message names nobody wrong.
RESTS_MS: Final = 30 * 86_400_000
_SHORT: Final = 4
_TRIES: Final = 8
_c = tables.room_codes


def of(tx: sa.Connection, keys: vault.Vault, person_id: int, now_ms: int) -> str:
    """The person's present code, made if there is none; it lives a week from each showing."""
    person_id = people.survivor(tx, person_id)
    until_ms = now_ms + LASTS_MS
    query = sa.select(_c.c.code).where(_c.c.person_id == person_id, _c.c.expires_ms > now_ms)
    code: str | None = tx.execute(query.order_by(_c.c.expires_ms.desc()).limit(1)).scalar()
    if code is None:
        code = _draw(tx, keys, person_id, now_ms)
        tx.execute(sa.delete(_c).where(_c.c.code == code))
        row = {"code": code, "person_id": person_id, "expires_ms": until_ms}
        tx.execute(sa.insert(_c), row)
    else:
        tx.execute(sa.update(_c).where(_c.c.code == code).values(expires_ms=until_ms))
    return code


def _draw(tx: sa.Connection, keys: vault.Vault, person_id: int, now_ms: int) -> str:
    attempt = 0
    while True:
        drawn = keys.hash("room code", f"{person_id}:{now_ms}:{attempt}")
        length = _SHORT + attempt // _TRIES
        code = "#" + names.letters(drawn, length)
        taken = sa.select(_c.c.code).where(_c.c.code == code, _c.c.expires_ms > now_ms - RESTS_MS)
        if tx.execute(taken).scalar() is None:
            return code
        attempt += 1


def person(tx: sa.Connection, code: str, now_ms: int) -> int | None:
    """Who is meant, None if nobody is or the code is over."""
    query = sa.select(_c.c.person_id).where(_c.c.code == code, _c.c.expires_ms > now_ms)
    found: int | None = tx.execute(query).scalar_one_or_none()
    return None if found is None else people.survivor(tx, found)


def forget(tx: sa.Connection, person_id: int) -> None:
    """Nobody is called by these any more."""
    tx.execute(sa.delete(_c).where(_c.c.person_id == person_id))
