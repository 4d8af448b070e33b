"""Every cap that a reply counts against, to the last micro: taken, given back, corrected."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot import ledger
from bot.contract import clock, money
from bot.policy import periods, settings
from bot.store import database, ratios, tables
from tests.bot.store import rows

NOW_MS = rows.NOW_MS
BUDGET = settings.Budget(cap_day_micros=1_000, cap_month_micros=10_000)
DAY = ledger.period(BUDGET, NOW_MS)[:10]
# Half an hour into December in Paris, and still November by UTC.
ELSEWHERE_MS = clock.to_ms(dt.datetime(2026, 11, 30, 23, 30, tzinfo=dt.UTC))


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


def ask(reply_id: int, micros: int = 100, **change: object) -> ledger.Request:
    told = money.Money(micros, "EUR")
    amount = ledger.Amount(micros=micros, original=told, rate_micros=money.MICROS)
    one = ledger.Request(reply_id=reply_id, channel="sms", country="FR", amount=amount, parts=1)
    return dataclasses.replace(one, **change)  # type: ignore[arg-type]


def held(one: ledger.Request, now_ms: int = NOW_MS) -> ledger.Reservation:
    return ledger.Reservation(
        reply_id=one.reply_id,
        channel=one.channel,
        country=one.country,
        micros=one.amount.micros,
        parts=one.parts,
        period=ledger.period(BUDGET, now_ms),
        crossed=one.crossed,
    )


class Book:
    """A ledger under one budget."""

    def __init__(self, store: database.Store, budget: settings.Budget) -> None:
        self.store, self.budget = store, budget

    async def reserve(self, *asked: ledger.Request, now_ms: int = NOW_MS) -> list[str | None]:
        return await self.store.write(lambda tx: ledger.reserve(tx, asked, self.budget, now_ms))

    async def void(self, *asked: ledger.Request) -> None:
        these = [held(one) for one in asked]
        await self.store.write(lambda tx: ledger.void(tx, these, self.budget, NOW_MS))

    async def post(
        self, one: ledger.Reservation, micros: int, currency: str = "EUR", now_ms: int = NOW_MS
    ) -> int:
        told = [(one, money.Money(micros, currency))]
        (posted,) = await self.store.write(lambda tx: ledger.post(tx, told, self.budget, now_ms))
        return posted

    async def used(self) -> dict[str, int]:
        found = await rows.rows(self.store, tables.caps)
        return {row["scope"]: row["used"] for row in found if row["used"]}

    async def carried(self) -> list[tuple[str, int]]:
        found = await rows.rows(self.store, tables.postings)
        return [(row["day"], row["amount_micros"]) for row in found if row["kind"] == "carry"]

    async def told(self) -> list[tuple[str, Any]]:
        found = await rows.rows(self.store, tables.events)
        return [(row["kind"], json.loads(row["data"])) for row in found]


@pytest.mark.case("C43")
async def test_replies_across_networks_have_their_own_number_a_day(store: database.Store) -> None:
    quotas = {"sms": settings.Quota(first_contacts_per_day=1)}
    book = Book(store, dataclasses.replace(BUDGET, quotas=quotas))
    across = [ask(n, crossed=True) for n in range(1, 4)]
    assert await book.reserve(across[0], ask(9), across[1]) == [None, None, "quota"]
    assert (await book.used())[f"first:sms:{DAY}"] == 1
    await book.void(ask(9))
    assert await book.reserve(across[1]) == ["quota"]
    await book.void(across[0])
    assert await book.reserve(across[2]) == [None]


async def test_a_channel_sends_no_more_than_its_ratio_to_what_came(store: database.Store) -> None:
    quotas = {"sms": settings.Quota(sent_per_received=0.5)}
    book = Book(store, dataclasses.replace(BUDGET, quotas=quotas))
    assert await book.reserve(ask(1)) == ["quota"]
    came = {"hour_ms": periods.hour_ms(NOW_MS), "name": ratios.received("sms"), "n": 5}
    await rows.put(store, tables.counters, came)
    # Another channel has no such quota.
    other = ask(9, channel="signal")
    assert await book.reserve(ask(1), other, ask(2), ask(3)) == [None, None, None, "quota"]
    later_ms = NOW_MS + 31 * rows.DAY_MS
    assert await book.reserve(ask(4), now_ms=later_ms) == ["quota"]


async def test_who_comes_too_late_is_told_so(store: database.Store) -> None:
    book = Book(store, BUDGET)

    def overtaken(tx: sa.Connection) -> None:
        till: ledger.Till = {}
        ledger.reserve(tx, [ask(1)], book.budget, NOW_MS, till)
        ledger.reserve(tx, [ask(n) for n in range(2, 12)], book.budget, NOW_MS)
        with pytest.raises(database.ConflictError, match=r"^a cap was reached by another worker$"):
            ledger.settle(tx, till)

    await store.write(overtaken)


@pytest.mark.case("C06", "C31")
@pytest.mark.parametrize("price", [101, 99, 100, 101_000, 0])
async def test_a_price_moves_the_caps_of_its_country_and_channel(
    store: database.Store, price: int
) -> None:
    quotas = {"sms": settings.Quota(cap_day_micros=10**6)}
    wide = settings.Budget(country_cap_day_micros={"FR": 10**6}, quotas=quotas)
    book = Book(store, wide)
    assert await book.reserve(ask(1)) == [None]
    assert await book.post(held(ask(1)), price) == price
    names = ("country:FR:" + DAY, "channel:sms:" + DAY, "donations", "day:" + DAY)
    used = await book.used()
    assert [used.get(name, 0) for name in names] == [price] * 4
    late = [("late_price", {"reply": 1, "over_micros": price - 100})]
    assert await book.told() == (late if price > 100 else [])
    assert await book.carried() == []


@pytest.mark.case("C06", "C31")
async def test_what_was_free_and_is_billed_after_all_counts_everywhere(
    store: database.Store,
) -> None:
    quotas = {"sms": settings.Quota(cap_day_micros=10**6)}
    wide = settings.Budget(country_cap_day_micros={"FR": 10**6}, quotas=quotas)
    book = Book(store, wide)
    free = ask(1, micros=0)
    assert await book.reserve(free) == [None]
    assert await book.used() == {}
    # The rows of optional caps are there once something was taken of them.
    assert await book.reserve(ask(2)) == [None]
    assert await book.post(held(free), 500) == 500
    used = await book.used()
    assert used["country:FR:" + DAY] == used["channel:sms:" + DAY] == used["day:" + DAY] == 600


@pytest.mark.case("C06", "C32")
async def test_a_late_price_is_carried_into_the_budgets_own_day_and_month(
    store: database.Store,
) -> None:
    tight = settings.Budget(cap_day_micros=100, cap_month_micros=100)
    book = Book(store, tight)
    then_ms = clock.to_ms(dt.datetime(2026, 10, 20, 12, tzinfo=dt.UTC))
    assert await book.reserve(ask(1), now_ms=then_ms) == [None]
    assert await book.post(held(ask(1), then_ms), 130, now_ms=ELSEWHERE_MS) == 130
    assert await book.carried() == [("2026-12-01", 30)]
    used = await book.used()
    assert {name: n for name, n in used.items() if name != "donations"} == {
        "day:2026-10-20": 100,
        "day:2026-12-01": 30,
        "month:2026-10": 100,
        "month:2026-12": 30,
    }


@pytest.mark.case("C06")
@pytest.mark.parametrize(
    ("cap", "before", "price", "late"),
    [
        # Without a cap nothing is over it.
        (None, 0, 5_000, 0),
        # Nothing is over that still fits, and the first micro that does not is.
        (1_000, 0, 1_000, 0),
        (1_000, 0, 1_001, 1),
        # A cap that was lowered since: what comes back lightens it, and what comes on top is late.
        (1_000, 5_000, 70, 0),
        (1_000, 5_000, 130, 30),
    ],
)
async def test_only_what_passes_the_cap_is_carried(
    store: database.Store, cap: int | None, before: int, price: int, late: int
) -> None:
    book = Book(store, settings.Budget(cap_day_micros=cap, cap_month_micros=None))
    scope = {"scope": f"day:{DAY}", "used": before + 100}
    await rows.put(store, tables.caps, scope)
    assert await book.post(held(ask(1)), price) == price
    assert [micros for _, micros in await book.carried()] == ([late] if late else [])
    assert (await book.used())[f"day:{DAY}"] == before + price - late


async def test_a_price_of_a_day_that_has_no_row_yet(store: database.Store) -> None:
    book = Book(store, settings.Budget(cap_day_micros=400, cap_month_micros=None))
    assert await book.post(held(ask(1)), 500) == 500
    assert await book.carried() == []
    assert (await book.used())[f"day:{DAY}"] == 400


async def test_a_currency_without_a_rate_is_named_with_its_reply(store: database.Store) -> None:
    book = Book(store, BUDGET)
    assert await book.reserve(ask(7)) == [None]
    assert await book.post(held(ask(7)), 5, "CHF") == 100
    about = {"reply": 7, "channel": "sms", "currency": "CHF"}
    assert await book.told() == [("unknown_currency", about)]


async def test_all_that_is_counted_by_the_day_is_counted_in_the_budgets_own(
    store: database.Store,
) -> None:
    budget = dataclasses.replace(BUDGET, opinions_day_micros=5)
    one = ledger.Amount(micros=2, original=money.Money(2, "EUR"), rate_micros=money.MICROS)

    def work(tx: sa.Connection) -> tuple[int, int]:
        taken = ledger.take_opinions(tx, one, 9, budget, ELSEWHERE_MS)
        ledger.void_opinions(tx, one, 1, budget, ELSEWHERE_MS)
        return taken, ledger.donate(tx, 7, budget, ELSEWHERE_MS)

    assert await store.write(work) == (2, 7)
    assert await store.read(lambda tx: ledger.used(tx, "opinions:2026-12-01")) == 2
    days = {row["day"] for row in await rows.rows(store, tables.postings)}
    assert days == {"2026-12-01"}


@pytest.mark.parametrize(("cap", "wanted", "taken"), [(3, 9, 3), (3, 1, 1), (0, 9, 0), (1, 9, 1)])
async def test_opinions_of_a_micro_are_counted_to_the_micro(
    store: database.Store, cap: int, wanted: int, taken: int
) -> None:
    budget = dataclasses.replace(BUDGET, opinions_day_micros=cap)
    one = ledger.Amount(micros=1, original=money.Money(1, "EUR"), rate_micros=money.MICROS)

    def take(tx: sa.Connection) -> int:
        return ledger.take_opinions(tx, one, wanted, budget, NOW_MS)

    assert await store.write(take) == taken
    assert await store.read(lambda tx: ledger.used(tx, f"opinions:{DAY}")) == taken
    if taken == cap:
        assert await store.write(take) == 0
