"""What news of a send must never bring: a later attempt against a wish, a second answer."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from bot.contract import messages, outcomes
from bot.store import tables
from tests.bot.test_receipts_again import failed, sent, states
from tests.fakes import world as fake


@pytest.mark.case("C15")
async def test_who_said_stop_before_the_news_gets_no_later_attempt() -> None:
    world = fake.World()
    rooms = await sent(world)
    await rooms.intake.accept([fake.message(1, text="STOP", at=rooms.clock.now())])
    await rooms.intake.receipts([failed(rooms, "p0")])
    # Not even kept until it falls due: his address would be kept with it, and START let it go.
    assert await states(rooms) == {"failed": 1}
    await rooms.intake.accept([fake.message(1, text="START", at=rooms.clock.now())])
    await fake.lapse(rooms, 12)
    assert len(world.sent) == 1


async def test_a_window_that_is_anothers_by_now_brings_no_later_attempt() -> None:
    world = fake.World()
    rooms = await sent(world)
    p = tables.persons
    moved = sa.update(p).values(blocked_until_ms=p.c.blocked_until_ms + 1)
    await rooms.store.write(lambda tx: tx.execute(moved).rowcount)
    await rooms.intake.receipts([failed(rooms, "p0")])
    assert await states(rooms) == {"failed": 1}


@pytest.mark.case("C05")
async def test_who_got_it_after_all_is_not_answered_again() -> None:
    """Refused with a 429, given up after a day, and delivered all the same (PROVIDERS.md)."""
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    later = rooms.clock.now() + dt.timedelta(days=3)
    names: list[str] = []

    def limited(reply: messages.OutboundReply) -> outcomes.Outcome:
        names.append(reply.reply_id)
        return outcomes.NotNow(reason="429", retry_at=later)

    world.outcome = limited
    await fake.lapse(rooms, 2)
    await fake.lapse(rooms, 80)
    await rooms.janitor.step("tidy")
    assert await states(rooms) == {"expired": 1}
    news = messages.DeliveryReceipt(
        channel="sms",
        at=rooms.clock.now(),
        reply_id=names[0],
        delivery=messages.Delivery.DELIVERED,
    )
    await rooms.intake.receipts([news])
    world.outcome = lambda _: None
    asked = len(names)
    await rooms.intake.accept([fake.message(1, text="re", at=rooms.clock.now())])
    await fake.lapse(rooms, 4)
    assert len(names) == asked
    assert await states(rooms) == {"expired": 1}
