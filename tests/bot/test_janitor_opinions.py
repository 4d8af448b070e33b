"""Second opinions: asked once, never over their budget, and only where they save money."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest
import sqlalchemy as sa

from bot import build, ledger, outbox
from bot.console import clusters, funds, story
from bot.contract import address, clock, money
from bot.policy import settings
from bot.policy.flood import opinions
from bot.policy.lifecycle import State
from bot.store import tables
from tests.bot.flood.test_look import Crowd
from tests.fakes import world as fake

CENT = 10_000
PRICE = CENT  # of an opinion; a reply costs eight
SLOGAN = "ruine {n}"


class Telling(fake.World):
    """Knows which numbers are somebody's, and keeps its own ledger of what it billed."""

    def __init__(self, channel: str = "sms", price: money.Money | None = None) -> None:
        """`real` says of a number True, False, or None for "not known"."""
        super().__init__(channel)
        self.told = price or money.Money(PRICE, "EUR")
        self.asked: list[str] = []
        self.billed = 0
        self.batches: list[int] = []
        self.real: Callable[[str], bool | None] = lambda _: False
        self.fault: BaseException | None = None
        self.while_asked: Callable[[], object] = lambda: None

    def opinion_price(self) -> money.Money:
        """The same for all."""
        return self.told

    async def opinions(
        self, addresses: Sequence[address.Address]
    ) -> Mapping[address.Address, bool]:
        """Billed for every answer, and for all of a question that broke."""
        await asyncio.sleep(0)
        self.asked += [one.value for one in addresses]
        self.batches.append(len(addresses))
        if self.fault is not None:
            self.billed += len(addresses) * self.told.micros
            raise self.fault
        self.while_asked()
        said = {one: self.real(one.value) for one in addresses}
        known = {one: good for one, good in said.items() if good is not None}
        self.billed += len(known) * self.told.micros
        return known


def core(a_day: int, cap: int | None = None) -> settings.Core:
    return settings.Core(
        who=settings.Who(answer_fiction=True),
        budget=settings.Budget(
            cap_day_micros=cap, cap_month_micros=None, opinions_day_micros=a_day
        ),
    )


async def raided(world: fake.World, told: settings.Core, *more: fake.World) -> Crowd:
    """A house with some 90 held members of a topic."""
    crowd = Crowd(await fake.rooms(world, *more, core=told))
    await crowd.hours(8, people=24)
    await crowd.hours(2, people=0, others=80, text=SLOGAN)
    return crowd


async def ask(rooms: build.Rooms, times: int = 1) -> dict[str, int]:
    """That many rounds of the chore; what they did in all."""
    total: dict[str, int] = {}
    for _ in range(times):
        for name, n in (await rooms.janitor.step("opinions")).items():
            total[name] = total.get(name, 0) + n
    return total


async def booked(rooms: build.Rooms) -> int:
    """What the ledger says that opinions cost; its postings and its caps must agree."""
    p, c = tables.postings, tables.caps

    def work(tx: sa.Connection) -> tuple[int, int]:
        of = sa.select(sa.func.sum(p.c.amount_micros)).where(p.c.account == ledger.OPINIONS)
        used = sa.select(sa.func.sum(c.c.used)).where(c.c.scope.startswith("opinions:"))
        return tx.execute(of).scalar_one() or 0, tx.execute(used).scalar_one() or 0

    posted, used = await rooms.store.read(work)
    assert posted == used
    return posted


async def in_state(rooms: build.Rooms, state: State) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in await rooms.store.read(lambda tx: outbox.in_state(tx, state, 9_999)):
        found[row["reason"]] = found.get(row["reason"], 0) + 1
    return found


