"""The own past played again: the same people, the same crowds, no number and no text."""

from __future__ import annotations

import asyncio
import dataclasses
import functools

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot import simulate
from bot.contract import address, clock, messages, money
from bot.inbox import signals
from bot.policy import numbers, settings
from bot.policy.flood import words
from bot.simulate import past, past_people
from bot.store import tables, vault
from tests.bot.flood.test_look import Crowd
from tests.fakes import world as fake

DAY_MS = 86_400_000
KEYS = vault.throwaway(3)
CORE = settings.Core(
    who=settings.Who(answer_fiction=True),
    budget=settings.Budget(cap_day_micros=None, cap_month_micros=None),
)


async def lived() -> tuple[Crowd, fake.World]:
    """Half a day of people, a raid with slogans, and all that came of it."""
    world = fake.World()
    crowd = Crowd(await fake.rooms(world, core=CORE))
    await crowd.hours(10, people=24)
    await crowd.hours(2, people=24, others=120, text="ruine {n} encore")
    await crowd.hours(30, people=0)
    await crowd.rooms.janitor.step("tidy")
    return crowd, world


async def remembered(crowd: Crowd, days: int = 7) -> past.Past:
    now_ms = clock.to_ms(crowd.rooms.clock.now())
    return await crowd.rooms.store.read(lambda tx: past.read(tx, now_ms, days))


def played(found: past.Past, core: settings.Core, *worlds: fake.World) -> simulate.Report:
    bridges = {one.channel: one for one in worlds or (fake.World(),)}
    report, _ = simulate.play_past(found, core, bridges, signals.hasher(vault.throwaway(7)))
    assert (report.faults, report.twice, report.early) == ([], 0, 0)
    return report


@pytest.mark.case("C17")
def test_the_past_comes_out_as_it_was_and_otherwise_under_other_settings() -> None:
    async def life() -> tuple[past.Past, int, int]:
        crowd, world = await lived()
        return await remembered(crowd), len(world.sent), len(crowd.kind)

    found, answered, wrote = asyncio.run(life())
    assert len(found.lines) == wrote
    assert 0.3 * wrote < answered < 0.7 * wrote
    again = played(found, CORE)
    # The delays are drawn anew, so the very first of the raid may differ.
    assert abs(again.replies - answered) <= 0.02 * wrote
    assert again.fates["expired:expired"] > 200
    assert again.bill_micros == again.replies * fake.PRICE
    open_door = dataclasses.replace(CORE, flood=settings.Flood(topics=False))
    assert played(found, open_door).replies == wrote
    capped = dataclasses.replace(
        CORE, budget=dataclasses.replace(CORE.budget, cap_day_micros=50 * fake.PRICE)
    )
    assert played(found, capped).reserved_day_max_micros <= 50 * fake.PRICE


async def test_what_was_decided_once_is_asked_again_of_the_real_rooms() -> None:
    """Robots, calls, wishes and dear numbers go through the same doors as before."""
    rooms = await fake.rooms(fake.World(), core=CORE)
    said = [
        fake.message(1),
        fake.message(2, text="Your code is 482913. Do not share it."),
        fake.message(3, kind=messages.Kind.CALL, text=""),
        fake.message(4),
        fake.message(4, text="STOP"),
        fake.message(5, sender=address.Address(address.SMS, "36180"), text="salut"),
        fake.message(6, sender=address.Address(address.SMS, ""), text="salut"),
        fake.message(7, sender=address.Address(address.SMS, "+12025550123"), text="hello"),
        fake.message(1, text="encore"),
    ]
    await rooms.intake.accept(said)

    def decided(tx: sa.Connection) -> list[tuple[str, str]]:
        i = tables.inbound
        return [tuple(r) for r in tx.execute(sa.select(i.c.decision, i.c.reason))]

    before = sorted(await rooms.store.read(decided))
    now_ms = clock.to_ms(rooms.clock.now())
    found = await rooms.store.read(lambda tx: past.read(tx, now_ms, 7))
    assert found.left_out == {}
    again = await fake.rooms(fake.World(), core=CORE)
    senders, spoken = past_people.Senders(), past_people.Words(signals.hasher(KEYS))
    for n, line in enumerate(found.lines):
        sender = senders.of(line)
        await again.intake.accept(
            [
                fake.message(
                    n,
                    sender=sender,
                    kind=line.kind,
                    wish=line.wish,
                    text="482913 is your verification code"
                    if line.machine
                    else spoken.text(line.words, sender.value),
                )
            ]
        )
    after = sorted(await again.store.read(decided))
    # Who cannot be given a number of his kind comes as a short code: silenced as before.
    assert [one for one, _ in after] == [one for one, _ in before]
    assert {why for _, why in before} - {why for _, why in after} <= {"withheld"}


