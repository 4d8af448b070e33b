"""Delivery receipts: they prove sends whose answer never came, and no others."""

import asyncio
import json
import types
from typing import Any

import pytest

from bot.contract import bridge, clock, messages, outcomes
from bot.contract.conformance import fakes
from bridges import signal
from bridges.signal import bridge as signal_bridge
from bridges.signal import doubts, polling, transport
from bridges.signal import sent as ledger
from tests.bridges.signal import envelopes, world
from tests.bridges.signal.test_sends import sent, turn

SECRET = world.SECRET
HOUR_MS = 3_600_000


async def heard(made: signal_bridge.Signal, door: fakes.FakeIntake, raw: object) -> None:
    """One event through the webhook."""
    routes = made.routes(door)
    assert await world.post(routes, json.dumps(raw).encode()) == 200


async def test_a_receipt_of_a_plain_send_is_told_by_its_timestamp() -> None:
    time = fakes.FakeClock()
    door = fakes.FakeIntake()
    async with world.bench(lent=world.context(time)) as (side, made):
        await sent(made, time, world.reply())
        stamp = side.ledger[0].timestamp
        await heard(made, door, envelopes.receipt(world.HIM, stamp))
        (receipt,) = door.taken_receipts
        assert receipt.provider_id == str(stamp)
        assert receipt.reply_id is None
        assert receipt.delivery is messages.Delivery.DELIVERED


async def test_a_receipt_by_another_person_is_dropped_also_after_a_restart() -> None:
    time, storage = fakes.FakeClock(), fakes.FakeStorage()
    door = fakes.FakeIntake()
    async with world.bench(lent=world.context(time, storage)) as (side, made):
        await sent(made, time, world.reply())
        stamp = side.ledger[0].timestamp
        guessed = range(stamp - 40, stamp + 40)
        again = signal.create(world.table(side.url), world.context(time, storage))
        for one in (made, again):
            await heard(one, door, envelopes.receipt(envelopes.aci(999), *guessed))
            assert door.taken_receipts == []
            # His own, among some that nobody knows.
            await heard(one, door, envelopes.receipt(world.HIM, *guessed))
            assert [r.provider_id for r in door.taken_receipts] == [str(stamp)]
            door.taken_receipts.clear()
        assert world.HIM not in json.dumps(storage.values)
        await again.close()


@pytest.mark.case("C03", "C04")
async def test_a_receipt_settles_a_send_that_hung_also_after_a_restart() -> None:
    time, storage = fakes.FakeClock(), fakes.FakeStorage()
    door = fakes.FakeIntake()
    async with world.bench(lent=world.context(time, storage)) as (side, made):
        side.faults.append("hang delivered")
        assert isinstance(await sent(made, time, world.reply()), outcomes.Unknown)
        again = signal.create(world.table(side.url), world.context(time, storage))
        stamp = clock.to_ms(time.now()) - 500
        await heard(again, door, envelopes.receipt(world.HIM, stamp))
        (receipt,) = door.taken_receipts
        assert receipt.reply_id == world.reply().reply_id
        assert receipt.provider_id == str(stamp)
        kept = json.dumps(storage.values)
        assert world.HIM not in kept
        await again.close()


@pytest.mark.case("C03")
async def test_a_send_torn_by_a_kill_is_found_again_by_its_receipt() -> None:
    time, storage = fakes.FakeClock(), fakes.FakeStorage()
    door = fakes.FakeIntake()
    async with world.bench(lent=world.context(time, storage)) as (side, made):
        side.faults.append("hang delivered")
        task = asyncio.create_task(made.send(world.reply()))
        await turn(time, lambda: bool(side.ledger))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        again = signal.create(world.table(side.url), world.context(time, storage))
        stamp = clock.to_ms(time.now())
        await heard(again, door, envelopes.receipt(world.HIM, stamp))
        assert [r.reply_id for r in door.taken_receipts] == [world.reply().reply_id]
        # The same receipt again says the same, should it not have been stored.
        await heard(again, door, envelopes.receipt(world.HIM, stamp))
        assert len({(r.reply_id, r.provider_id) for r in door.taken_receipts}) == 1
        await again.close()


@pytest.mark.case("C28")
async def test_a_429_that_was_delivered_all_the_same_is_not_sent_again() -> None:
    time = fakes.FakeClock()
    door = fakes.FakeIntake()
    async with world.bench(lent=world.context(time)) as (side, made):
        made.routes(door)
        side.faults.append("limited delivered")
        task = asyncio.create_task(made.send(world.reply()))
        await turn(time, lambda: bool(side.ledger), 0.001)
        stamp = clock.to_ms(time.now())
        await heard(made, door, envelopes.receipt(world.HIM, stamp))
        await turn(time, task.done)
        assert task.result() == outcomes.Accepted(provider_id=str(stamp), parts=1)


