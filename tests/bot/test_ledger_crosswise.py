"""Two workers at several caps at once: all take them in one order, so that none stands still.

Who waits for the first of the rows must hold none of the others, else one of two that meet is
ended by the server, a second later, and runs again into the next.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable

import pytest
import sqlalchemy as sa

from bot import ledger
from bot.contract import address, clock, messages, money, outcomes
from bot.dispatcher import claim, record
from bot.policy import settings
from bot.store import caps, database, postgres, setwise, tables
from tests.bot.store import rows

NOW_MS = rows.NOW_MS
PRICE = 1_000
LIMIT_S = 30.0
QUOTA = settings.Quota(cap_day_micros=3 * PRICE, parts_per_hour=3)
# Two channels' caps: those of the first come before the day's, those of hours after it.
BUDGET = settings.Budget(
    cap_day_micros=10 * PRICE,
    country_cap_day_micros={"FR": 10 * PRICE},
    quotas={"a": QUOTA, "b": QUOTA},
)
CORE = settings.Core(who=rows.WHO, budget=BUDGET)
HOUR = ledger.period(BUDGET, NOW_MS)
FIRST = f"channel:a:{HOUR[:10]}"
pytestmark = pytest.mark.postgresql_only("SQLite has one writer, and no locks of rows")
Work = Callable[[sa.Connection], object]


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        # Both ways' rows are there, and what they took is not much.
        asked = [ask(1, "a"), ask(2, "b")]
        await opened.write(lambda tx: ledger.reserve(tx, asked, BUDGET, NOW_MS))
        yield opened


def ask(reply_id: int, channel: str) -> ledger.Request:
    told = money.Money(PRICE, "EUR")
    amount = ledger.Amount(micros=PRICE, original=told, rate_micros=money.MICROS)
    return ledger.Request(reply_id=reply_id, channel=channel, country="FR", amount=amount, parts=1)


def held(reply_id: int, channel: str) -> ledger.Reservation:
    return ledger.Reservation(
        reply_id=reply_id, channel=channel, country="FR", micros=PRICE, parts=1, period=HOUR
    )


def sending(reply_id: int, channel: str) -> claim.Claim:
    ours = address.Address(address.SMS, rows.OURS)
    return claim.Claim(
        id=reply_id,
        person_id=reply_id,
        window_ms=0,
        due_ms=NOW_MS,
        automatic=True,
        channel=channel,
        outbound=messages.OutboundReply(
            reply_id="r",
            channel=channel,
            sender=ours,
            recipient=ours,
            text="-",
            valid_until=clock.from_ms(NOW_MS),
        ),
        reservation=held(reply_id, channel),
        attempts=1,
        lease_until_ms=NOW_MS,
    )


async def waits_empty_handed(store: database.Store, work: Work) -> None:
    """Somebody has the first row: who comes next waits for it, and all others are free."""
    assert isinstance(store, postgres.Store)
    assert store._writers is not None
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    # So that whoever takes nothing at all is seen too.
    everything = sa.select(tables.caps.c.scope)
    async with asyncio.timeout(LIMIT_S), store._writers.connect() as connection:
        scopes = sorted(await store.read(lambda tx: tx.execute(everything).scalars().all()))
        assert scopes[0] == FIRST
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.execute("BEGIN")
        await connection.run_sync(lambda tx: caps.HELD.rows(tx, [FIRST]))
        second = asyncio.create_task(store.write(work, together=True))
        while not await store.read(lambda tx: tx.execute(waits).scalar_one()):
            assert not second.done()
            await asyncio.sleep(0)
        for scope in scopes:
            await raw.execute("SELECT 1 FROM caps WHERE scope = $1 FOR UPDATE NOWAIT", scope)
        await raw.execute("COMMIT")
        await second


@pytest.mark.case("C06")
async def test_who_gives_money_back(store: database.Store) -> None:
    both = [held(1, "a"), held(2, "b")]
    await waits_empty_handed(store, lambda tx: ledger.void(tx, both, BUDGET, NOW_MS))
    assert await store.read(lambda tx: ledger.used(tx, f"day:{HOUR[:10]}")) == 0


@pytest.mark.case("C06")
async def test_who_posts_other_prices(store: database.Store) -> None:
    told = [(held(n, name), money.Money(PRICE * 2, "EUR")) for n, name in ((2, "b"), (1, "a"))]
    await waits_empty_handed(store, lambda tx: ledger.post(tx, told, BUDGET, NOW_MS))
    assert await store.read(lambda tx: ledger.used(tx, f"day:{HOUR[:10]}")) == 4 * PRICE


@pytest.mark.case("C06")
async def test_who_records_what_came_of_several_sends(store: database.Store) -> None:
    sent = [rows.reply(n, "sending", channel=name) for n, name in ((1, "a"), (2, "b"))]
    await rows.put_replies(store, *sent)
    dearer = outcomes.Accepted(provider_id="p", price=money.Money(PRICE * 2, "EUR"))
    later = outcomes.NotNow(retry_at=clock.from_ms(NOW_MS), reason="busy")
    results: list[record.Result] = [(sending(2, "b"), dearer), (sending(1, "a"), later)]
    await waits_empty_handed(
        store, lambda tx: record.record(tx, results=results, core=CORE, now_ms=NOW_MS)
    )
    assert await store.read(lambda tx: ledger.used(tx, f"day:{HOUR[:10]}")) == 2 * PRICE


@pytest.mark.case("C06")
async def test_who_may_turn_to_another_way_yet(store: database.Store) -> None:
    """At the edge: the first way is short, and the next one's rows come before the first's."""
    ways = [ask(3, "b"), ask(4, "b"), ask(5, "b")]
    others = [dataclasses.replace(one, channel="a") for one in ways]

    def work(tx: sa.Connection) -> list[str | None]:
        till: ledger.Till = {}
        answers = ledger.reserve(tx, ways, BUDGET, NOW_MS, till, later=others)
        answers += ledger.reserve(tx, others[2:], BUDGET, NOW_MS, till)
        ledger.settle(tx, till)
        return answers

    await waits_empty_handed(store, work)
    assert await store.read(lambda tx: ledger.used(tx, FIRST)) == 2 * PRICE


def test_the_order_is_pythons_whatever_the_database_speaks() -> None:
    assert 'ORDER BY caps.scope COLLATE "C"' in setwise.Select(caps.HELD.statement, "scopes")._text
