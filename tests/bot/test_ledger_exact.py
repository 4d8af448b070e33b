"""Postings to the last column: what generated mutants of the ledger changed and nobody saw."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot import ledger
from bot.contract import money
from bot.policy import settings
from bot.store import database, tables
from tests.bot.store import rows

NOW_MS = rows.NOW_MS
DAY = ledger.period(settings.Budget(), NOW_MS)[:10]
USD = money.Rate(currency="USD", micros=950_000, dated="2026-11-01")
BUDGET = settings.Budget(
    cap_day_micros=200_000,
    cap_month_micros=1_000_000,
    rates={"USD": USD},
    inbound_alarm_day_micros=1_000,
    opinions_day_micros=500,
)


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


async def postings(store: database.Store) -> list[dict[str, Any]]:
    found = await rows.rows(store, tables.postings)
    return [{k: v for k, v in row.items() if k != "id"} for row in found]


async def told(store: database.Store, kind: str) -> list[dict[str, Any]]:
    found = await rows.rows(store, tables.events)
    return [json.loads(row["data"]) for row in found if row["kind"] == kind]


async def receive(store: database.Store, **costs: int) -> None:
    """Costs by currency, of the channel sms."""
    known = {("sms", currency): micros for currency, micros in costs.items()}
    await store.write(lambda tx: ledger.take_inbound(tx, known, BUDGET, NOW_MS))


def posting(**change: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "at_ms": NOW_MS,
        "account": "inbound",
        "kind": "post",
        "reply_id": None,
        "amount_micros": 0,
        "original_micros": 0,
        "original_currency": "EUR",
        "rate_micros": money.MICROS,
        "day": DAY,
        "channel": "sms",
        "country": None,
    }
    return {**plain, **change}


@pytest.mark.case("C42")
async def test_what_receiving_cost_stands_in_one_row_each(store: database.Store) -> None:
    await receive(store, EUR=100, USD=200, CHF=0)
    assert await postings(store) == [
        posting(amount_micros=100, original_micros=100),
        posting(
            amount_micros=190,
            original_micros=200,
            original_currency="USD",
            rate_micros=950_000,
        ),
    ]
    assert await store.read(lambda tx: ledger.used(tx, f"inbound:{DAY}")) == 290
    assert await told(store, "inbound_alarm") == []


@pytest.mark.case("C42")
async def test_the_alarm_rings_once_when_the_line_is_reached(store: database.Store) -> None:
    await receive(store, EUR=999)
    assert await told(store, "inbound_alarm") == []
    await receive(store, EUR=1)
    assert await told(store, "inbound_alarm") == [{"day": DAY, "micros": 1_000}]
    await receive(store, EUR=1)
    await receive(store, EUR=5_000)
    assert await told(store, "inbound_alarm") == [{"day": DAY, "micros": 1_000}]


@pytest.mark.case("C31")
async def test_a_cost_without_a_rate_is_kept_as_told_and_said_once(store: database.Store) -> None:
    await receive(store, CHF=7)
    await receive(store, CHF=8)
    assert await postings(store) == [
        posting(original_micros=7, original_currency="CHF", rate_micros=None),
        posting(original_micros=8, original_currency="CHF", rate_micros=None),
    ]
    assert await told(store, "unknown_currency") == [{"channel": "sms", "currency": "CHF"}]
    assert await store.read(lambda tx: ledger.used(tx, f"inbound:{DAY}")) == 0
    assert await store.read(lambda tx: ledger.used(tx, f"odd:sms:CHF:{DAY}")) == 2


@pytest.mark.case("C31")
async def test_a_cost_that_is_no_price_is_said_as_such(store: database.Store) -> None:
    await receive(store, EUR=-7)
    assert await told(store, "odd_price") == [{"channel": "sms"}]
    assert await told(store, "unknown_currency") == []


@pytest.mark.parametrize(
    ("wanted", "used", "limit", "granted"),
    [(3, 0, 5, 3), (3, 4, 5, 1), (3, 5, 5, 0), (3, 6, 5, 0), (0, 0, 5, 0), (1, 4, 5, 1)],
)
async def test_a_quota_grants_what_is_left(
    store: database.Store, wanted: int, used: int, limit: int, granted: int
) -> None:
    if used:
        await rows.put(store, tables.caps, {"scope": "look_ups", "used": used})
    given = await store.write(lambda tx: ledger.grant(tx, "look_ups", wanted, limit))
    assert given == granted
    assert await store.read(lambda tx: ledger.used(tx, "look_ups")) == used + granted
    assert await store.read(lambda tx: ledger.used(tx, "other")) == 0


async def test_opinions_are_reserved_and_given_back_by_the_row(store: database.Store) -> None:
    one = ledger.Amount(micros=200, original=money.Money(210, "USD"), rate_micros=950_000)
    scope = f"opinions:{DAY}"
    assert await store.write(lambda tx: ledger.take_opinions(tx, one, 5, BUDGET, NOW_MS)) == 2
    assert await store.write(lambda tx: ledger.take_opinions(tx, one, 5, BUDGET, NOW_MS)) == 0
    assert await store.read(lambda tx: ledger.used(tx, scope)) == 400
    await store.write(lambda tx: ledger.void_opinions(tx, one, 1, BUDGET, NOW_MS))
    await store.write(lambda tx: ledger.void_opinions(tx, one, 0, BUDGET, NOW_MS))
    assert await store.read(lambda tx: ledger.used(tx, scope)) == 200
    common = {
        "account": "opinions",
        "original_micros": 210,
        "original_currency": "USD",
        "rate_micros": 950_000,
        "channel": None,
    }
    assert await postings(store) == [
        posting(**common, kind="reserve", amount_micros=400),
        posting(**common, kind="void", amount_micros=-200),
    ]


async def test_a_free_opinion_takes_nothing_and_gives_nothing_back(store: database.Store) -> None:
    one = ledger.Amount(micros=0, original=money.Money(0, "EUR"), rate_micros=money.MICROS)
    assert await store.write(lambda tx: ledger.take_opinions(tx, one, 3, BUDGET, NOW_MS)) == 3
    await store.write(lambda tx: ledger.void_opinions(tx, one, 3, BUDGET, NOW_MS))
    kinds = [row["kind"] for row in await postings(store)]
    assert kinds == ["reserve"]
    assert await store.read(lambda tx: ledger.used(tx, f"opinions:{DAY}")) == 0


async def test_a_donation_is_a_negative_posting_and_an_event(store: database.Store) -> None:
    balance = await store.write(lambda tx: ledger.donate(tx, 5_000, BUDGET, NOW_MS))
    assert balance == 5_000
    assert await store.write(lambda tx: ledger.donate(tx, -2_000, BUDGET, NOW_MS)) == 3_000
    common = {"account": "donations", "channel": None}
    assert await postings(store) == [
        posting(**common, amount_micros=-5_000, original_micros=5_000),
        posting(**common, amount_micros=2_000, original_micros=-2_000),
    ]
    assert await told(store, "donation") == [{"micros": 5_000}, {"micros": -2_000}]
    assert await store.read(lambda tx: ledger.used(tx, "donations")) == -3_000


async def test_a_reply_from_its_reservation_to_its_price(store: database.Store) -> None:
    dollars = money.Money(100_000, "USD")
    amount = ledger.Amount(micros=95_000, original=dollars, rate_micros=950_000)
    asked = ledger.Request(reply_id=7, channel="sms", country="FR", amount=amount, parts=2)
    hour = ledger.period(BUDGET, NOW_MS)
    one = ledger.Reservation(
        reply_id=7, channel="sms", country="FR", micros=95_000, parts=2, period=hour
    )
    later_ms = NOW_MS + 5_000
    assert await store.write(lambda tx: ledger.reserve(tx, [asked], BUDGET, NOW_MS)) == [None]
    price = money.Money(80_000, "USD")
    assert await store.write(lambda tx: ledger.post(tx, [(one, price)], BUDGET, later_ms)) == [
        76_000
    ]
    await store.write(lambda tx: ledger.void(tx, [one], BUDGET, later_ms))
    common = {"account": "replies", "reply_id": 7, "country": "FR"}
    assert await postings(store) == [
        posting(
            **common,
            kind="reserve",
            amount_micros=95_000,
            original_micros=100_000,
            original_currency="USD",
            rate_micros=950_000,
        ),
        posting(
            **common,
            at_ms=later_ms,
            amount_micros=76_000 - 95_000,
            original_micros=80_000,
            original_currency="USD",
            rate_micros=950_000,
        ),
        posting(
            **common,
            at_ms=later_ms,
            kind="void",
            amount_micros=-95_000,
            original_micros=None,
            original_currency=None,
            rate_micros=None,
        ),
    ]
    assert await told(store, "late_price") == []


@pytest.mark.case("C06", "C31")
async def test_a_late_price_is_carried_and_told_to_the_millionth(store: database.Store) -> None:
    euros = money.Money(150_000, "EUR")
    amount = ledger.Amount(micros=150_000, original=euros, rate_micros=money.MICROS)
    asked = ledger.Request(reply_id=9, channel="sms", country=None, amount=amount, parts=1)
    hour = ledger.period(BUDGET, NOW_MS)
    one = ledger.Reservation(
        reply_id=9, channel="sms", country=None, micros=150_000, parts=1, period=hour
    )
    await store.write(lambda tx: ledger.reserve(tx, [asked], BUDGET, NOW_MS))
    price = money.Money(230_000, "EUR")
    posted = await store.write(lambda tx: ledger.post(tx, [(one, price)], BUDGET, NOW_MS))
    assert posted == [230_000]
    _, post, carry = await postings(store)
    assert (post["kind"], post["amount_micros"], post["day"]) == ("post", 50_000, DAY)
    assert (carry["kind"], carry["amount_micros"]) == ("carry", 30_000)
    assert carry["day"] > DAY
    assert await store.read(lambda tx: ledger.used(tx, f"day:{DAY}")) == 200_000
    assert await store.read(lambda tx: ledger.used(tx, f"day:{carry['day']}")) == 30_000
    assert await told(store, "late_price") == [{"reply": 9, "over_micros": 80_000}]


@pytest.mark.case("C32")
async def test_what_receiving_cost_counts_in_the_budgets_own_day(store: database.Store) -> None:
    # Half past midnight in Paris is still the day before by UTC.
    at_ms = int(dt.datetime(2026, 11, 22, 23, 30, tzinfo=dt.UTC).timestamp() * 1000)
    costs = {("sms", "EUR"): 3, ("signal", "EUR"): 4}
    await store.write(lambda tx: ledger.take_inbound(tx, costs, BUDGET, at_ms))
    found = await postings(store)
    assert [(row["day"], row["channel"]) for row in found] == [
        ("2026-11-23", "signal"),
        ("2026-11-23", "sms"),
    ]
    assert await store.read(lambda tx: ledger.used(tx, "inbound:2026-11-23")) == 7
