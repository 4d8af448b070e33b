"""A send that a kill tore: made again where a repeat is dropped, else unknown."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from bot import build
from bot.contract import clock, messages, outcomes
from bot.dispatcher import record
from bot.janitor import stuck
from bot.policy.lifecycle import State
from bot.store import database, events
from tests.bot.dispatcher import seen
from tests.fakes import world as fake


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
    assert await seen.states(rooms) == {"sent": 1}
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
    await fake.lapse(rooms, 5)
    assert world.sent == []
    assert await seen.states(rooms) == {State.SENDING.value: 1}


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
    assert await seen.states(rooms) == {after: 1}
    assert await seen.used(rooms) == money_kept
    await fake.lapse(rooms, 5)
    assert await seen.states(rooms) == {after: 1}


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
    assert await seen.used(rooms) == fake.PRICE
    assert await rooms.dispatcher.repair() == 1
    assert await rooms.dispatcher.repair() == 0
    first, second = world.sent
    assert (first.reply_id, first.text, first.sender) == (
        second.reply_id,
        second.text,
        second.sender,
    )
    assert await seen.states(rooms) == {"sent": 1}
    assert await seen.used(rooms) == fake.PRICE


@pytest.mark.case("C44")
async def test_stop_and_start_around_a_torn_send_bring_no_second_reply() -> None:
    world = fake.World(idempotent=True)
    rooms = await torn(world)
    for text in ("STOP", "START", "encore moi"):
        await rooms.intake.accept([fake.message(1, text=text, at=rooms.clock.now())])
        await rooms.janitor.step("tidy")
        await rooms.dispatcher.repair()
        await fake.lapse(rooms, 2)
    assert len({r.reply_id for r in world.sent}) == 1
    assert await seen.states(rooms) in ({"unknown": 1}, {"sent": 1})
    assert await seen.used(rooms) == fake.PRICE


async def test_a_torn_send_that_may_not_be_repeated_is_unknown() -> None:
    world = fake.World(idempotent=False)
    rooms = await torn(world)
    assert await rooms.dispatcher.repair() == 0
    await rooms.janitor.step("tidy")
    assert await seen.states(rooms) == {"unknown": 1}


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
    assert await seen.states(rooms) == {"sending": 1}
    assert await seen.used(rooms) == fake.PRICE
    world.outcome = lambda _: None
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused", None))
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(3700)
    assert await rooms.dispatcher.repair() == 1
    assert await seen.states(rooms) == {"sent": 1}


async def test_a_torn_repeat_that_is_refused_may_be_out_all_the_same() -> None:
    world = fake.World(idempotent=True)
    rooms = await torn(world)
    refused = outcomes.Rejected(reason="suspended")
    (repeat,) = await rooms.dispatcher._torn()
    now_ms = clock.to_ms(rooms.clock.now())
    # Written at once: the loop would try what conflicts again.
    await rooms.store.write(
        lambda tx: record.record(tx, results=[(repeat, refused)], core=rooms.core, now_ms=now_ms)
    )
    assert await seen.states(rooms) == {"unknown": 1}
    assert await seen.used(rooms) == fake.PRICE
    world.outcome = lambda _: None
    await rooms.intake.accept([fake.message(1, text="re", at=rooms.clock.now())])
    await fake.lapse(rooms, 3)
    assert len(world.sent) == 1


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
    await fake.lapse(rooms, 2)
    assert await seen.states(rooms) == {"sent": 5, "unknown": 1}


async def test_a_result_that_cannot_be_written_at_all_is_left_to_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(1)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)
    writes: list[int] = []

    async def never(work: database.Work[object], *, together: bool = False) -> object:
        del work, together
        writes.append(1)
        assert len(writes) < 10
        raise database.ConflictError("as it was five times before")

    claimed = await rooms.dispatcher._claim()
    with monkeypatch.context() as broken:
        broken.setattr(rooms.store, "write", never)
        await asyncio.wait_for(rooms.dispatcher._send(claimed.sends), 10)
    assert await seen.states(rooms) == {"sending": 1}
    await moment.advance(600)
    await rooms.janitor.step("tidy")
    assert await seen.states(rooms) == {"unknown": 1}
    assert await seen.used(rooms) == fake.PRICE
    await fake.lapse(rooms, 3)
    assert len(world.sent) == 1


async def test_results_that_contradict_the_database_do_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.dispatcher.loop.RETRY_S", 0)
    world = fake.World()
    rooms = await fake.rooms(world)
    await rooms.intake.accept([fake.message(n) for n in range(2)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(6300)
    one, other = (await rooms.dispatcher._claim()).sends
    taken = outcomes.Accepted(provider_id="p", parts=1)
    # No reply can be sent twice: together they conflict each time.
    both: list[record.Result] = [(one, taken), (one, taken), (other, taken)]
    await asyncio.wait_for(rooms.dispatcher._record(both), 10)
    assert await seen.states(rooms) == {"sent": 2}
