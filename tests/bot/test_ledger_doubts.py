"""Prices that are none, and caps that come and go with the settings."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from bot import ledger
from bot.contract import money
from bot.policy import settings
from bot.store import database
from tests.bot import test_ledger
from tests.bot.store import rows

NOW_MS, BUDGET = test_ledger.NOW_MS, test_ledger.BUDGET


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


@pytest.mark.case("C06", "C31")
async def test_a_cap_set_after_the_claim_holds_nothing_of_it(store: database.Store) -> None:
    later = dataclasses.replace(
        BUDGET,
        country_cap_day_micros={"FR": 80_000},
        quotas={"sms": settings.Quota(parts_per_day=1)},
    )
    assert await test_ledger.reserve(store, test_ledger.ask(1), test_ledger.ask(2)) == [None, None]
    await store.write(
        lambda tx: ledger.void(tx, [test_ledger.held(test_ledger.ask(1))], later, NOW_MS)
    )
    assert not [
        scope for scope in await test_ledger.caps(store) if scope.startswith(("country:", "parts:"))
    ]
    assert await test_ledger.reserve(
        store, test_ledger.ask(3), test_ledger.ask(4), budget=later
    ) == [None, "money"]
    # The second was claimed before the cap was there, so both together give back too much.
    both = [test_ledger.held(test_ledger.ask(2)), test_ledger.held(test_ledger.ask(3))]
    await store.write(lambda tx: ledger.void(tx, both, later, NOW_MS))
    found = await test_ledger.caps(store)
    assert {scope: used for scope, used in found.items() if used} == {}


@pytest.mark.case("C06", "C31")
@pytest.mark.parametrize("micros", [-80_000, money.MAX_MICROS])
async def test_a_price_that_is_none_posts_the_reservation(
    store: database.Store, micros: int
) -> None:
    assert await test_ledger.reserve(store, test_ledger.ask(1)) == [None]
    assert await test_ledger.post(
        store, test_ledger.held(test_ledger.ask(1)), money.Money(micros, "EUR")
    ) == [80_000]
    assert (await test_ledger.caps(store))["day:2026-11-22"] == 80_000
    assert await rows.kinds(store) == ["odd_price"]
    rich = dataclasses.replace(
        BUDGET, rates={"USD": dataclasses.replace(test_ledger.USD, micros=10**18)}
    )
    assert ledger.convert(rich, money.Money(10**12, "USD")) is None


async def test_an_inbound_cost_that_is_none_is_kept_apart(store: database.Store) -> None:
    for micros in (-1, 1 << 70):
        await test_ledger.receive(store, {("sms", "EUR"): micros}, BUDGET, NOW_MS)
    assert await test_ledger.by_day(store, ledger.INBOUND) == {"2026-11-22": 0}
    assert await rows.kinds(store) == ["odd_price"]
