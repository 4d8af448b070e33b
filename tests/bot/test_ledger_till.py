"""Reservations that are taken at the end of a transaction: exact, and the rows free till then."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from bot import ledger
from bot.contract import money
from bot.policy import settings
from bot.store import database, tables
from tests.bot.store import rows

NOW_MS = rows.NOW_MS
PRICE = 1_000
WORKERS = 6
REPLIES = 400
LIMIT_S = 30.0
FAR = settings.Budget(cap_day_micros=10**9, cap_month_micros=10**10)
SHORT = settings.Budget(cap_day_micros=REPLIES * PRICE, cap_month_micros=10**10)
DAY = f"day:{ledger.period(SHORT, NOW_MS)[:10]}"


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


def ask(reply_id: int) -> ledger.Request:
    told = money.Money(PRICE, "EUR")
    amount = ledger.Amount(micros=PRICE, original=told, rate_micros=money.MICROS)
    return ledger.Request(reply_id=reply_id, channel="sms", country="FR", amount=amount, parts=1)


def held(one: ledger.Request) -> ledger.Reservation:
    return ledger.Reservation(
        reply_id=one.reply_id,
        channel=one.channel,
        country=one.country,
        micros=PRICE,
        parts=1,
        period=ledger.period(SHORT, NOW_MS),
    )


def claim(tx: sa.Connection, asked: list[ledger.Request]) -> list[ledger.Request]:
    """As the dispatcher does: in two goes, the second knowing what the first is about to take."""
    till: ledger.Till = {}
    half = len(asked) // 2
    answers = ledger.reserve(tx, asked[:half], SHORT, NOW_MS, till)
    answers += ledger.reserve(tx, asked[half:], SHORT, NOW_MS, till)
    ledger.settle(tx, till)
    return [one for one, refusal in zip(asked, answers, strict=True) if refusal is None]


async def until_it_is_there(store: database.Store, asked: list[ledger.Request]) -> int:
    """Claims as often as it takes: who meets others again and again tries later."""
    while True:
        try:
            return len(await store.write(lambda tx: claim(tx, asked), together=True))
        except database.AgainstError:
            await asyncio.sleep(0)


@pytest.mark.case("C06")
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_workers_that_meet_at_a_cap_take_all_of_it_and_never_more(
    store: database.Store, seed: int
) -> None:
    numbers = iter(range(1, 1_000_000))
    over = []

    async def worker(draw: random.Random) -> None:
        """Some give back a part of what they took; all go on until they are refused."""
        while True:
            asked = [ask(next(numbers)) for _ in range(draw.randint(2, 30))]
            got = await until_it_is_there(store, asked)
            over.append(await store.read(lambda tx: ledger.used(tx, DAY)) > REPLIES * PRICE)
            if not got:
                return
            back = [held(one) for one in asked[: draw.randint(0, got) // 3]]
            await store.write(lambda tx, back=back: ledger.void(tx, back, SHORT, NOW_MS))  # type: ignore[misc]  # a loop's variable

    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*(worker(random.Random(f"{seed} {n}")) for n in range(WORKERS)))
        # What the last of them gave back is there for whoever comes.
        while await until_it_is_there(store, [ask(next(numbers)) for _ in range(4)]):
            pass
        await until_it_is_there(store, [ask(next(numbers))])
    assert over
    assert not any(over)
    assert await store.read(lambda tx: ledger.used(tx, DAY)) == REPLIES * PRICE
    total = sa.select(sa.func.sum(tables.postings.c.amount_micros))
    assert await store.read(lambda tx: tx.execute(total).scalar_one()) == REPLIES * PRICE


async def test_a_second_go_knows_what_the_first_is_about_to_take(store: database.Store) -> None:
    def work(tx: sa.Connection) -> list[str | None]:
        till: ledger.Till = {}
        first = [ask(n) for n in range(1, REPLIES)]
        assert set(ledger.reserve(tx, first, SHORT, NOW_MS, till)) == {None}
        assert ledger.used(tx, DAY) == 0
        answers = ledger.reserve(tx, [ask(REPLIES), ask(REPLIES + 1)], SHORT, NOW_MS, till)
        ledger.settle(tx, till)
        return answers

    assert await store.write(work) == [None, "money"]
    assert await store.read(lambda tx: ledger.used(tx, DAY)) == REPLIES * PRICE


async def test_who_was_overtaken_takes_nothing_and_runs_again(store: database.Store) -> None:
    runs = []

    def work(tx: sa.Connection) -> None:
        till: ledger.Till = {}
        ledger.reserve(tx, [ask(1)], SHORT, NOW_MS, till)
        runs.append(till)
        # Another one takes all there is between our look and our taking.
        ledger.reserve(tx, [ask(n) for n in range(2, REPLIES + 2)], SHORT, NOW_MS)
        ledger.settle(tx, till)

    with pytest.raises(database.AgainstError):
        await store.write(work)
    assert len(runs) == database.TRIES
    assert await store.read(lambda tx: ledger.used(tx, DAY)) == 0


@pytest.mark.postgresql_only("SQLite has one writer, and no locks of rows")
@pytest.mark.parametrize(("budget", "free"), [(FAR, True), (SHORT, False)])
async def test_far_from_its_limit_a_cap_is_nobodys_until_it_is_taken(
    store: database.Store, budget: settings.Budget, *, free: bool
) -> None:
    await store.write(lambda tx: ledger.reserve(tx, [ask(n) for n in range(1, 41)], budget, NOW_MS))
    looked, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with store._writers.connect() as connection:  # type: ignore[attr-defined]
            raw = (await connection.get_raw_connection()).driver_connection
            till: ledger.Till = {}
            asked = [ask(n) for n in range(41, 81)]
            await raw.execute("BEGIN")
            await connection.run_sync(lambda tx: ledger.reserve(tx, asked, budget, NOW_MS, till))
            looked.set()
            await go_on.wait()
            await connection.run_sync(lambda tx: ledger.settle(tx, till))
            await raw.execute("COMMIT")

    def quick(tx: sa.Connection) -> None:
        till: ledger.Till = {}
        ledger.reserve(tx, [ask(n) for n in range(81, 121)], budget, NOW_MS, till)
        ledger.settle(tx, till)

    async with asyncio.timeout(LIMIT_S):
        first = asyncio.create_task(slow())
        await looked.wait()
        second = asyncio.create_task(store.write(quick, together=True))
        if free:
            await second
        else:
            waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not await store.read(lambda tx: tx.execute(waits).scalar_one()):
                assert not second.done()
        go_on.set()
        await asyncio.gather(first, second)
    assert await store.read(lambda tx: ledger.used(tx, DAY)) == 120 * PRICE
