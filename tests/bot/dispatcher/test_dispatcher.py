"""What becomes of due replies, outcome by outcome, seen from the world and from the tables."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import pathlib

import pytest
import sqlalchemy as sa

from bot import outbox
from bot.contract import address, bridge, clock, messages, money, outcomes
from bot.policy import settings
from bot.store import events, tables, vault
from tests.bot.dispatcher import seen
from tests.fakes import world as fake


async def test_one_reply_each_from_the_address_written_to() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1), fake.message(2), fake.message(1, text="re")])
    assert await rooms.dispatcher.step() == 0
    await fake.lapse(rooms, 2)
    assert sorted(r.recipient.value for r in world.sent) == ["+33639980001", "+33639980002"]
    assert {r.sender.value for r in world.sent} == {fake.OURS}
    assert await seen.states(rooms) == {"sent": 2}
    assert await seen.used(rooms) == 2 * fake.PRICE


@pytest.mark.case("C16")
async def test_nothing_leaves_before_the_hour() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(n) for n in range(50)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(3599)
    await rooms.dispatcher.step()
    assert world.sent == []
    await fake.lapse(rooms, 1)
    assert len(world.sent) == 50


@pytest.mark.case("C04")
@pytest.mark.parametrize("how", ["unknown", "raises"])
async def test_unknown_keeps_its_money_and_is_never_sent_again(how: str) -> None:
    def fails(_: messages.OutboundReply) -> outcomes.Outcome:
        if how == "raises":
            raise ConnectionResetError("cut")
        return outcomes.Unknown(reason="timeout")

    world = fake.World()
    world.outcome = fails
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 30)
    assert await seen.states(rooms) == {"unknown": 1}
    assert len(world.sent) == (1 if how == "unknown" else 0)
    assert await seen.used(rooms) == fake.PRICE
    await rooms.intake.accept([fake.message(1, text="encore", at=rooms.clock.now())])
    await fake.lapse(rooms, 3)
    assert await seen.states(rooms) == {"unknown": 1}


@pytest.mark.case("C05")
async def test_not_now_waits_as_long_as_asked_and_goes_once() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    until = fake.START + dt.timedelta(hours=5)
    world.outcome = lambda _: (
        outcomes.NotNow(reason="429", retry_at=until) if rooms.clock.now() < until else None
    )
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 4.75)
    assert world.sent == []
    assert await seen.states(rooms) == {"scheduled": 1}
    assert await seen.used(rooms) == 0
    await fake.lapse(rooms, 1)
    assert len(world.sent) == 1
    assert await seen.used(rooms) == fake.PRICE


async def test_a_refusal_gives_money_and_window_back() -> None:
    world = fake.World()
    world.outcome = lambda _: outcomes.Rejected(reason="landline")
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    assert await seen.states(rooms) == {"failed": 1}
    assert await seen.used(rooms) == 0
    world.outcome = lambda _: None
    await rooms.intake.accept([fake.message(1, text="re", at=rooms.clock.now())])
    await fake.lapse(rooms, 2)
    assert await seen.states(rooms) == {"failed": 1, "sent": 1}


@pytest.mark.case("C15")
async def test_the_networks_own_opt_out_counts() -> None:
    world = fake.World()
    world.outcome = lambda _: outcomes.Rejected(reason="21610", opt_out=True)
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    world.outcome = lambda _: None
    await rooms.intake.accept([fake.message(1, text="re", at=rooms.clock.now())])
    await fake.lapse(rooms, 2)
    assert world.sent == []
    assert (await rooms.store.read(events.totals))["silence:opted_out"] == 1


async def test_a_stopped_channel_is_not_fed_and_says_so() -> None:
    world = fake.World()
    world.outcome = lambda _: outcomes.Rejected(reason="20003", stop_channel=True)
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    world.outcome = lambda _: None
    await rooms.intake.accept([fake.message(2, at=rooms.clock.now())])
    await fake.lapse(rooms, 3)
    assert world.sent == []
    # The account was refused, not he: both wait, and go when somebody has mended it.
    assert await seen.states(rooms) == {"scheduled": 2}
    assert await seen.used(rooms) == 0
    assert "stopped:sms" in await rooms.store.read(events.controls)
    await rooms.store.write(lambda tx: events.control(tx, 0, "stopped:sms", None))
    await fake.lapse(rooms, 1)
    assert sorted(await seen.states(rooms)) == ["sent"]
    assert len(world.sent) == 2


@pytest.mark.case("C06")
async def test_the_day_cap_holds_what_it_cannot_pay_and_lets_it_go_later() -> None:
    world = fake.World()
    rooms = await fake.rooms(world, core=seen.core(cap_day_micros=10 * fake.PRICE))
    await rooms.intake.accept([fake.message(n) for n in range(30)])
    await fake.lapse(rooms, 3)
    soon = len(world.sent)
    assert 4 <= soon < 10
    await fake.lapse(rooms, 9.75)
    assert soon < len(world.sent) <= 10
    assert await seen.used(rooms) == len(world.sent) * fake.PRICE
    assert await seen.states(rooms) == {"held": 30 - len(world.sent), "sent": len(world.sent)}
    await fake.lapse(rooms, 12)
    assert len(world.sent) > 10
    assert await seen.used(rooms) <= 10 * fake.PRICE
    assert await seen.used(rooms, "day:2026-11-23") <= 10 * fake.PRICE


@pytest.mark.case("C06")
async def test_a_late_price_above_its_reservation_comes_off_the_next_day() -> None:
    world = fake.World()
    world.outcome = lambda _: outcomes.Accepted(provider_id="p", price=money.Money(400_000, "EUR"))
    rooms = await fake.rooms(world, core=seen.core(cap_day_micros=3 * fake.PRICE))
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    assert await seen.used(rooms) == 3 * fake.PRICE
    assert await seen.used(rooms, "day:2026-11-23") == 160_000


@pytest.mark.case("C21")
@pytest.mark.sqlite_only("counts on sends that go one after the other; see test_postgres.py")
async def test_a_pause_between_claim_and_send_stops_the_send() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(n) for n in range(20)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    now_ms = clock.to_ms(fake.START)

    def pause_after_five() -> None:
        if len(world.sent) == 4:
            rooms.store._write(lambda tx: events.control(tx, now_ms, "paused", "forever"))

    world.before = pause_after_five
    await fake.lapse(rooms, 2)
    assert len(world.sent) == 5
    assert await seen.states(rooms) == {"sent": 5, "scheduled": 15}
    assert await seen.used(rooms) == 5 * fake.PRICE
    world.before = lambda: None
    await rooms.store.write(lambda tx: events.control(tx, now_ms, "paused", None))
    await fake.lapse(rooms, 1)
    assert len({r.recipient.value for r in world.sent}) == len(world.sent) == 20


async def test_a_pause_with_an_end_ends() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    until_ms = clock.to_ms(fake.START + dt.timedelta(hours=4))
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused:sms", str(until_ms)))
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 3.75)
    assert world.sent == []
    await fake.lapse(rooms, 0.5)
    assert len(world.sent) == 1


async def test_parts_a_second_are_kept() -> None:
    world = fake.World()
    quotas = {"sms": settings.Quota(parts_per_second=0.1)}
    rooms = await fake.rooms(world, core=seen.core(quotas=quotas))
    await rooms.intake.accept([fake.message(n) for n in range(40)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)
    before = len(world.sent)
    for _ in range(12):
        while await rooms.dispatcher.step():
            pass
        assert len(world.sent) - before <= 2
        before = len(world.sent)
        await moment.advance(10)
    assert 10 <= len(world.sent) <= 16


@pytest.mark.case("C43")
async def test_each_is_answered_from_the_address_of_the_pool_he_wrote_to() -> None:
    pool = [fake.phone(9000 + n) for n in range(3)]
    world = fake.World()
    world.addresses = [
        bridge.OwnAddress(address=address.Address(address.SMS, value), state=state)
        for value, state in zip(pool, bridge.State, strict=True)
    ]
    rooms = await fake.rooms(world)
    for n, value in enumerate(pool):
        to = address.Address(address.SMS, value)
        await rooms.intake.accept([fake.message(n, recipient=to)])
    await fake.lapse(rooms, 2)
    told = {r.recipient.value: r.sender.value for r in world.sent}
    assert told == {fake.phone(n): value for n, value in enumerate(pool)}


async def test_a_bridge_that_raises_and_a_row_that_does_not_open_stop_nobody_else() -> None:
    world, bad = fake.World(), fake.World("bad")

    def raises(*_: object) -> messages.Quote | None:
        raise RuntimeError("broken")

    bad.quote = raises  # type: ignore[method-assign, assignment]
    rooms = await fake.rooms(world, bad)
    await rooms.intake.accept([fake.message(1, channel="bad"), fake.message(2), fake.message(3)])
    spoil = sa.update(tables.replies).where(tables.replies.c.id == 2).values(address_enc=b"\0\1")
    await rooms.store.write(lambda tx: tx.execute(spoil))
    await fake.lapse(rooms, 2)
    assert [r.recipient.value for r in world.sent] == [fake.phone(3)]
    assert await seen.states(rooms) == {"cancelled": 1, "held": 1, "sent": 1}


async def test_one_slow_send_holds_up_nobody_else() -> None:
    world, slow = fake.World(), fake.World("slow")
    slow.gate = asyncio.Event()
    rooms = await fake.rooms(world, slow, core=seen.core(cap_day_micros=None))
    await rooms.intake.accept([fake.message(1, channel="slow")])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)
    stop, all_sent, begun = asyncio.Event(), asyncio.Event(), asyncio.Event()
    slow.before = begun.set

    def count() -> None:
        if len(world.sent) == 99:
            all_sent.set()

    world.before = count
    await rooms.intake.accept([fake.message(n, at=moment.now()) for n in range(2, 102)])
    running = asyncio.create_task(rooms.dispatcher.run(stop))
    try:
        async with asyncio.timeout(20):
            await begun.wait()
            await moment.advance(6300)
            await all_sent.wait()
        assert slow.sent == []
    finally:
        slow.gate.set()
        stop.set()
        await asyncio.wait_for(running, 20)
    assert await seen.states(rooms) == {"sent": 101}


@pytest.mark.case("C35")
async def test_names_of_replies_and_seen_ids_outlive_a_new_key(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "k"
    old = vault.create(path)
    with path.open("a") as file:
        file.write(f"mac 2 {base64.b64encode(b'n' * 32).decode()}\n")
    new = vault.load(path)
    assert outbox.read_key(new, outbox.key(old, 7)) == 7
    assert outbox.key(new, 7) == outbox.key(old, 7)
    world = fake.World()
    rooms = await fake.rooms(world, keys=old)
    await rooms.intake.accept([fake.message(1)])
    again = await fake.rooms(world, keys=new, store=rooms.store)
    await again.intake.accept([fake.message(1), fake.message(1, text="autre")])
    assert await rooms.store.read(events.totals) == {
        "messages": 2,
        "duplicates": 1,
        "reply:first_contact": 1,
        "silence:pending": 1,
    }
