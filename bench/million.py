"""A database that a million people have written to: made once set-wise, then copied.

Each wrote once, was answered and got his reply. Kept under .cache/bench and made anew with another
schema, another recipe, or after a week (what is old would be forgotten by the janitor).
"""

from __future__ import annotations

import asyncio
import functools
import pathlib
import shutil
import time
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from bench import forms
from bot.contract import address, clock
from bot.store import database, prepared, schema, tables, vault

CACHE: Final = pathlib.Path(__file__).resolve().parent.parent / ".cache" / "bench"
_RECIPE: Final = 1
_OLDEST_S: Final = 7 * 86_400
_SLICE: Final = 50_000
_DAY_MS: Final = 86_400_000

Told = Callable[[str], None]


def copied(folder: pathlib.Path, told: Told = lambda _what: None) -> pathlib.Path:
    """A copy of the database and its key in `folder`: antirelou.db, antirelou.key."""
    source = CACHE / f"million-{schema.HEAD}-{_RECIPE}"
    made = source / "antirelou.db"
    if not made.exists() or time.time() - made.stat().st_mtime > _OLDEST_S:
        _make(source, told)
    for name in ("antirelou.db", "antirelou.key"):
        shutil.copyfile(source / name, folder / name)
    (folder / "antirelou.key").chmod(0o600)
    return folder / "antirelou.db"


def _make(source: pathlib.Path, told: Told) -> None:
    """In a folder beside it, so that what is cut off is never taken for whole."""
    for old in CACHE.glob("million-*"):
        shutil.rmtree(old)
    fresh = source.with_name("making-" + source.name)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    asyncio.run(_fill(fresh, told))
    fresh.rename(source)


async def _fill(fresh: pathlib.Path, told: Told) -> None:
    store = database.Store(fresh / "antirelou.db")
    await store.open()
    keys = await schema.prepare(store, fresh / "antirelou.key", "EUR")
    now_ms = clock.to_ms(clock.SystemClock().now())
    for first in range(0, forms.PEOPLE, _SLICE):
        told(f"a million people: {first:,}")
        await store.write(functools.partial(_rows, keys=keys, first=first, now_ms=now_ms))
        await store.checkpoint()
    told("a million people: their addresses and ids")
    # By hash, or a tree of random keys is written a dozen times over.
    hashes = [
        (keys.hash_address(address.SMS, forms.number(place))[0], place + 1)
        for place in range(forms.PEOPLE)
    ]
    hashes.sort()
    seen = sorted(keys.hash("seen", f"sms\x00{_sid(place)}") for place in range(forms.PEOPLE))
    for first in range(0, forms.PEOPLE, _SLICE):
        rows = [{"hash": h, "person_id": of} for h, of in hashes[first : first + _SLICE]]
        known = [{"hash": h, "at_ms": now_ms - _DAY_MS} for h in seen[first : first + _SLICE]]
        await store.write(functools.partial(_keyed, rows=rows, known=known))
        await store.checkpoint()
    await store.checkpoint()
    await store.close()


def _sid(place: int) -> str:
    return f"SM{place:032x}"


def _keyed(
    tx: sa.Connection, rows: list[dict[str, object]], known: list[dict[str, object]]
) -> None:
    prepared.Insert(tables.identities).many(tx, rows)
    prepared.Insert(tables.seen).many(tx, known)


def _rows(tx: sa.Connection, keys: vault.Vault, first: int, now_ms: int) -> None:
    at_ms = now_ms - _DAY_MS
    window_ms = now_ms + 29 * _DAY_MS
    people, replies, inbound = [], [], []
    for place in range(first, first + _SLICE):
        own = place + 1
        people.append(
            {
                "id": own,
                "created_ms": at_ms,
                "last_ms": at_ms,
                "messages": 1,
                "blocked_until_ms": window_ms,
            }
        )
        replies.append(_reply(own, at_ms, window_ms))
        inbound.append(
            {
                "person_id": own,
                "channel": "sms",
                "network": address.SMS,
                "kind": "text",
                "received_ms": at_ms,
                "decision": "reply",
                "reason": "first_contact",
                "reply_id": own,
                "first": True,
                "length": 20,
                "parts": 1,
                "country": "FR",
                "number_type": "mobile",
                "prefix": keys.hash("prefix", forms.number(place)[:8]),
            }
        )
    prepared.Insert(tables.persons).many(tx, people)
    prepared.Insert(tables.replies).many(tx, replies)
    prepared.Insert(tables.inbound).many(tx, inbound)
    if not first:
        names = [{"name": name, "next": forms.PEOPLE + 1} for name in ("persons", "replies")]
        prepared.Insert(tables.sequences).many(tx, names)


def _reply(own: int, at_ms: int, window_ms: int) -> dict[str, object]:
    return {
        "id": own,
        "person_id": own,
        "automatic": True,
        "state": "delivered",
        "reason": "first_contact",
        "network": address.SMS,
        "channel": "sms",
        "own_address": forms.OURS,
        "country": "FR",
        "language": "fr",
        "first_ms": at_ms,
        "due_ms": at_ms + 3_600_000,
        "window_ms": window_ms,
        "attempts": 1,
        "started_ms": at_ms + 3_600_000,
        "sent_ms": at_ms + 3_600_500,
        "provider_id": f"SM{own:032x}",
        "parts": 1,
        "price_micros": 80_000,
        "approved": False,
    }
