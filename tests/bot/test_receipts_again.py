"""A network's "try once later", and an account in trouble, as receipts tell them."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa

from bot import build, outbox
from bot.console import vault_acts
from bot.contract import address, clock, messages, money, outcomes
from bot.policy.flood import snapshot
from bot.store import events, tables
from tests.fakes import world as fake

LATER = dt.timedelta(hours=3)
FEE = money.Money(1_000, "EUR")


async def sent(world: fake.World) -> build.Rooms:
    """Rooms in which one reply was just accepted, without its price."""
    world.outcome = lambda _: outcomes.Accepted(provider_id=f"p{len(world.sent)}")
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    assert len(world.sent) == 1
    return rooms


def failed(rooms: build.Rooms, provider_id: str, **changes: object) -> messages.DeliveryReceipt:
    now = rooms.clock.now()
    told = messages.DeliveryReceipt(
        channel="sms",
        at=now,
        provider_id=provider_id,
        delivery=messages.Delivery.FAILED,
        reason="30003",
        price=FEE,
        retry_at=now + LATER,
        recipient=address.Address(address.SMS, fake.phone(1)),
    )
    return dataclasses.replace(told, **changes)  # type: ignore[arg-type]


async def states(rooms: build.Rooms) -> dict[str, int]:
    counts = await rooms.store.read(outbox.counts)
    return {state: n for state, n in counts.items() if n}


async def test_one_later_attempt_not_before_its_time_and_never_a_second() -> None:
    world = fake.World()
    rooms = await sent(world)
    await rooms.intake.receipts([failed(rooms, "p0")])
    # The same news again changes nothing.
    await rooms.intake.receipts([failed(rooms, "p0")])
    assert await states(rooms) == {"failed": 1, "scheduled": 1}
    await fake.lapse(rooms, 2.75)
    assert len(world.sent) == 1
    await fake.lapse(rooms, 0.5)
    first, second = world.sent
    assert (first.recipient, first.text) == (second.recipient, second.text)
    assert first.reply_id != second.reply_id
    await rooms.intake.receipts([failed(rooms, "p1")])
    await fake.lapse(rooms, 12)
    assert len(world.sent) == 2
    assert await states(rooms) == {"failed": 2}
    spent = await rooms.store.read(
        lambda tx: tx.execute(sa.select(sa.func.sum(tables.postings.c.amount_micros))).scalar_one()
    )
    assert spent == 2 * FEE.micros


async def test_he_keeps_his_window_meanwhile() -> None:
    world = fake.World()
    rooms = await sent(world)
    await rooms.intake.receipts([failed(rooms, "p0")])
    again = fake.message(1, text="hello?", at=rooms.clock.now())
    await rooms.intake.accept([again])
    await fake.lapse(rooms, 12)
    assert len(world.sent) == 2


async def test_not_for_another_address_nor_without_one_nor_too_late() -> None:
    for changes in (
        {"recipient": address.Address(address.SMS, fake.phone(2))},
        {"recipient": None},
        {"retry_at": None},
        {"retry_at": fake.START + dt.timedelta(days=2)},
    ):
        world = fake.World()
        rooms = await sent(world)
        await rooms.intake.receipts([failed(rooms, "p0", **changes)])
        await fake.lapse(rooms, 12)
        assert len(world.sent) == 1
        assert await states(rooms) == {"failed": 1}


async def test_a_wish_ends_it() -> None:
    world = fake.World()
    rooms = await sent(world)
    await rooms.intake.receipts([failed(rooms, "p0")])
    await rooms.intake.accept([fake.message(1, text="STOP", at=rooms.clock.now())])
    await fake.lapse(rooms, 12)
    assert len(world.sent) == 1
    assert await states(rooms) == {"failed": 1, "cancelled": 1}


async def test_what_was_unknown_is_never_sent_again() -> None:
    world = fake.World()
    world.outcome = lambda _: outcomes.Unknown(reason="timeout")
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    (reply,) = world.sent
    world.outcome = lambda _: None
    news = failed(rooms, "p0", reply_id=reply.reply_id)
    await rooms.intake.receipts([dataclasses.replace(news, provider_id=None)])
    await fake.lapse(rooms, 12)
    assert len(world.sent) == 1


async def test_an_account_in_trouble_is_fed_nothing_more() -> None:
    world = fake.World()
    rooms = await sent(world)
    news = failed(rooms, "p0", reason="30007", stop_channel=True, retry_at=None)
    await rooms.intake.receipts([news, news])
    await rooms.intake.accept([fake.message(2, at=rooms.clock.now())])
    await fake.lapse(rooms, 4)
    assert len(world.sent) == 1
    assert "stopped:sms" in await rooms.store.read(events.controls)
    told = sa.select(sa.func.count()).where(tables.events.c.kind == "channel_stopped")
    assert await rooms.store.read(lambda tx: tx.execute(told).scalar_one()) == 1


@pytest.mark.case("C44")
async def test_stop_start_and_writing_again_bring_no_reply_after_reply() -> None:
    """The first one was sent and billed: its window is not the later attempt's to give back."""
    world = fake.World()
    rooms = await sent(world)
    await rooms.intake.receipts([failed(rooms, "p0", reason="30008")])
    for words in ("STOP", "START", "hello again"):
        await rooms.intake.accept([fake.message(1, text=words, at=rooms.clock.now())])
        await fake.lapse(rooms, 4)
    assert len(world.sent) == 1


@pytest.mark.case("C44")
async def test_a_later_attempt_that_is_refused_keeps_the_window_too() -> None:
    world = fake.World()
    rooms = await sent(world)
    await rooms.intake.receipts([failed(rooms, "p0")])
    world.outcome = lambda _: outcomes.Rejected(reason="21211")
    await fake.lapse(rooms, 4)
    world.outcome = lambda _: None
    await rooms.intake.accept([fake.message(1, text="hello again", at=rooms.clock.now())])
    await fake.lapse(rooms, 4)
    assert len(world.sent) == 1


async def test_a_mode_that_holds_holds_the_later_attempt() -> None:
    world = fake.World()
    rooms = await sent(world)
    await rooms.intake.receipts([failed(rooms, "p0")])
    seen = dataclasses.replace(snapshot.CALM, mode=snapshot.Mode.RECEIVE_ONLY)
    rooms.dispatcher._plan = dataclasses.replace(rooms.dispatcher._plan, flood=lambda: seen)
    await fake.lapse(rooms, 4)
    assert len(world.sent) == 1
    assert await states(rooms) == {"failed": 1, "held": 1}


@pytest.mark.case("C44")
async def test_none_for_somebody_forgotten_while_it_may_have_been_on_its_way() -> None:
    """Found by `python -m tests.dst`: unknown, forgotten, then out after all and failed."""
    world = fake.World()
    world.outcome = lambda _: outcomes.Unknown(reason="5xx")
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    now_ms = clock.to_ms(rooms.clock.now())
    person = sa.select(tables.replies.c.person_id)
    told = await rooms.store.write(
        lambda tx: vault_acts.erase(
            tx, rooms.keys, tx.execute(person).scalar_one(), now_ms=now_ms, who="tester"
        )
    )
    assert told.left == 1
    key = world.sent[0].reply_id
    out = failed(rooms, "p0", reply_id=key, delivery=messages.Delivery.SENT, retry_at=None)
    await rooms.intake.receipts([out])
    await rooms.intake.receipts([failed(rooms, "p0", reply_id=key)])
    assert await states(rooms) == {"failed": 1}
    await fake.lapse(rooms, 12)
    assert len(world.sent) == 1
