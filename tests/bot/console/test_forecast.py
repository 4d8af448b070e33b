"""How long the money lasts, and nothing that is not known."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot import ledger
from bot.console import forecast
from bot.contract import money
from bot.flood import memory, rows
from bot.policy import settings
from bot.store import tables
from tests.bot.console.house import ANNA, HOUR_MS, START_MS, House

BUDGET = settings.Budget(cap_day_micros=2_000_000, cap_month_micros=20_000_000)


async def ahead(
    house: House, budget: settings.Budget = BUDGET, at_ms: int = START_MS
) -> forecast.Forecast:
    return await house.store.read(lambda tx: forecast.forecast(tx, budget, at_ms))


async def spend(house: House, n: int, at_ms: int, budget: settings.Budget = BUDGET) -> None:
    """So many reservations of 0.08."""
    amount = ledger.Amount(
        micros=80_000, original=money.Money(80_000, "EUR"), rate_micros=money.MICROS
    )
    asked = [
        ledger.Request(reply_id=i, channel="sms", country="FR", amount=amount, parts=1)
        for i in range(n)
    ]
    answers = await house.store.write(lambda tx: ledger.reserve(tx, asked, budget, at_ms))
    assert answers == [None] * n


async def usual_day(house: House, each_hour: float) -> None:
    known = memory.Memory(days={"2026-11-01": dict.fromkeys(range(24), each_hour)})
    await house.store.write(lambda tx: rows.keep(tx, known))


async def sent(house: House) -> None:
    await house.write_in(ANNA)
    change = sa.update(tables.replies).values(state="sent", reserved_micros=80_000)
    await house.store.write(lambda tx: tx.execute(change))


async def test_nothing_known_is_said_and_not_guessed(house: House) -> None:
    found = await ahead(house)
    assert "no usual day is known yet" in found.said.en
    assert (found.reply_cost, found.expected_people, found.expected_cost) == (None, None, None)
    assert [one.name for one in found.limits] == ["day", "month"]
    assert all(one.ends_hour_ms is one.ends_day_ms is None for one in found.limits)
    assert found.inbound.alarm_ms is None


@pytest.mark.case("C17")
async def test_the_rate_of_the_last_hour_says_when_the_day_is_over(house: House) -> None:
    # 10 of 25 replies of the day's cap within the hour: the rest lasts an hour and a half.
    await spend(house, 10, START_MS - HOUR_MS // 2)
    found = await ahead(house)
    day, month = found.limits
    assert (str(found.last_hour), str(day.left)) == ("0.80 EUR", "1.20 EUR")
    assert day.ends_hour_ms == START_MS + HOUR_MS * 3 // 2
    assert day.ends_day_ms == START_MS + 36 * HOUR_MS
    assert day.renews_ms is not None
    assert day.ends_day_ms > day.renews_ms
    assert month.ends_hour_ms == START_MS + 24 * HOUR_MS
    assert found.said.en.startswith("At the rate of the last hour the day's money lasts until")
    later = await ahead(house, at_ms=START_MS + HOUR_MS)
    assert str(later.last_hour) == "0.00 EUR"
    assert later.limits[0].ends_hour_ms is None


async def test_a_usual_day_says_what_is_still_to_come(house: House) -> None:
    await sent(house)
    await usual_day(house, 2)
    found = await ahead(house)
    assert found.expected_people is not None
    assert found.reply_cost == money.Money(80_000, "EUR")
    assert found.expected_cost is not None
    assert abs(found.expected_cost.micros - found.expected_people * 80_000) <= 80_000
    assert found.said.en == "The money is enough."
    await usual_day(house, 50)
    found = await ahead(house)
    assert found.usual_ends_ms is not None
    # 25 replies at 50 an hour: half an hour.
    assert abs(found.usual_ends_ms - START_MS - HOUR_MS // 2) < 60_000
    assert found.said.en.startswith("If people write as usual")


async def test_what_is_used_up_is_said(house: House) -> None:
    await spend(house, 25, START_MS - 2 * HOUR_MS)
    assert (await ahead(house)).said.en == "Used up: the day's money."


async def test_donations_are_a_limit_where_they_are_one(house: House) -> None:
    given_only = dataclasses.replace(BUDGET, donations_only=True)
    await house.store.write(lambda tx: ledger.donate(tx, 1_000_000, given_only, START_MS))
    await spend(house, 5, START_MS - 1, given_only)
    (gifts,) = [one for one in (await ahead(house, given_only)).limits if one.name == "donations"]
    assert (str(gifts.left), gifts.renews_ms) == ("0.60 EUR", None)
    assert gifts.ends_hour_ms == START_MS + HOUR_MS * 3 // 2


@pytest.mark.case("C42")
async def test_inbound_stands_apart(house: House) -> None:
    for _ in range(3):
        await house.write_in(ANNA, cost="0.50", at_ms=START_MS - 1000)
    found = await ahead(house, dataclasses.replace(BUDGET, inbound_alarm_day_micros=3_000_000))
    assert str(found.last_hour) == "0.00 EUR"
    assert str(found.inbound.last_hour) == str(found.inbound.today) == "1.50 EUR"
    assert found.inbound.alarm_ms == START_MS + HOUR_MS
    assert str(found.limits[0].left) == "2.00 EUR"


async def test_without_a_cap_nothing_ends(house: House) -> None:
    free = dataclasses.replace(BUDGET, cap_day_micros=None, cap_month_micros=None)
    await spend(house, 5, START_MS - 1, free)
    found = await ahead(house, free)
    assert (found.limits, found.said.en) == ((), "No cap is set; nothing ends.")


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=24),
    st.integers(1, 500_000),
    st.integers(0, 50_000_000),
)
def test_the_walk_ends_where_the_money_does(hours: list[float], price: int, left: int) -> None:
    people = [(n, (place + 1) * HOUR_MS) for place, n in enumerate(hours)]
    ends = forecast.walk(people, price, left, 0)
    need = sum(hours) * price
    if ends is None:
        assert need <= left * (1 + 1e-9) + 1
    else:
        assert need > left
        assert 0 <= ends <= len(hours) * HOUR_MS