async def test_who_was_known_before_these_days_is_left_out_and_said() -> None:
    world = fake.World()
    rooms = await fake.rooms(world, core=CORE)
    await rooms.intake.accept([fake.message(1), fake.message(2)])
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(3 * 86_400)
    later = functools.partial(fake.message, at=moment.now())
    await rooms.intake.accept([later(1, text="re"), later(3), later(4, channel="gone")])
    now_ms = clock.to_ms(moment.now())
    found = await rooms.store.read(lambda tx: past.read(tx, now_ms, 1))
    assert found.left_out == {"from people who were known before these days": 1}
    assert len(found.lines) == 2
    whole = await rooms.store.read(lambda tx: past.read(tx, now_ms, 7))
    assert (len(whole.lines), whole.left_out) == (5, {})


def test_what_receiving_cost_is_spread_over_the_parts() -> None:
    async def life() -> past.Past:
        rooms = await fake.rooms(fake.World(), core=CORE)
        cost = money.parse("0.01", "EUR")
        told = [fake.message(n, parts=1 + n % 2, cost=cost) for n in range(4)]
        await rooms.intake.accept(told)
        return await rooms.store.read(lambda tx: past.read(tx, clock.to_ms(rooms.clock.now()), 1))

    found = asyncio.run(life())
    assert found.inbound_micros == {"sms": 40_000 // 6}
    assert played(found, CORE).inbound_micros == 6 * (40_000 // 6)


def test_nothing_to_play_is_said() -> None:
    nothing = past.Past(lines=(), left_out={}, inbound_micros={})
    with pytest.raises(simulate.PastError, match="--days"):
        simulate.play_past(nothing, CORE, {}, signals.hasher(KEYS))


@given(st.text(max_size=120), st.sampled_from(["+33639980001", "+447700900123", ""]))
def test_made_up_words_give_the_keyed_ones_back(text: str, sender: str) -> None:
    hashed = signals.hasher(KEYS)
    keyed = tuple(map(hashed, words.of(text)))
    block = words.block(sender)
    if block is not None:
        keyed = (hashed(block), *keyed)
    spoken = past_people.Words(hashed)
    other = "+12025550100" if block is not None else "3000"
    said = spoken.text(words.pack(keyed), other)
    again = tuple(map(spoken, words.of(said)))
    found = words.block(other)
    assert (again if found is None else (spoken(found), *again)) == keyed


def _line(person: int, country: str | None, kind: str | None, block: bytes | None) -> past.Line:
    return past.Line(
        at_ms=0,
        person=person,
        channel="sms",
        network=address.SMS,
        kind=messages.Kind.TEXT,
        wish=None,
        machine=False,
        answerable=True,
        parts=1,
        country=country,
        number_type=kind,
        block=block,
        words=None,
    )


@pytest.mark.parametrize("country", sorted(numbers.EEA_UK_CH_OVERSEAS - {"BL", "MF", "AX", "SJ"}))
def test_a_made_up_number_is_of_the_same_country_and_kind(country: str) -> None:
    senders = past_people.Senders()
    made = [senders.of(_line(n, country, "mobile", b"%d" % (n // 3))) for n in range(9)]
    assert len(set(made)) == 9
    for one in made:
        facts = numbers.read(one.value)
        assert (facts.region, facts.number_type) == (country, "mobile")
    blocks = [words.block(one.value) for one in made]
    assert blocks[0] == blocks[2] != blocks[3] == blocks[5]
    assert senders.of(_line(4, country, "mobile", b"1")) == made[4]


def test_a_crowd_of_one_country_finds_numbers_enough() -> None:
    senders = past_people.Senders()
    made = {senders.of(_line(n, "FR", "mobile", b"%d" % n)).value for n in range(3_000)}
    assert len(made) == 3_000
    assert len({words.block(one) for one in made}) > 2_900
