"""Odd clocks, odd orders of words and numbers: still one reply, in its time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from bot.contract import address, clock, messages, outcomes
from bot.inbox import door
from bot.store import events
from tests.bot.dispatcher import seen
from tests.fakes import world as fake


@pytest.mark.case("C44")
async def test_stop_and_start_in_turn_bring_no_second_reply() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    for turn in range(6):
        for text in ("STOP", "START", f"salut {turn}"):
            await rooms.intake.accept([fake.message(1, text=text, at=rooms.clock.now())])
            await fake.lapse(rooms, 2)
    assert len(world.sent) == 1


@pytest.mark.case("C15")
async def test_a_stop_within_the_hour_cancels_the_reply() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await rooms.intake.accept([fake.message(1, text="Stop.", at=rooms.clock.now())])
    await fake.lapse(rooms, 3)
    assert world.sent == []
    assert await seen.states(rooms) == {"cancelled": 1}


@pytest.mark.case("C14")
async def test_two_answering_machines_stop_after_one_reply() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1, text="Bonjour, je vous lis plus tard")])
    for turn in range(20):
        before = len(world.sent)
        await fake.lapse(rooms, 2)
        for reply in world.sent[before:]:
            # The other side quotes whatever it gets, and so is no recognisable machine text.
            said = f"{turn}: {reply.text}"
            await rooms.intake.accept([fake.message(1, text=said, at=rooms.clock.now())])
    assert len(world.sent) == 1
    # And two of ours never begin.
    ours = address.Address(address.SMS, fake.OURS)
    await rooms.intake.accept([fake.message(2, sender=ours, at=rooms.clock.now())])
    await fake.lapse(rooms, 2)
    assert len(world.sent) == 1
    assert (await rooms.store.read(events.totals))["silence:own_number"] == 1


class Jumpy(fake.Clock):
    """A wall clock that somebody sets."""

    def __init__(self) -> None:
        super().__init__()
        self.off = dt.timedelta()

    def now(self) -> dt.datetime:
        return super().now() + self.off


@pytest.mark.case("C32")
@pytest.mark.parametrize("hours", [1, -1, 30])
async def test_a_clock_that_jumps_is_told_waits_a_minute_and_sends_nothing_twice(
    hours: int,
) -> None:
    world = fake.World()
    moment = Jumpy()
    rooms = await fake.rooms(world, moment=moment)
    await rooms.intake.accept([fake.message(n) for n in range(5, 9)])
    await moment.advance(6300)
    await rooms.intake.accept([fake.message(n, at=moment.now()) for n in range(5)])
    await rooms.dispatcher.step()
    assert len(world.sent) == 4
    moment.off = dt.timedelta(hours=hours)
    assert await rooms.dispatcher.step() == 0
    await moment.advance(59)
    assert await rooms.dispatcher.step() == 0
    await fake.lapse(rooms, 4)
    moment.off = dt.timedelta()
    await fake.lapse(rooms, 4)
    told = [r.recipient.value for r in world.sent]
    assert len(told) == len(set(told)) == (4 if hours == 30 else 9)

    def jumps(tx: sa.Connection) -> list[str]:
        query = "SELECT data FROM events WHERE kind = 'clock_jump' ORDER BY id"
        return list(tx.execute(sa.text(query)).scalars())

    there, back = await rooms.store.read(jumps)
    assert there == f'{{"seconds": {hours * 3600}}}'
    assert back == f'{{"seconds": {-hours * 3600}}}'


@pytest.mark.case("C15")
async def test_a_start_from_before_the_stop_undoes_nothing() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(600)
    await rooms.intake.accept([fake.message(1, text="STOP", at=moment.now())])
    older = moment.now() - dt.timedelta(minutes=5)
    await rooms.intake.accept([fake.message(1, text="START", at=older)])
    await rooms.intake.accept([fake.message(1, text="salut", at=moment.now())])
    await fake.lapse(rooms, 3)
    assert world.sent == []


async def test_two_spellings_of_a_number_are_one_person() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    odd = address.Address(address.SMS, fake.phone(1).replace("+33", "+330"))
    await rooms.intake.accept([fake.message(1), fake.message(2, sender=odd)])
    await fake.lapse(rooms, 3)
    assert [r.recipient.value for r in world.sent] == [fake.phone(1)]


@pytest.mark.case("C16")
async def test_what_a_network_dates_hours_back_does_not_leave_at_once() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1, at=fake.START - dt.timedelta(hours=2))])
    await fake.lapse(rooms, 0.5)
    assert world.sent == []
    await fake.lapse(rooms, 1.5)
    assert len(world.sent) == 1


@pytest.mark.case("C48")
@pytest.mark.parametrize("then", ["not now", "stop", "rejected"])
async def test_a_merge_while_one_is_answered_and_one_is_being_sent(then: str) -> None:
    sms, signal = fake.World(), fake.World("signal")
    signal.network = "signal"
    signal.reaches = lambda recipient: recipient.network == "signal"  # type: ignore[method-assign]
    rooms = await fake.rooms(sms, signal)
    aci = address.Address("signal", "an-aci")
    ours = address.Address("signal", "our-aci")
    on_signal: dict[str, Any] = {"channel": "signal", "sender": aci, "recipient": ours}
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    await rooms.intake.accept([fake.message(50, at=rooms.clock.now(), **on_signal)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)
    later = moment.now() + dt.timedelta(minutes=10)
    merging = fake.message(
        51,
        at=moment.now(),
        aliases=(address.Address(address.SMS, fake.phone(1)),),
        text="STOP" if then == "stop" else "encore",
        **on_signal,
    )

    async def merge_meanwhile() -> None:
        inbox = rooms.intake._context
        now_ms = clock.to_ms(moment.now())
        await rooms.store.write(lambda tx: door.take_in(tx, inbox, [merging], now_ms))
        signal.meanwhile = None

    def refused_once(_: messages.OutboundReply) -> outcomes.Outcome | None:
        signal.outcome = lambda _: None
        if then == "rejected":
            return outcomes.Rejected(reason="gone")
        return outcomes.NotNow(reason="429", retry_at=later)

    signal.meanwhile, signal.outcome = merge_meanwhile, refused_once
    await rooms.dispatcher.step()
    for text in ("START", "salut encore"):
        await fake.lapse(rooms, 2)
        await rooms.intake.accept([fake.message(1, text=text, at=moment.now())])
    await fake.lapse(rooms, 3)
    assert len(sms.sent) + len(signal.sent) == 1
