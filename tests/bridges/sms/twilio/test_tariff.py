"""Prices: the operator's, Twilio's, the table's; always an upper bound, never a guess."""

import asyncio
import datetime as dt

import pytest

from bot.contract import address, money
from bridges.sms.twilio import line, tariff
from tests.bridges.sms.twilio import bench, exchange

FRANCE = {
    "country": "France",
    "iso_country": "FR",
    "price_unit": "USD",
    "outbound_sms_prices": [
        {
            "carrier": "A",
            "prices": [{"number_type": "local", "base_price": "0.0798", "current_price": "0.0700"}],
        },
        {
            "carrier": "B",
            "prices": [
                {"number_type": "mobile", "base_price": "0.0850", "current_price": "0.0850"}
            ],
        },
        {
            "carrier": "C",
            "prices": [{"number_type": "shortcode", "base_price": "0.9", "current_price": "0.9"}],
        },
    ],
    "inbound_sms_prices": [
        {"number_type": "mobile", "base_price": "0.0075", "current_price": "0.0075"}
    ],
}


def made(**prices: str) -> tariff.Tariff:
    own = {country: money.parse(price, "USD") for country, price in prices.items()}
    return tariff.Tariff(currency="USD", own=own, own_inbound=None)


def part(of: tariff.Tariff, number: str) -> str | None:
    price = of.part(number)
    return price.decimal() if price is not None else None


def test_the_operators_price_wins_then_twilios_then_the_table() -> None:
    told = made(BE="0.11")
    assert part(told, "+33639981234") == "0.10"
    told.learn({"FR": FRANCE, "BE": FRANCE}, dt.datetime.now(dt.UTC))
    assert part(told, "+33639981234") == "0.085", "the dearest carrier, at its list price"
    assert part(told, "+32" + "470000000") == "0.11"


@pytest.mark.case("C19")
@pytest.mark.parametrize("digits", ["881612345678", "883123456789", "979123456789", "999123456"])
def test_no_country_no_price(digits: str) -> None:
    assert made(FR="0.08").part(f"+{digits}") is None


def test_a_country_that_nobody_gave_a_price_for() -> None:
    assert made().quote("+216" + "5550100", "x") is None


@pytest.mark.case("C19")
def test_an_absurd_price_is_no_price() -> None:
    told = made()
    dear = [{"prices": [{"number_type": "mobile", "base_price": "7.5", "current_price": "7.5"}]}]
    told.learn({"FR": {**FRANCE, "outbound_sms_prices": dear}}, dt.datetime.now(dt.UTC))
    assert told.part("+33639981234") is None


def test_another_currency_is_not_ours_and_has_no_table() -> None:
    told = tariff.Tariff(currency="EUR", own={}, own_inbound=None)
    assert told.learn({"FR": FRANCE}, dt.datetime.now(dt.UTC)) == 0
    assert told.part("+33639981234") is None


def test_carriers_fees_come_on_top_in_north_america() -> None:
    told = made()
    told.learn({"US": FRANCE}, dt.datetime.now(dt.UTC))
    assert part(told, "+12025550100") == "0.095"


@pytest.mark.parametrize(
    "kept", [None, "", "{", "[]", '{"at": 1}', '{"at":"2026-01-01","out":{},"in":{}}']
)
def test_what_cannot_be_read_from_storage_is_left_alone(kept: str | None) -> None:
    told = made()
    told.load(kept)
    assert told.fetched_at is None


def test_what_was_told_outlives_a_restart() -> None:
    now = dt.datetime.now(dt.UTC)
    first, second = made(), made()
    first.learn({"FR": FRANCE}, now)
    second.load(first.dump())
    assert second.fetched_at == now
    assert part(second, "+33639981234") == "0.085"
    assert second.inbound(address.Address("sms", exchange.OURS), 3) == money.Money(22_500, "USD")


@pytest.mark.parametrize(
    "odd", [{}, {"price_unit": "USD"}, [], None, {**FRANCE, "outbound_sms_prices": "x"}]
)
def test_odd_answers_change_nothing(odd: object) -> None:
    told = made()
    assert told.learn({"FR": odd}, dt.datetime.now(dt.UTC)) == 0
    assert part(told, "+33639981234") == "0.10"


async def test_prices_are_asked_at_the_start_once_a_day_and_kept(world: exchange.Exchange) -> None:
    world.prices = {"FR": FRANCE}
    on = bench.Bench(base=world.url, table={"countries": ["FR", "BE"]})
    listening = asyncio.create_task(on.bridge.listen(on.door))
    await bench.until(lambda: line.PRICES_KEY in on.storage.values)
    price = on.bridge.quote(address.Address("sms", bench.HIS), "x")
    assert price is not None
    assert price.price == money.Money(85_000, "USD")
    listening.cancel()
    await on.bridge.close()
    asked = len(world.seen)
    assert asked == 2
    again = on.make()
    listening = asyncio.create_task(again.listen(on.door))
    await on.clock.advance(60)
    assert again.quote(address.Address("sms", bench.HIS), "x") == price
    assert len(world.seen) == asked
    listening.cancel()
    await again.close()