@pytest.mark.case("C28")
async def test_a_late_receipt_of_a_429_ends_its_repeats() -> None:
    time = fakes.FakeClock()
    door = fakes.FakeIntake()
    async with world.bench(lent=world.context(time), retry_s=600) as (side, made):
        made.routes(door)
        side.faults.append("limited delivered")
        stamp = clock.to_ms(time.now()) + 100
        assert isinstance(await sent(made, time, world.reply()), outcomes.NotNow)
        # A captcha was solved quickly: the receipt still gets its time.
        waits = await sent(made, time, world.reply())
        assert isinstance(waits, outcomes.NotNow)
        assert waits.challenge is None
        await heard(made, door, envelopes.receipt(world.HIM, stamp))
        again = await sent(made, time, world.reply())
        assert again == outcomes.Accepted(provider_id=str(stamp))
        assert len(side.ledger) == 1


async def test_a_refused_send_is_made_again_after_its_time() -> None:
    time = fakes.FakeClock()
    async with world.bench(lent=world.context(time), retry_s=600) as (side, made):
        side.faults.append("limited")
        assert isinstance(await sent(made, time, world.reply()), outcomes.NotNow)
        await time.advance(601)
        assert isinstance(await sent(made, time, world.reply()), outcomes.Accepted)
        assert len(side.ledger) == 1


class TestSent:
    """Whose the last messages are."""

    async def test_the_last_ones_survive_a_restart_and_their_number_is_bounded(self) -> None:
        storage = fakes.FakeStorage()
        kept = ledger.Sent(storage)
        most = ledger.PAGES * ledger.ROWS
        for stamp in range(most + 250):
            await kept.note(stamp, f"{stamp:064x}"[::-1])
        again = ledger.Sent(storage)
        for one in (kept, again):
            assert await one.whose(most + 249) == f"{most + 249:064x}"[::-1][: ledger.SHORT]
            assert await one.whose(350) is not None
            assert await one.whose(100) is None
        assert len(storage.values) == ledger.PAGES
        await again.note(most + 250, "f" * 64)
        third = ledger.Sent(storage)
        assert await third.whose(most + 249) is not None
        assert await third.whose(most + 250) == "f" * ledger.SHORT


class TestDoubts:
    """The matching alone."""

    @staticmethod
    async def one(started_ms: int = HOUR_MS, ended_ms: int = HOUR_MS + 30_000) -> doubts.Doubts:
        kept = doubts.Doubts(fakes.FakeStorage(), SECRET)
        await kept.begin("r1", world.HIM, started_ms)
        await kept.uncertain("r1", ended_ms, limited=False)
        return kept

    async def test_only_within_the_span_and_of_the_same_person(self) -> None:
        kept = await self.one()
        for who, stamp in (
            (envelopes.aci(2), HOUR_MS + 1),
            (world.HIM, HOUR_MS - 10_000),
            (world.HIM, HOUR_MS + 60_000),
        ):
            assert await kept.settle([who], [stamp]) == []
        (settled,) = await kept.settle([world.HIM, "+33639980001"], [5, HOUR_MS + 7])
        assert settled == doubts.Settled(reply_id="r1", timestamp_ms=HOUR_MS + 7)

    async def test_a_receipt_of_another_known_send_proves_nothing(self) -> None:
        kept = await self.one()
        await kept.certain("r0", HOUR_MS + 5)
        assert await kept.settle([world.HIM], [HOUR_MS + 5]) == []

    async def test_two_that_fit_settle_neither(self) -> None:
        kept = await self.one()
        await kept.begin("r2", world.HIM, HOUR_MS + 1_000)
        await kept.uncertain("r2", HOUR_MS + 20_000, limited=False)
        assert await kept.settle([world.HIM], [HOUR_MS + 7_000]) == []
        (settled,) = await kept.settle([world.HIM], [HOUR_MS + 29_000])
        assert settled.reply_id == "r1"

    async def test_what_is_kept_is_bounded_in_number_and_age(self) -> None:
        storage = fakes.FakeStorage()
        kept = doubts.Doubts(storage, SECRET)
        for number in range(doubts.KEPT + 20):
            await kept.begin(f"r{number}", world.HIM, number)
            await kept.uncertain(f"r{number}", number, limited=False)
        assert len(json.loads(storage.values[doubts.KEY])) == doubts.KEPT
        await kept.begin("late", world.HIM, doubts.KEPT_MS * 2)
        assert len(json.loads(storage.values[doubts.KEY])) == 1
        await kept.certain("late")
        assert doubts.KEY not in storage.values


async def test_nobody_is_told_that_he_was_read() -> None:
    asked: list[dict[str, str]] = []

    class Client:
        """Keeps the query and is away."""

        async def attempt(
            self, *_: object, query: tuple[tuple[str, str], ...], **__: object
        ) -> None:
            asked.append(dict(query))
            raise transport.AwayError("gone")

    client: Any = Client()
    hand: Any = None
    chosen: Any = types.SimpleNamespace(number="+33639980000", poll_batch=9)
    with pytest.raises(bridge.BridgeDownError, match="polling: gone"):
        await polling.receive(client, chosen, fakes.FakeClock(), hand)
    assert [one["send_read_receipts"] for one in asked] == ["false"]
    assert [one["ignore_attachments"] for one in asked] == ["true"]
