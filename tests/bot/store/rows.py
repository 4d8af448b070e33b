"""Databases and rows for tests of the lower floors."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import pathlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa

from bot import outbox
from bot.contract import address, clock, messages
from bot.inbox import signals, state
from bot.policy import settings
from bot.store import database, events, ids, schema, tables, transaction, vault
from tests.fakes import databases

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
NOW_MS = clock.to_ms(NOW)
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
WINDOW_MS = NOW_MS + 30 * DAY_MS
# The numbers kept for films are nobody's, and the only ones that tests may use.
WHO = settings.Who(answer_fiction=True)
CORE = settings.Core(who=WHO)
KEYS = vault.throwaway(7)
OURS = "+33639980000"


class StillClock:
    """A clock that a test moves; sleeping yields to others and takes no time."""

    def __init__(self, now: dt.datetime = NOW) -> None:
        self.at = now

    def now(self) -> dt.datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        del seconds


def phone(n: int) -> str:
    """One of the ten thousand numbers that films may use."""
    return f"+3363998{n:04d}"


@contextlib.asynccontextmanager
async def memory() -> AsyncIterator[database.Store]:
    """A fresh database with all tables: in memory, or on PostgreSQL (tests.fakes.databases)."""
    async with databases.opened() as store:
        yield store


@contextlib.asynccontextmanager
async def on_file(
    folder: pathlib.Path, *, patience_ms: int = transaction.BUSY_MS
) -> AsyncIterator[database.Store]:
    """A database on a file, made by the migrations."""
    store = database.Store(folder / "bot.db", patience_ms=patience_ms)
    await store.open()
    try:
        await schema.prepare(store, folder / "keys")
        yield store
    finally:
        await store.close()


def context(core: settings.Core = CORE) -> state.Context:
    """What intake is told, with France as the only country."""
    return state.Context(
        core=dataclasses.replace(core, who=WHO),
        keys=KEYS,
        ids=ids.Ids(),
        own=frozenset({("sms", OURS)}),
        countries=frozenset({"FR"}),
        hashed=signals.hasher(KEYS),
    )


def message(
    provider_id: str = "a",
    text: str = "salut",
    *,
    sender: str = "+33639981234",
    network: str = "sms",
    at_s: float = 0,
    **changes: Any,  # noqa: ANN401 (any field of a message)
) -> messages.InboundMessage:
    """A text to our number, `at_s` seconds after NOW."""
    ours = address.Address("sms", OURS) if network == "sms" else address.Address(network, "us")
    values: dict[str, Any] = {
        "channel": network,
        "provider_id": provider_id,
        "sender": address.Address(network, sender),
        "recipient": ours,
        "received_at": NOW + dt.timedelta(seconds=at_s),
        "text": text,
    }
    return messages.InboundMessage(**(values | changes))


def person(person_id: int, **changes: object) -> dict[str, object]:
    """A person inside the window of a reply."""
    row: dict[str, object] = {
        "id": person_id,
        "created_ms": NOW_MS,
        "last_ms": NOW_MS,
        "messages": 1,
        "blocked_until_ms": WINDOW_MS,
        "opted_out_ms": None,
        "blocked_ms": None,
        "merged_into": None,
    }
    return row | changes


def reply(reply_id: int, reply_state: str, **changes: object) -> dict[str, object]:
    """A reply to the person of the same number; claimed ones hold 0.08."""
    claimed = reply_state not in ("held", "scheduled", "cancelled", "expired")
    row: dict[str, object] = {
        "id": reply_id,
        "person_id": reply_id,
        "automatic": True,
        "state": reply_state,
        "reason": "first_contact",
        "network": "sms",
        "channel": "sms",
        "own_address": OURS,
        "country": "FR",
        "language": "fr",
        "address_enc": KEYS.seal("+33639981234", outbox.place(reply_id)),
        "text_enc": None,
        "first_ms": NOW_MS - 2 * HOUR_MS,
        "due_ms": NOW_MS - HOUR_MS,
        "window_ms": WINDOW_MS,
        "attempts": int(claimed),
        "lease_until_ms": NOW_MS + 60_000 if reply_state == "sending" else None,
        "started_ms": NOW_MS - 60_000 if claimed else None,
        "sent_ms": None,
        "provider_id": None,
        "parts": 1 if claimed else None,
        "reserved_micros": 80_000 if claimed else None,
        "price_micros": None,
        "period": "2026-11-22T13+0100" if claimed else None,
    }
    return row | changes


async def put(store: database.Store, table: sa.Table, *rows: Mapping[str, object]) -> None:
    """Insert rows."""
    await run(store, sa.insert(table).values(list(rows)))


async def run(store: database.Store, statement: sa.Executable) -> None:
    """Execute one statement."""

    def work(tx: sa.Connection) -> None:
        tx.execute(statement)

    await store.write(work)


async def put_replies(store: database.Store, *replies: Mapping[str, object]) -> None:
    """Insert replies with the persons they belong to."""
    persons = [person(int(str(r["person_id"]))) for r in replies]
    await put(store, tables.persons, *persons)
    await put(store, tables.replies, *replies)


async def rows(store: database.Store, table: sa.Table) -> list[dict[str, Any]]:
    """A whole table by its primary key."""
    query = sa.select(table).order_by(*table.primary_key.columns)
    return await store.read(lambda tx: [dict(row) for row in tx.execute(query).mappings()])


async def one(store: database.Store, table: sa.Table, row_id: int) -> dict[str, Any]:
    """A row by its id."""
    found = [row for row in await rows(store, table) if row["id"] == row_id]
    assert len(found) == 1, f"{table.name} {row_id}"
    return found[0]


async def kinds(store: database.Store) -> list[str]:
    """Kinds of all events in their order."""
    return [row["kind"] for row in await rows(store, tables.events)]


def shapes(tx: sa.Connection) -> Sequence[tuple[str, str]]:
    """Name and normalised SQL of everything in the schema."""
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
    found = [(name, " ".join(sql.split())) for name, sql in tx.execute(query)]
    return [(name, sql) for name, sql in found if name != "alembic_version"]


def note(tx: sa.Connection) -> None:
    events.append(tx, NOW_MS, "note", {})


async def sql(url: str, text: str) -> None:
    other = await asyncpg.connect(url)
    await other.execute(text)
    await other.close()
