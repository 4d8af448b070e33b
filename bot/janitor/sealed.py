"""After a rotation of keys: what was sealed with an older one is sealed again, while running."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot import outbox
from bot.store import database, prepared, tables, vault

SLICE: Final = 500

_r = tables.replies
# Every sealed column that outlives a rotation, with the place its values belong to: the words of
# people and of the room are gone within three days, and the old key is in the file for longer.
COLUMNS: Final[tuple[tuple[sa.Table, str, Callable[[int], str]], ...]] = (
    (tables.replies, "address_enc", outbox.place),
    (tables.replies, "text_enc", outbox.place),
)


async def reseal(store: database.Store, keys: vault.Vault) -> dict[str, int]:
    """Seal again what is not sealed with the newest key; `sealed_stuck` does not open."""
    out = {"resealed": 0, "sealed_stuck": 0}
    if sum(name.startswith("enc ") for name in keys.fingerprints()) == 1:
        return out
    for table, column, place in COLUMNS:
        after = 0
        while True:
            find = functools.partial(_old, table=table, column=column, keys=keys, after=after)
            page, last = await store.read(find)
            fresh, stuck = _again(page, keys, place)
            if fresh:
                save = functools.partial(_save, table=table, column=column, rows=fresh)
                out["resealed"] += await store.write(save)
            out["sealed_stuck"] += stuck
            if last is None:
                break
            after = last
    return out


def _old(
    tx: sa.Connection, *, table: sa.Table, column: str, keys: vault.Vault, after: int
) -> tuple[list[tuple[int, bytes]], int | None]:
    """A page of old values, and where the next page begins (None: that was all)."""
    query = (
        sa.select(table.c.id, table.c[column])
        .where(table.c[column].is_not(None), table.c.id > after)
        .order_by(table.c.id)
        .limit(SLICE)
    )
    rows = [(i, sealed) for i, sealed in tx.execute(query)]
    last = rows[-1][0] if len(rows) == SLICE else None
    return [(i, sealed) for i, sealed in rows if not keys.is_newest(sealed)], last


def _again(
    page: Sequence[tuple[int, bytes]], keys: vault.Vault, place: Callable[[int], str]
) -> tuple[list[dict[str, Any]], int]:
    fresh, stuck = [], 0
    for row_id, sealed in page:
        try:
            plain = keys.open(sealed, place(row_id))
        except vault.SealedError:
            stuck += 1
            continue
        fresh.append({"of": row_id, "was": sealed, "now": keys.seal(plain, place(row_id))})
    return fresh, stuck


def _save(tx: sa.Connection, *, table: sa.Table, column: str, rows: list[dict[str, Any]]) -> int:
    """Only where the value is still the one that was read: it may have been wiped since."""
    statement = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("of"), table.c[column] == sa.bindparam("was"))
        .values({column: sa.bindparam("now")})
    )
    return prepared.Prepared(statement).many(tx, rows)
