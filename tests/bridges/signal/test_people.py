"""One person on two networks: one reply, and a wish to be left alone counts on both."""

import asyncio

import pytest

from bot import outbox
from bot.contract import clock
from bot.store import events
from tests.bridges.signal import envelopes
from tests.bridges.signal.test_thousand import House
from tests.fakes import world as fake

PHONE = fake.phone(31)
HIM = envelopes.aci(31)


async def opened() -> House:
    house = House(1, share=0)
    await house.open()
    return house


async def writes(house: House, words: str, *, number: str | None = None) -> None:
    at_ms = clock.to_ms(house.moment.now())
    await house.hear([envelopes.text(HIM, words, at_ms, number=number)])


async def a_day(house: House) -> None:
    """Everything that is due goes out."""
    for _ in range(40):
        while True:
            working = asyncio.create_task(house.rooms.dispatcher.step())
            while not working.done():
                await house.moment.advance(1)
            if not working.result():
                break
        await house.moment.advance(600)


@pytest.mark.case("C48")
async def test_a_number_that_shows_later_merges_and_one_reply_goes() -> None:
    house = await opened()
    await house.rooms.intake.accept([fake.message(31, text="salut")])
    await house.moment.advance(60)
    await writes(house, "salut, c'est moi")
    await house.moment.advance(60)
    await writes(house, "tu es là ?", number=PHONE)
    await a_day(house)
    assert (len(house.sms.sent), sum(house.line.got.values())) == (1, 0)
    counts = await house.store.read(outbox.counts)
    assert (counts["sent"], counts["cancelled"]) == (1, 1)
    await house.store.close()


@pytest.mark.case("C48")
async def test_a_stop_by_sms_holds_for_the_account_that_shows_the_number() -> None:
    house = await opened()
    await house.rooms.intake.accept([fake.message(31, text="STOP")])
    await writes(house, "salut")
    await house.moment.advance(60)
    await writes(house, "tu es là ?", number=PHONE)
    await a_day(house)
    assert (house.sms.sent, sum(house.line.got.values())) == ([], 0)
    await house.store.close()


@pytest.mark.case("C16")
async def test_nothing_goes_out_before_the_hour_and_then_one_to_the_account() -> None:
    house = await opened()
    await writes(house, "salut", number=PHONE)
    for _ in range(6):
        await house.moment.advance(590)
        assert await house.rooms.dispatcher.step() == 0
        assert sum(house.line.asked.values()) == 0
    await a_day(house)
    assert dict(house.line.got) == {HIM: 1}
    await house.store.close()


@pytest.mark.case("C28")
async def test_a_429_that_came_after_all_takes_the_window_even_once_it_expired() -> None:
    house = await opened()
    house.line.draw = lambda: "limited delivered"
    await writes(house, "salut")
    await a_day(house)
    (told,) = house.line.receipts
    assert house.line.got[HIM] == 1
    await house.moment.advance(90_000)
    await house.rooms.janitor.round()
    assert (await house.store.read(outbox.counts))["expired"] == 1
    await house.hear([envelopes.receipt(HIM, told.timestamp)])
    await house.rooms.janitor.round()
    house.line.draw = lambda: None
    await house.store.write(lambda tx: events.control(tx, 1, "challenge:signal", None))
    await writes(house, "encore moi")
    await a_day(house)
    assert house.line.got[HIM] == 1
    await house.store.close()