@pytest.mark.case("C17")
async def test_numbers_that_nobody_has_are_dropped_and_asked_about_once() -> None:
    world = Telling()
    rooms = (await raided(world, core(100 * CENT))).rooms
    held = (await in_state(rooms, State.HELD))["new_topic"]
    assert held > 60
    assert await ask(rooms) == {
        "opinions_asked": 20,
        "opinions_real": 0,
        "opinions_nobody": 20,
    }
    assert (await ask(rooms, 20))["opinions_asked"] == min(held, 100) - 20
    assert len(world.asked) == len(set(world.asked)) == min(held, 100)
    assert max(world.batches) == 20
    assert await booked(rooms) == world.billed == len(world.asked) * PRICE
    assert (await in_state(rooms, State.CANCELLED)) == {"nobody": len(world.asked)}
    rows = await rooms.store.read(lambda tx: outbox.in_state(tx, State.CANCELLED, 9_999))
    assert all(row["address_enc"] is None for row in rows)


async def test_a_moderator_is_told_what_the_look_ups_said() -> None:
    world = Telling()
    world.real = lambda number: int(number[-1]) < 3
    rooms = (await raided(world, core(20 * CENT))).rooms
    told = await ask(rooms)
    clustered = await rooms.store.read(lambda tx: clusters.listed(tx, rooms.keys, rooms.core))
    (why,) = [one.why for one in clustered if one.reason == "new_topic"]
    assert f"Of 20 numbers looked up, {told['opinions_nobody']} are nobody's" in why.en
    assert "20 numéros vérifiés" in why.fr
    rows = await rooms.store.read(lambda tx: outbox.in_state(tx, State.HELD, 9_999))
    real = next(row["person_id"] for row in rows if row["opinion"] == opinions.REAL)
    at_ms, budget = clock.to_ms(rooms.clock.now()), rooms.core.budget
    one = await rooms.store.read(lambda tx: story.of_person(tx, rooms.keys, real, budget, at_ms))
    flood = one.replies[0].flood
    assert flood is not None
    assert flood.en.endswith("A look-up says that somebody has this number.")
    booked_days = await rooms.store.read(lambda tx: funds.view(tx, budget, 1))
    assert booked_days.opinions == booked_days.days[0].opinions == money.Money(world.billed, "EUR")
    spent = await rooms.store.read(lambda tx: funds.runway(tx, budget, at_ms))
    assert spent.spent_24h.micros == world.billed + len(world.sent) * fake.PRICE


async def test_real_ones_stay_for_a_moderator_and_the_questions_soon_stop() -> None:
    world = Telling()
    world.real = lambda _: True
    rooms = (await raided(world, core(10_000 * CENT))).rooms
    held = await in_state(rooms, State.HELD)
    told = await ask(rooms, 10)
    # After twenty real ones the probable waste, 1 / 22 of eight cents, is less than the price.
    assert (told["opinions_asked"], told["opinions_real"]) == (20, 20)
    assert await in_state(rooms, State.HELD) == held
    assert await booked(rooms) == world.billed == 20 * PRICE


@pytest.mark.case("C06")
@pytest.mark.parametrize("cents", [1, 7, 25])
async def test_the_budget_of_the_day_is_never_passed(cents: int) -> None:
    world = Telling()
    rooms = (await raided(world, core(cents * CENT))).rooms
    await ask(rooms, 10)
    assert await booked(rooms) == world.billed == cents * CENT
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(5 * 3600)  # the next day of the budget begins meanwhile
    await ask(rooms, 10)
    assert world.billed == 2 * cents * CENT
    assert len(world.asked) == len(set(world.asked))


async def test_without_a_budget_or_a_rate_nobody_is_asked() -> None:
    for world, cents in ((Telling(), 0), (Telling(price=money.Money(1, "USD")), 50)):
        rooms = (await raided(world, core(cents * CENT))).rooms
        assert not any((await ask(rooms, 3)).values())
        assert world.asked == []


