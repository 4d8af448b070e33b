"""Look-ups: few, kept, and only real answers."""

import contextlib
import itertools
import json

import pytest

from bot.contract import address, bridge, outcomes
from bot.contract import clock as clocks
from bot.contract.conformance import fakes
from bridges import signal
from bridges.signal import doubts, look_up
from tests.bridges.signal import neighbour, world
from tests.bridges.signal.test_sends import sent
from tests.fakes import world as fake

THERE = address.Address(address.SMS, "+33639980031")
NOT_THERE = address.Address(address.SMS, "+33639980032")
DAY_S = 86_400


def searches(side: neighbour.Neighbour) -> list[list[str]]:
    """The numbers of each look-up."""
    found = [one for one in side.asked if one.path.startswith("/v1/search/")]
    return [[value for _, value in one.query] for one in found]


@pytest.mark.case("C29")
async def test_a_real_answer_is_kept_a_yes_longer_than_a_no() -> None:
    clock, storage = fakes.FakeClock(), fakes.FakeStorage()
    async with world.bench(lent=world.context(clock, storage)) as (side, made):
        side.registered.add(THERE.value)
        found = await made.look_up([THERE, NOT_THERE, THERE])
        assert found == {THERE: address.Address(address.SIGNAL, THERE.value), NOT_THERE: None}
        assert await made.look_up([THERE, NOT_THERE]) == found
        assert len(searches(side)) == 1
        kept = json.dumps(storage.values)
        assert THERE.value not in kept
        again = signal.create(world.table(side.url), world.context(clock, storage))
        assert await again.look_up([THERE, NOT_THERE]) == found
        assert len(searches(side)) == 1
        await clock.advance(8 * DAY_S)
        await again.look_up([THERE, NOT_THERE])
        assert searches(side)[-1][:-1] == [NOT_THERE.value]
        await clock.advance(23 * DAY_S)
        await again.look_up([THERE])
        assert searches(side)[-1][0] == THERE.value
        await again.close()


@pytest.mark.case("C29")
@pytest.mark.parametrize("fault", ["500", "blind", "limited", "worded"])
async def test_what_was_no_answer_is_not_kept(fault: str) -> None:
    """A failed look-up looks like "not registered": our own number in the batch tells."""
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock)) as (side, made):
        side.search_fault = fault
        with contextlib.suppress(bridge.ChallengedError):
            assert await made.look_up([NOT_THERE]) == {}
        side.search_fault = None
        side.registered.add(NOT_THERE.value)
        await clock.advance(61 if fault in {"500", "blind"} else DAY_S + 1)
        assert (await made.look_up([NOT_THERE]))[NOT_THERE] is not None


@pytest.mark.case("C28", "C29")
async def test_the_first_challenge_ends_look_ups_until_it_is_solved() -> None:
    clock, storage = fakes.FakeClock(), fakes.FakeStorage()
    async with world.bench(lent=world.context(clock, storage)) as (side, made):
        side.search_fault = "limited"
        with pytest.raises(bridge.ChallengedError) as met:
            await made.look_up([THERE])
        # The core keeps the token for whoever solves it, and health says how.
        assert met.value.token == neighbour.TOKEN
        assert neighbour.TOKEN not in str(met.value)
        felt = await made.health()
        assert felt.condition is bridge.Condition.NEEDS_HUMAN
        assert "antirelou captcha signal" in felt.detail
        side.search_fault = None
        await clock.advance(3_600)
        assert await made.look_up([THERE]) == {}
        assert len(searches(side)) == 1
        # From the command line, which is another process with the same storage.
        other = signal.create(world.table(side.url), world.context(clock, storage))
        assert await other.solve(met.value.token, side.captcha)
        await other.close()
        assert (await made.health()).condition is not bridge.Condition.NEEDS_HUMAN
        assert await made.look_up([THERE]) == {THERE: None}


