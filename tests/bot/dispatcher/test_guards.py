"""Guards of the claim that the rest of the house would make up for, were they taken out."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from bot import build, outbox
from bot.contract import clock, messages, money, outcomes
from bot.dispatcher import claim, record
from bot.policy.lifecycle import State
from bot.store import events, tables
from tests.bot.dispatcher import seen
from tests.fakes import world as fake


async def postings(rooms: build.Rooms) -> list[str]:
    query = sa.select(tables.postings.c.kind).order_by(tables.postings.c.id)
    return await rooms.store.read(lambda tx: list(tx.execute(query).scalars()))


@pytest.mark.case("C21")
async def test_while_paused_nothing_is_even_claimed() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(n) for n in range(3)])
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused", "forever"))
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    for _ in range(3):
        await moment.advance(3600)
        # Not `lapse`: what is claimed and put back again would keep it going for ever.
        assert await rooms.dispatcher.step() == 0
    assert await seen.states(rooms) == {"scheduled": 3}
    # Nothing was reserved and given back meanwhile either.
    assert await postings(rooms) == []
    rows = await rooms.store.read(lambda tx: outbox.in_state(tx, State.SCHEDULED, 10))
    assert [row["attempts"] for row in rows] == [0, 0, 0]


@pytest.mark.case("C21")
@pytest.mark.parametrize("value", ["soon", "", "-1", "12.5", "forever"])
def test_a_pause_that_nobody_can_read_is_one_for_ever(value: str) -> None:
    far_ms = 1 << 60
    assert claim.paused({"paused": value}, None, far_ms)
    assert claim.paused({"paused": value}, "sms", far_ms)
    assert claim.paused({"stopped:sms": value}, "sms", far_ms)
    assert not claim.paused({"stopped:sms": value}, "signal", far_ms)
    assert not claim.paused({"stopped:sms": value}, None, far_ms)


def test_a_pause_ends_when_it_says() -> None:
    assert claim.paused({"paused:sms": "1000"}, "sms", 999)
    assert not claim.paused({"paused:sms": "1000"}, "sms", 1_000)


@pytest.mark.case("C04", "C31")
async def test_a_send_that_nobody_heard_of_has_no_price_until_it_counts_as_paid() -> None:
    def lost(_: messages.OutboundReply) -> outcomes.Outcome:
        return outcomes.Unknown(reason="timeout")

    world = fake.World()
    world.outcome = lost
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    (row,) = await rooms.store.read(lambda tx: outbox.in_state(tx, State.UNKNOWN, 10))
    # What has no price yet is asked about; it is reserved, and not posted.
    assert row["price_micros"] is None
    assert row["reserved_micros"] == fake.PRICE
    assert await postings(rooms) == ["reserve"]
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(dt.timedelta(days=2, minutes=1).total_seconds())
    assert (await rooms.janitor.step("tidy"))["unknown_posted"] == 1
    (row,) = await rooms.store.read(lambda tx: outbox.in_state(tx, State.UNKNOWN, 10))
    assert row["price_micros"] == fake.PRICE
    assert await postings(rooms) == ["reserve", "post"]
    assert await seen.used(rooms) == fake.PRICE
    assert clock.to_ms(fake.START) < row["started_ms"]


@pytest.mark.case("C38")
async def test_who_slept_past_his_lease_sends_nothing() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await rooms.intake.accept([fake.message(n) for n in range(2)])
    await moment.advance(dt.timedelta(hours=2).total_seconds())
    claimed = await rooms.dispatcher._claim()
    while not claimed.sends:
        await moment.advance(60)
        claimed = await rooms.dispatcher._claim()
    # Stopped here for as long as the lease: what it holds is others' to settle by now.
    await moment.advance(claim.LEASE_MS / 1000)
    await rooms.dispatcher._send(claimed.sends)
    assert world.sent == []


@pytest.mark.case("C33", "C34")
async def test_whom_it_went_to_is_forgotten_as_soon_as_it_is_sent() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    (waits,) = await rooms.store.read(lambda tx: outbox.in_state(tx, State.SCHEDULED, 10))
    assert waits["address_enc"] is not None
    await fake.lapse(rooms, 2)
    (sent,) = await rooms.store.read(lambda tx: outbox.in_state(tx, State.SENT, 10))
    assert sent["address_enc"] is None
    assert sent["text_enc"] is None


@pytest.mark.case("C31")
async def test_a_refusal_that_is_billed_is_booked_at_its_fee() -> None:
    fee = money.Money(5_000, "EUR")
    world = fake.World()
    world.outcome = lambda _: outcomes.Rejected(reason="landline", fee=fee)
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    (failed,) = await rooms.store.read(lambda tx: outbox.in_state(tx, State.FAILED, 10))
    assert failed["price_micros"] == fee.micros
    assert await seen.used(rooms) == fee.micros
    assert await postings(rooms) == ["reserve", "post"]


@pytest.mark.case("C03", "C04")
@pytest.mark.parametrize("late", ["not_now", "paused", "unknown"])
async def test_an_outcome_after_the_lease_never_schedules_what_is_unknown(late: str) -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await rooms.intake.accept([fake.message(1)])
    await moment.advance(dt.timedelta(hours=2).total_seconds())
    claimed = await rooms.dispatcher._claim()
    while not claimed.sends:
        await moment.advance(60)
        claimed = await rooms.dispatcher._claim()
    await moment.advance(claim.LEASE_MS / 1000 + 1)
    assert (await rooms.janitor.step("tidy"))["leases_unknown"] == 1
    told: dict[str, outcomes.Outcome | None] = {
        "not_now": outcomes.NotNow(reason="busy", retry_at=moment.now()),
        "paused": None,
        "unknown": outcomes.Unknown(reason="cut"),
    }
    results, now_ms = [(claimed.sends[0], told[late])], clock.to_ms(moment.now())
    # Written at once: the loop would try what conflicts again.
    await rooms.store.write(
        lambda tx: record.record(tx, results=results, core=rooms.core, now_ms=now_ms)
    )
    # What certainly did not go out is over and gives its money back; nothing is sent again.
    over = {"unknown": 1} if late == "unknown" else {"failed": 1}
    assert await seen.states(rooms) == over
    assert await seen.used(rooms) == (fake.PRICE if late == "unknown" else 0)
    await fake.lapse(rooms, 3)
    assert world.sent == []
