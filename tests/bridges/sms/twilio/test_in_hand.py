"""What the bridge was given and has not begun goes back to the core: a pause may have come."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from bot.console import holding
from bot.contract import address, clock, conformance, messages, outcomes
from bot.store import tables
from bridges.sms.twilio import client, sending
from tests.bot.dispatcher import seen
from tests.bridges.sms.twilio import bench, exchange, house
from tests.fakes import deaf

LIMIT_S = 60
PEOPLE = 40


async def due(rooms: house.House, number: int) -> None:
    """So many people wrote, and their replies are due."""
    at = rooms.rooms.clock.now()
    wrote = [
        messages.InboundMessage(
            channel=house.CHANNEL,
            provider_id=f"x{n}",
            sender=address.Address("sms", f"+3363998{n:04d}"),
            recipient=address.Address("sms", exchange.OURS),
            received_at=at,
            text="salut",
        )
        for n in range(1, 1 + number)
    ]
    await rooms.rooms.intake.accept(wrote)


@pytest.mark.case("C21")
async def test_a_pause_while_sends_hang_keeps_back_all_that_have_not_begun(
    world: exchange.Exchange,
) -> None:
    world.faults += [exchange.Fault(kind="hang", after=True) for _ in range(sending.PLACES)]
    moment = conformance.FakeClock()
    world.now = moment.now
    built = await house.built(world.url, moment, public=exchange.PUBLIC, told=house.core((60, 60)))
    rooms = built.rooms
    await due(built, PEOPLE)
    await moment.advance(600)
    async with asyncio.timeout(LIMIT_S):
        going = asyncio.create_task(rooms.dispatcher.step())
        await bench.until(lambda: len(world.messages) == sending.PLACES)
        now_ms = clock.to_ms(moment.now())
        await rooms.store.write(
            lambda tx: holding.pause(tx, now_ms=now_ms, who="tester", until_ms=None)
        )
        world.hanging.set()
        assert await going == PEOPLE
        await moment.advance(60)
        await rooms.dispatcher.step()
    assert len(world.messages) == sending.PLACES
    found = await seen.states(rooms)
    assert found == {"unknown": sending.PLACES, "scheduled": PEOPLE - sending.PLACES}
    await built.bridge.close()
    await rooms.store.close()


async def test_who_finds_no_place_is_asked_for_again_soon_at_no_cost(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    """Unsent for certain, nobody's fault, and not for long."""
    moment = on.clock
    built = await house.built(world.url, moment, public=exchange.PUBLIC, told=house.core((60, 60)))
    rooms = built.rooms
    await due(built, PEOPLE)
    await moment.advance(600)
    async with asyncio.timeout(LIMIT_S):
        for left in range(PEOPLE, 0, -sending.PLACES):
            assert await rooms.dispatcher.step() == left
            await moment.advance(sending.CROWDED_WAIT_S)
    assert len(world.messages) == PEOPLE
    assert await seen.states(rooms) == {"sent": PEOPLE}
    ways = sa.select(sa.func.count(tables.replies.c.refused_by))
    assert await rooms.store.read(lambda tx: tx.execute(ways).scalar_one()) == 0
    stops = sa.select(tables.control.c.key)
    assert not await rooms.store.read(lambda tx: tx.execute(stops).scalars().all())
    await built.bridge.close()
    await rooms.store.close()


@pytest.mark.case("C21")
async def test_a_connection_that_takes_long_is_given_up_unsent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request would leave once it is there, whatever was said meanwhile."""
    monkeypatch.setattr(client, "SEND_CONNECT_LIMIT_S", 0.05)
    with deaf.address() as where:
        made = bench.Bench(base=f"http://{where}")
        async with asyncio.timeout(LIMIT_S):
            outcome = await made.bridge.send(made.reply())
        await made.bridge.close()
    assert isinstance(outcome, outcomes.NotNow)
    assert outcome.retry_at > made.clock.now()


def test_a_send_begins_within_what_a_pause_may_take() -> None:
    """C21 names two seconds; a place is not waited for."""
    assert client.SEND_CONNECT_LIMIT_S < 2