@pytest.mark.case("C29")
async def test_the_ration_holds_also_over_restarts() -> None:
    clock, storage = fakes.FakeClock(), fakes.FakeStorage()
    numbers = [address.Address(address.SMS, fake.phone(n)) for n in range(look_up.MOST_A_DAY + 50)]
    async with world.bench() as (side, _):
        for start in range(0, len(numbers), 10):
            for _ in range(2):
                # The second time in the same minute, by a bridge that was just made.
                whom = numbers[start : start + 20]
                await asked_anew(side, world.context(clock, storage), whom)
            await clock.advance(61)
        asked = [number for batch in searches(side) for number in batch[:-1]]
        assert {len(batch) - 1 for batch in searches(side)} == {10}
        assert len(asked) == len(set(asked)) == look_up.MOST_A_DAY
        await clock.advance(DAY_S)
        await asked_anew(side, world.context(clock, storage), numbers[-20:])
        assert len(searches(side)) == look_up.MOST_A_DAY / 10 + 1


async def asked_anew(
    side: neighbour.Neighbour, lent: bridge.Context, numbers: list[address.Address]
) -> None:
    """By a bridge that was just made, as after a restart."""
    made = signal.create(world.table(side.url, look_ups_per_minute=10), lent)
    await made.look_up(numbers)
    await made.close()


async def test_only_numbers_are_looked_up() -> None:
    async with world.bench() as (side, made):
        odd = [address.Address(address.SMS, "36180"), address.Address(address.MATRIX, "@a:b")]
        assert await made.look_up(odd) == {}
        assert searches(side) == []


async def test_a_number_is_reached_only_after_a_yes_and_not_after_a_no() -> None:
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock)) as (side, made):
        assert not made.reaches(THERE)
        assert made.quote(THERE, "x") is None
        side.registered.add(THERE.value)
        await made.look_up([THERE, NOT_THERE])
        assert made.reaches(THERE)
        assert not made.reaches(NOT_THERE)
        quote = made.quote(THERE, "x" * 500)
        assert quote is not None
        assert (quote.price.micros, quote.parts) == (0, 1)
        assert isinstance(await sent(made, clock, world.reply(to=THERE)), outcomes.Accepted)
        assert side.ledger[0].recipient == THERE.value


@pytest.mark.case("C29")
async def test_a_yes_that_has_flipped_goes_back_to_the_way_he_wrote() -> None:
    clock = fakes.FakeClock()
    async with world.bench(lent=world.context(clock)) as (side, made):
        side.registered.add(THERE.value)
        await made.look_up([THERE])
        side.faults.append("unregistered")
        outcome = await sent(made, clock, world.reply(to=THERE))
        assert isinstance(outcome, outcomes.NotNow)
        assert outcome.challenge is None
        assert not made.reaches(THERE)


@pytest.mark.case("C33")
async def test_what_is_too_old_goes_from_the_store_though_nobody_asks() -> None:
    clock, storage = fakes.FakeClock(), fakes.FakeStorage()
    async with world.bench(lent=world.context(clock, storage)) as (side, made):
        side.registered.add(THERE.value)
        await made.look_up([THERE, NOT_THERE])
        await made.send(world.reply(1))
        await clock.advance(8 * DAY_S)
        await made._forget()
        kept = json.loads(storage.values[look_up.KEY])
        assert [told for _, told in kept["kept"].values()] == [True]
        assert kept["spent"] == []
        assert any(name.startswith("sent-") for name in storage.values)
        await clock.advance(23 * DAY_S)
        await made._forget()
        assert look_up.KEY not in storage.values
        assert not [name for name in storage.values if name.startswith("sent-")]
        # A day's message is kept, and on the same page.
        side.clock = itertools.count(clocks.to_ms(clock.now()))
        await made.send(world.reply(2))
        await clock.advance(2 * DAY_S)
        await made._forget()
        assert [name for name in storage.values if name.startswith("sent-")] == ["sent-0"]


@pytest.mark.case("C33")
async def test_a_doubt_goes_after_two_days_though_nothing_is_sent() -> None:
    clock, storage = fakes.FakeClock(), fakes.FakeStorage()
    async with world.bench(lent=world.context(clock, storage)) as (side, made):
        await made._doubts.begin("r1", THERE.value, made._now_ms())
        await clock.advance(2 * DAY_S)
        await made._forget()
        assert doubts.KEY in storage.values
        await clock.advance(DAY_S)
        await made._forget()
        assert doubts.KEY not in storage.values
        assert not side.ledger
