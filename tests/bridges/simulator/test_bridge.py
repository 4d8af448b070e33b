import asyncio

import pytest

from bot.contract import address, bridge, messages, money, outcomes
from bridges.simulator import phones
from tests.bridges.simulator import world


def test_it_is_what_the_contract_asks_for() -> None:
    made = world.made()
    assert isinstance(made, bridge.Bridge)
    assert isinstance(made, bridge.BringsRoutes)
    assert isinstance(made, bridge.ReportsHealth)
    assert (made.channel, made.network, made.idempotent) == ("sms", "sms", True)


def test_reaches_numbers_on_sms_and_accounts_on_signal() -> None:
    sms, signal = world.made(), world.made(network="signal")
    assert sms.reaches(address.Address("sms", world.HIS))
    assert not sms.reaches(address.Address("sms", "36111"))
    assert not sms.reaches(address.Address("sms", ""))
    assert not sms.reaches(address.Address("signal", world.HIS))
    assert signal.reaches(address.Address("signal", "his-aci"))
    assert not signal.reaches(address.Address("signal", ""))


def quoted(made: bridge.Bridge, number: str, text: str) -> tuple[str, int] | None:
    quote = made.quote(address.Address(made.network, number), text)
    return None if quote is None else (str(quote.price), quote.parts)


def test_quotes_are_parts_times_the_price_of_the_country() -> None:
    made = world.made(prices={"FR": "0.08", "GB": "0.04", "default": "0.12"})
    for _ in range(2):
        assert quoted(made, world.HIS, "Bonjour") == ("0.08 EUR", 1)
        assert quoted(made, world.HIS, "a" * 161) == ("0.16 EUR", 2)
        assert quoted(made, "+447700900123", "Hello") == ("0.04 EUR", 1)
        assert quoted(made, "+12025550123", "Hello") == ("0.12 EUR", 1)
        assert quoted(made, "36111", "Bonjour") is None


def test_a_country_without_a_price_cannot_be_sent_to() -> None:
    made = world.made(prices={"FR": "0.08"})
    assert quoted(made, "+12025550123", "Hello") is None
    assert quoted(made, world.HIS, "Hello") == ("0.08 EUR", 1)


def test_signal_is_free_however_long() -> None:
    made = world.made(network="signal")
    assert quoted(made, "his-aci", "é" * 3_000) == ("0.00 EUR", 1)


def test_the_memory_of_quotes_is_bounded() -> None:
    made = world.made()
    for number in range(2_000):
        made.quote(address.Address("sms", world.HIS), f"text {number}")
    assert len(made._quotes) <= 512


@pytest.mark.case("C02")
async def test_one_reply_id_reaches_the_phone_once() -> None:
    made = world.made()
    first = await made.send(world.reply())
    second = await made.send(world.reply())
    assert first == second
    assert first == outcomes.Accepted(
        provider_id="a" * 32, parts=1, price=money.parse("0.08", "EUR")
    )
    assert len(made._phones.thread(world.HIS)) == 1


async def test_what_cannot_be_priced_is_rejected() -> None:
    made = world.made()
    assert isinstance(await made.send(world.reply(to="36111")), outcomes.Rejected)
    assert made._phones.thread("36111") == []


async def test_listen_waits_until_cancelled() -> None:
    listening = asyncio.create_task(world.made().listen(world.Door()))
    await asyncio.sleep(0)
    assert not listening.done()
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening


async def test_health_is_up_and_remembers_the_last_reply() -> None:
    made = world.made()
    assert (await made.health()).last_event_at is None
    await made.send(world.reply())
    health = await made.health()
    assert (health.condition, health.last_event_at) == (bridge.Condition.UP, world.NOW)
    await made.close()


def test_phones_threads_and_ledger_are_bounded() -> None:
    known = phones.Phones(max_phones=2, max_entries=3, max_replies=4)
    cost = messages.Quote(price=money.Money(0, "EUR"), parts=1).price
    for number in range(6):
        known.received(
            phone=f"p{number % 3}",
            ours="o",
            text="t",
            reply_id=f"r{number}",
            at_ms=0,
            parts=1,
            cost=cost,
        )
    assert known.counts == {"phones": 2, "replies": 4, "dropped": 2}
    assert known.thread("p0") == []
    for number in range(5):
        known.sent(
            phone="p2",
            ours="o",
            text="t",
            kind="text",
            message_id=f"m{number}",
            at_ms=0,
            free=cost,
        )
    assert [entry.id for entry in known.thread("p2")] == ["m2", "m3", "m4"]
