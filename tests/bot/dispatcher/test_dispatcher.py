"""What becomes of due replies, outcome by outcome, seen from the world and from the tables."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import pathlib
from typing import Any

import pytest
import sqlalchemy as sa

from bot import build, ledger, outbox
from bot.contract import address, bridge, clock, messages, money, outcomes
from bot.inbox import door
from bot.janitor import stuck
from bot.policy import settings
from bot.policy.lifecycle import State
from bot.store import database, events, tables, vault
from tests.fakes import world as fake

ANSWERED = settings.Who(answer_fiction=True)


def core(**budget: object) -> settings.Core:
    return settings.Core(who=ANSWERED, budget=settings.Budget(**budget))  # type: ignore[arg-type]


async def lapse(rooms: build.Rooms, hours: float) -> None:
    """Let virtual time pass, dispatching at every quarter."""
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    for _ in range(int(hours * 4)):
        await moment.advance(900)
        await rooms.flood.look()
        while await rooms.dispatcher.step():
            pass


async def states(rooms: build.Rooms) -> dict[str, int]:
    counts = await rooms.store.read(outbox.counts)
    return {state: n for state, n in counts.items() if n}


async def used(rooms: build.Rooms, scope: str = "day:2026-11-22") -> int:
    return await rooms.store.read(lambda tx: ledger.used(tx, scope))


async def test_one_reply_each_from_the_address_written_to() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1), fake.message(2), fake.message(1, text="re")])
    assert await rooms.dispatcher.step() == 0
    await lapse(rooms, 2)
    assert sorted(r.recipient.value for r in world.sent) == ["+33639980001", "+33639980002"]
    assert {r.sender.value for r in world.sent} == {fake.OURS}
    assert await states(rooms) == {"sent": 2}
    assert await used(rooms) == 2 * fake.PRICE


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
    await lapse(rooms, 1)
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
    await lapse(rooms, 30)
    assert await states(rooms) == {"unknown": 1}
    assert len(world.sent) == (1 if how == "unknown" else 0)
    assert await used(rooms) == fake.PRICE
    await rooms.intake.accept([fake.message(1, text="encore", at=rooms.clock.now())])
    await lapse(rooms, 3)
    assert await states(rooms) == {"unknown": 1}


@pytest.mark.case("C05")
async def test_not_now_waits_as_long_as_asked_and_goes_once() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    until = fake.START + dt.timedelta(hours=5)
    world.outcome = lambda _: (
        outcomes.NotNow(reason="429", retry_at=until) if rooms.clock.now() < until else None
    )
    await rooms.intake.accept([fake.message(1)])
    await lapse(rooms, 4.75)
    assert world.sent == []
    assert await states(rooms) == {"scheduled": 1}
    assert await used(rooms) == 0
    await lapse(rooms, 1)
    assert len(world.sent) == 1
    assert await used(rooms) == fake.PRICE


async def test_a_refusal_gives_money_and_window_back() -> None:
    world = fake.World()
    world.outcome = lambda _: outcomes.Rejected(reason="landline")
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await lapse(rooms, 2)
    assert await states(rooms) == {"failed": 1}
    assert await used(rooms) == 0
    world.outcome = lambda _: None
    await rooms.intake.accept([fake.message(1, text="re", at=rooms.clock.now())])
    await lapse(rooms, 2)
    assert await states(rooms) == {"failed": 1, "sent": 1}


@pytest.mark.case("C15")
async def test_the_networks_own_opt_out_counts() -> None:
    world = fake.World()
    world.outcome = lambda _: outcomes.Rejected(reason="21610", opt_out=True)
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await lapse(rooms, 2)
    world.outcome = lambda _: None
    await rooms.intake.accept([fake.message(1, text="re", at=rooms.clock.now())])
    await lapse(rooms, 2)
    assert world.sent == []
    assert (await rooms.store.read(events.totals))["silence:opted_out"] == 1


async def test_a_stopped_channel_is_not_fed_and_says_so() -> None:
    world = fake.World()
    world.outcome = lambda _: outcomes.Rejected(reason="20003", stop_channel=True)
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await lapse(rooms, 2)
    world.outcome = lambda _: None
    await rooms.intake.accept([fake.message(2, at=rooms.clock.now())])
    await lapse(rooms, 3)
    assert world.sent == []
    # The account was refused, not he: both wait, and go when somebody has mended it.
    assert await states(rooms) == {"scheduled": 2}
    assert await used(rooms) == 0
    assert "stopped:sms" in await rooms.store.read(events.controls)
    await rooms.store.write(lambda tx: events.control(tx, 0, "stopped:sms", None))
    await lapse(rooms, 1)
    assert sorted(await states(rooms)) == ["sent"]
    assert len(world.sent) == 2


@pytest.mark.case("C06")
async def test_the_day_cap_holds_what_it_cannot_pay_and_lets_it_go_later() -> None:
    world = fake.World()
    rooms = await fake.rooms(world, core=core(cap_day_micros=10 * fake.PRICE))
    await rooms.intake.accept([fake.message(n) for n in range(30)])
    await lapse(rooms, 3)
    soon = len(world.sent)
    assert 4 <= soon < 10
    await lapse(rooms, 9.75)
    assert soon < len(world.sent) <= 10
    assert await used(rooms) == len(world.sent) * fake.PRICE
    assert await states(rooms) == {"held": 30 - len(world.sent), "sent": len(world.sent)}
    await lapse(rooms, 12)
    assert len(world.sent) > 10
    assert await used(rooms) <= 10 * fake.PRICE
    assert await used(rooms, "day:2026-11-23") <= 10 * fake.PRICE


@pytest.mark.case("C06")
async def test_a_late_price_above_its_reservation_comes_off_the_next_day() -> None:
    world = fake.World()
    world.outcome = lambda _: outcomes.Accepted(provider_id="p", price=money.Money(400_000, "EUR"))
    rooms = await fake.rooms(world, core=core(cap_day_micros=3 * fake.PRICE))
    await rooms.intake.accept([fake.message(1)])
    await lapse(rooms, 2)
    assert await used(rooms) == 3 * fake.PRICE
    assert await used(rooms, "day:2026-11-23") == 160_000


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
    await lapse(rooms, 2)
    assert len(world.sent) == 5
    assert await states(rooms) == {"sent": 5, "scheduled": 15}
    assert await used(rooms) == 5 * fake.PRICE
    world.before = lambda: None
    await rooms.store.write(lambda tx: events.control(tx, now_ms, "paused", None))
    await lapse(rooms, 1)
    assert len({r.recipient.value for r in world.sent}) == len(world.sent) == 20


async def test_a_pause_with_an_end_ends() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    until_ms = clock.to_ms(fake.START + dt.timedelta(hours=4))
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused:sms", str(until_ms)))
    await rooms.intake.accept([fake.message(1)])
    await lapse(rooms, 3.75)
    assert world.sent == []
    await lapse(rooms, 0.5)
    assert len(world.sent) == 1


@pytest.mark.case("C44")
async def test_stop_and_start_in_turn_bring_no_second_reply() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await lapse(rooms, 2)
    for turn in range(6):
        for text in ("STOP", "START", f"salut {turn}"):
            await rooms.intake.accept([fake.message(1, text=text, at=rooms.clock.now())])
            await lapse(rooms, 2)
    assert len(world.sent) == 1


@pytest.mark.case("C15")
async def test_a_stop_within_the_hour_cancels_the_reply() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    await rooms.intake.accept([fake.message(1, text="Stop.", at=rooms.clock.now())])
    await lapse(rooms, 3)
    assert world.sent == []
    assert await states(rooms) == {"cancelled": 1}


async def test_parts_a_second_are_kept() -> None:
    world = fake.World()
    quotas = {"sms": settings.Quota(parts_per_second=0.1)}
    rooms = await fake.rooms(world, core=core(quotas=quotas))
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


@pytest.mark.case("C07")
async def test_a_database_that_is_away_when_a_send_ends_forgets_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)
    real, failures = rooms.store.write, iter([False, True, True])

    async def flaky(work: database.Work[object], *, together: bool = False) -> object:
        if next(failures, False):
            raise database.StoreAwayError("disk full")
        return await real(work)

    monkeypatch.setattr("bot.dispatcher.loop.RETRY_S", 0)
    monkeypatch.setattr(rooms.store, "write", flaky)
    await rooms.dispatcher.step()
    assert await states(rooms) == {"sent": 1}
    assert len(world.sent) == 1


async def test_a_claim_of_a_dead_process_is_not_taken_again() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)

    class DiedError(BaseException):
        pass

    def die() -> None:
        raise DiedError

    world.before = die
    with pytest.raises(DiedError):
        await rooms.dispatcher.step()
    world.before = lambda: None
    await lapse(rooms, 5)
    assert world.sent == []
    assert await states(rooms) == {State.SENDING.value: 1}


@pytest.mark.case("C03")
@pytest.mark.parametrize(
    ("outcome", "after", "money_kept"),
    [
        (None, "sent", fake.PRICE),
        (outcomes.Rejected(reason="landline"), "failed", 0),
        (outcomes.NotNow(reason="429", retry_at=fake.START), "failed", 0),
        (outcomes.Unknown(reason="timeout"), "unknown", fake.PRICE),
    ],
)
async def test_an_outcome_that_comes_after_the_lease_settles_the_unknown_reply(
    outcome: outcomes.Outcome | None, after: str, money_kept: int
) -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)

    async def lease_ends() -> None:
        late_ms = clock.to_ms(moment.now()) + 600_000
        await rooms.store.write(lambda tx: stuck.leases(tx, rooms.core, lambda _: False, late_ms))

    world.meanwhile = lease_ends
    world.outcome = lambda _: outcome
    await rooms.dispatcher.step()
    assert await states(rooms) == {after: 1}
    assert await used(rooms) == money_kept
    await lapse(rooms, 5)
    assert await states(rooms) == {after: 1}


@pytest.mark.case("C14")
async def test_two_answering_machines_stop_after_one_reply() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1, text="Bonjour, je vous lis plus tard")])
    for turn in range(20):
        before = len(world.sent)
        await lapse(rooms, 2)
        for reply in world.sent[before:]:
            # The other side quotes whatever it gets, and so is no recognisable machine text.
            said = f"{turn}: {reply.text}"
            await rooms.intake.accept([fake.message(1, text=said, at=rooms.clock.now())])
    assert len(world.sent) == 1
    # And two of ours never begin.
    ours = address.Address(address.SMS, fake.OURS)
    await rooms.intake.accept([fake.message(2, sender=ours, at=rooms.clock.now())])
    await lapse(rooms, 2)
    assert len(world.sent) == 1
    assert (await rooms.store.read(events.totals))["silence:own_number"] == 1


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
    await lapse(rooms, 2)
    told = {r.recipient.value: r.sender.value for r in world.sent}
    assert told == {fake.phone(n): value for n, value in enumerate(pool)}


class DiedError(BaseException):
    """The process ended in mid-send."""


async def torn(world: fake.World) -> build.Rooms:
    """A reply whose send reached the phone, and then the process was killed."""
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)

    def dies(reply: messages.OutboundReply) -> outcomes.Outcome | None:
        world.sent.append(reply)
        raise DiedError

    world.outcome = dies
    with pytest.raises(DiedError):
        await rooms.dispatcher.step()
    world.outcome = lambda _: None
    await moment.advance(200)
    return rooms


@pytest.mark.case("C03")
async def test_a_torn_send_is_made_again_as_it_was_where_a_repeat_is_dropped() -> None:
    world = fake.World(idempotent=True)
    rooms = await torn(world)
    await rooms.janitor.step("tidy")
    assert await used(rooms) == fake.PRICE
    assert await rooms.dispatcher.repair() == 1
    assert await rooms.dispatcher.repair() == 0
    first, second = world.sent
    assert (first.reply_id, first.text, first.sender) == (
        second.reply_id,
        second.text,
        second.sender,
    )
    assert await states(rooms) == {"sent": 1}
    assert await used(rooms) == fake.PRICE


@pytest.mark.case("C44")
async def test_stop_and_start_around_a_torn_send_bring_no_second_reply() -> None:
    world = fake.World(idempotent=True)
    rooms = await torn(world)
    for text in ("STOP", "START", "encore moi"):
        await rooms.intake.accept([fake.message(1, text=text, at=rooms.clock.now())])
        await rooms.janitor.step("tidy")
        await rooms.dispatcher.repair()
        await lapse(rooms, 2)
    assert len({r.reply_id for r in world.sent}) == 1
    assert await states(rooms) in ({"unknown": 1}, {"sent": 1})
    assert await used(rooms) == fake.PRICE


async def test_a_torn_send_that_may_not_be_repeated_is_unknown() -> None:
    world = fake.World(idempotent=False)
    rooms = await torn(world)
    assert await rooms.dispatcher.repair() == 0
    await rooms.janitor.step("tidy")
    assert await states(rooms) == {"unknown": 1}


@pytest.mark.parametrize("how", ["paused", "not now"])
async def test_a_torn_send_that_waits_stays_as_it_is(how: str) -> None:
    world = fake.World(idempotent=True)
    rooms = await torn(world)
    until = rooms.clock.now() + dt.timedelta(hours=1)
    if how == "paused":
        await rooms.store.write(lambda tx: events.control(tx, 0, "paused", "forever"))
    else:
        world.outcome = lambda _: outcomes.NotNow(reason="429", retry_at=until)
    await rooms.dispatcher.repair()
    await rooms.janitor.step("tidy")
    assert await states(rooms) == {"sending": 1}
    assert await used(rooms) == fake.PRICE
    world.outcome = lambda _: None
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused", None))
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(3700)
    assert await rooms.dispatcher.repair() == 1
    assert await states(rooms) == {"sent": 1}


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
    await lapse(rooms, 4)
    moment.off = dt.timedelta()
    await lapse(rooms, 4)
    told = [r.recipient.value for r in world.sent]
    assert len(told) == len(set(told)) == (4 if hours == 30 else 9)

    def jumps(tx: sa.Connection) -> list[str]:
        query = "SELECT data FROM events WHERE kind = 'clock_jump' ORDER BY id"
        return list(tx.execute(sa.text(query)).scalars())

    there, back = await rooms.store.read(jumps)
    assert there == f'{{"seconds": {hours * 3600}}}'
    assert back == f'{{"seconds": {-hours * 3600}}}'


async def test_a_torn_repeat_that_is_refused_may_be_out_all_the_same() -> None:
    world = fake.World(idempotent=True)
    rooms = await torn(world)
    world.outcome = lambda _: outcomes.Rejected(reason="suspended")
    await rooms.dispatcher.repair()
    assert await states(rooms) == {"unknown": 1}
    assert await used(rooms) == fake.PRICE
    world.outcome = lambda _: None
    await rooms.intake.accept([fake.message(1, text="re", at=rooms.clock.now())])
    await lapse(rooms, 3)
    assert len(world.sent) == 1


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
    await lapse(rooms, 3)
    assert world.sent == []


async def test_two_spellings_of_a_number_are_one_person() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    odd = address.Address(address.SMS, fake.phone(1).replace("+33", "+330"))
    await rooms.intake.accept([fake.message(1), fake.message(2, sender=odd)])
    await lapse(rooms, 3)
    assert [r.recipient.value for r in world.sent] == [fake.phone(1)]


@pytest.mark.case("C16")
async def test_what_a_network_dates_hours_back_does_not_leave_at_once() -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1, at=fake.START - dt.timedelta(hours=2))])
    await lapse(rooms, 0.5)
    assert world.sent == []
    await lapse(rooms, 1.5)
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
    await lapse(rooms, 2)
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
        await lapse(rooms, 2)
        await rooms.intake.accept([fake.message(1, text=text, at=moment.now())])
    await lapse(rooms, 3)
    assert len(sms.sent) + len(signal.sent) == 1


async def test_a_bridge_that_raises_and_a_row_that_does_not_open_stop_nobody_else() -> None:
    world, bad = fake.World(), fake.World("bad")

    def raises(*_: object) -> messages.Quote | None:
        raise RuntimeError("broken")

    bad.quote = raises  # type: ignore[method-assign, assignment]
    rooms = await fake.rooms(world, bad)
    await rooms.intake.accept([fake.message(1, channel="bad"), fake.message(2), fake.message(3)])
    spoil = sa.update(tables.replies).where(tables.replies.c.id == 2).values(address_enc=b"\0\1")
    await rooms.store.write(lambda tx: tx.execute(spoil))
    await lapse(rooms, 2)
    assert [r.recipient.value for r in world.sent] == [fake.phone(3)]
    assert await states(rooms) == {"cancelled": 1, "held": 1, "sent": 1}


async def test_one_slow_send_holds_up_nobody_else() -> None:
    world, slow = fake.World(), fake.World("slow")
    slow.gate = asyncio.Event()
    rooms = await fake.rooms(world, slow, core=core(cap_day_micros=None))
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
    assert await states(rooms) == {"sent": 101}


async def test_a_result_that_cannot_be_written_is_unknown_and_alone() -> None:
    world = fake.World()
    odd = fake.phone(3)

    def answers(reply: messages.OutboundReply) -> outcomes.Outcome | None:
        if reply.recipient.value == odd:
            return outcomes.Accepted(provider_id="p", parts=1 << 70)
        return None

    world.outcome = answers
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(n) for n in range(6)])
    await lapse(rooms, 2)
    assert await states(rooms) == {"sent": 5, "unknown": 1}


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
