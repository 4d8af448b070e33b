"""What is left to do once a reply is out: late prices, and forgetting at the provider."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from bot import build
from bot.contract import address, bridge, messages, money, outcomes
from bot.janitor import afterwards
from bot.store import tables
from tests.fakes import world


class Late(world.World):
    """Accepts without a price; tells it when it is asked for, and forgets when told."""

    def __init__(self) -> None:
        super().__init__()
        self.outcome = lambda _: outcomes.Accepted(provider_id=f"p{len(self.sent) + 1}")
        self.asked: list[str | None] = []
        self.price: money.Money | None = None
        self.raises = False
        self.clock = world.Clock()
        self.price_micros = world.PRICE

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return messages.Quote(price=money.Money(self.price_micros, "EUR"), parts=1)

    async def fetch_status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        self.asked.append(sent.provider_id)
        if self.raises:
            raise ConnectionError
        return messages.DeliveryReceipt(
            channel=self.channel,
            at=self.clock.now(),
            provider_id=sent.provider_id,
            reply_id=sent.reply_id,
            delivery=messages.Delivery.DELIVERED,
            price=self.price,
        )


class Forgetful(Late):
    """Also forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[str] = []
        self.able = True

    async def delete(self, provider_id: str) -> bool:
        self.deleted.append(provider_id)
        return self.able


async def after_sends(way: Late, count: int = 1) -> build.Rooms:
    here = await world.rooms(way, moment=way.clock)
    for number in range(1, count + 1):
        await here.intake.accept([world.message(number)])
    await way.clock.advance(7_000)
    while await here.dispatcher.step():
        pass
    return here


async def replies(here: build.Rooms) -> list[dict[str, Any]]:
    query = sa.select(tables.replies).order_by(tables.replies.c.id)
    found = await here.store.read(lambda tx: tx.execute(query).mappings().all())
    return [dict(row) for row in found]


@pytest.mark.case("C31")
async def test_a_price_told_late_is_asked_for_until_it_is_known() -> None:
    way = Late()
    here = await after_sends(way)
    assert await here.janitor.step("afterwards") == {"prices_asked": 0, "deleted": 0}
    await way.clock.advance(120)
    await here.janitor.step("afterwards")
    assert way.asked == ["p1"]
    await here.janitor.step("afterwards")
    assert way.asked == ["p1"], "not again at once"
    way.price = money.Money(70_000, "EUR")
    await way.clock.advance(7 * 3_600)
    await here.janitor.step("afterwards")
    (row,) = await replies(here)
    assert (row["price_micros"], row["state"]) == (70_000, "delivered")
    await way.clock.advance(7 * 3_600)
    await here.janitor.step("afterwards")
    assert way.asked == ["p1", "p1"]
    await here.store.close()


async def test_a_provider_that_is_away_is_asked_again_and_in_the_end_given_up() -> None:
    way = Late()
    way.raises = True
    here = await after_sends(way)
    for _ in range(20):
        await way.clock.advance(dt.timedelta(hours=6).total_seconds())
        await here.janitor.step("afterwards")
    assert 5 <= len(way.asked) <= 13
    (row,) = await replies(here)
    assert row["price_micros"] is None
    await here.store.close()


async def test_a_network_without_bills_is_not_asked() -> None:
    way = Late()
    way.price_micros = 0
    here = await after_sends(way)
    await way.clock.advance(600)
    assert (await here.janitor.step("afterwards"))["prices_asked"] == 0
    await here.store.close()


async def test_a_message_is_forgotten_there_once_its_price_is_known_and_not_before() -> None:
    way = Forgetful()
    here = await after_sends(way)
    await way.clock.advance(600)
    await here.janitor.step("afterwards")
    await here.janitor.step("afterwards")
    assert way.deleted == []
    way.price = money.Money(70_000, "EUR")
    await way.clock.advance(7 * 3_600)
    await here.janitor.step("afterwards")
    way.able = False
    assert (await here.janitor.step("afterwards"))["deleted"] == 0
    way.able = True
    assert (await here.janitor.step("afterwards"))["deleted"] == 1
    (row,) = await replies(here)
    assert row["provider_id"] is None
    await here.janitor.step("afterwards")
    assert way.deleted == ["p1", "p1"]
    await here.store.close()


async def test_more_than_one_run_asks_for_are_all_reached() -> None:
    way = Late()
    here = await after_sends(way, 2 * afterwards.ASKED)
    assert len(way.sent) > afterwards.ASKED
    await way.clock.advance(600)
    for _ in range(3):
        await here.janitor.step("afterwards")
    assert sorted(map(str, way.asked)) == sorted(f"p{n + 1}" for n in range(len(way.sent)))
    await here.store.close()