async def test_what_is_not_known_costs_nothing_and_is_not_asked_again() -> None:
    world = Telling()
    world.real = lambda number: None if int(number[-1]) % 2 else False
    rooms = (await raided(world, core(1_000 * CENT))).rooms
    await ask(rooms, 20)
    assert len(world.asked) == len(set(world.asked)) > 60
    unknown = sum(int(number[-1]) % 2 for number in world.asked)
    assert await booked(rooms) == world.billed == (len(world.asked) - unknown) * PRICE
    assert (await in_state(rooms, State.HELD))["new_topic"] == unknown


@pytest.mark.parametrize("fault", [OSError("cut"), RuntimeError("no contract"), TimeoutError()])
async def test_a_question_that_broke_is_counted_as_paid(fault: Exception) -> None:
    world = Telling()
    world.fault = fault
    rooms = (await raided(world, core(30 * CENT))).rooms
    held = await in_state(rooms, State.HELD)
    await ask(rooms, 5)
    assert await booked(rooms) == world.billed == 30 * CENT
    assert len(world.asked) == len(set(world.asked)) == 30
    assert await in_state(rooms, State.HELD) == held


async def test_the_cheaper_one_is_asked_first_and_the_other_about_the_rest() -> None:
    dear, free = Telling("sms"), Telling("free", money.Money(0, "EUR"))
    free.real = lambda number: True if int(number[-1]) < 5 else None
    rooms = (await raided(dear, core(1_000 * CENT), free)).rooms
    told = await ask(rooms)
    assert told["opinions_real"] == sum(int(n[-1]) < 5 for n in free.asked) > 0
    assert dear.asked == [n for n in free.asked if int(n[-1]) >= 5]
    assert told["opinions_nobody"] == len(dear.asked) > 0
    assert await booked(rooms) == dear.billed > 0


async def test_a_moderator_who_was_faster_is_obeyed() -> None:
    world = Telling()
    rooms = (await raided(world, core(1_000 * CENT))).rooms
    waiting = await rooms.store.read(lambda tx: outbox.in_state(tx, State.HELD, 9_999))

    def release(tx: sa.Connection) -> None:
        rows = [{"id": row["id"], "approved": True} for row in waiting[:10]]
        outbox.move(tx, State.HELD, State.SCHEDULED, rows)

    pending: list[asyncio.Task[None]] = []
    world.while_asked = lambda: pending.append(asyncio.ensure_future(rooms.store.write(release)))
    question = world.opinions

    async def slow(addresses: Sequence[address.Address]) -> Mapping[address.Address, bool]:
        found = await question(addresses)
        await asyncio.gather(*pending)
        return found

    world.opinions = slow  # type: ignore[method-assign]
    told = await ask(rooms)
    assert told["opinions_nobody"] == 20
    assert await in_state(rooms, State.CANCELLED) == {"nobody": 10}
    assert sum((await in_state(rooms, State.SCHEDULED)).values()) >= 10


@pytest.mark.case("C17")
async def test_in_a_surge_a_real_one_takes_its_turn_before_those_in_doubt() -> None:
    """People's words from made-up numbers, under a cap: who is real is answered, the others not."""
    shares: dict[int, float] = {}
    for cents in (0, 10_000):
        world = Telling()
        crowd = Crowd(await fake.rooms(world, core=core(cents * CENT, 110 * fake.PRICE)))
        await crowd.hours(24, people=4)
        before = len(crowd.kind)
        await crowd.hours(2, people=0, others=60, text="salut c'est hugo")
        numbers = list(crowd.kind)[before:]
        real = set(numbers[::10])
        world.real = lambda number, real=real: number in real  # type: ignore[misc]
        for _ in range(16):
            await crowd.hours(0.5, people=4)
            await ask(crowd.rooms)
        told = {reply.recipient.value for reply in world.sent}
        shares[cents] = sum(number in told for number in real) / len(real)
        fooled = sum(number in told for number in set(numbers) - real)
        if cents:
            assert fooled < 0.25 * len(numbers)
            assert (await in_state(crowd.rooms, State.CANCELLED))["nobody"] > 30
            assert await booked(crowd.rooms) == world.billed
    assert shares[10_000] > shares[0]
