"""What a hostile reader found in the routes: each a promise that `cheapest` must not break."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa

from bot import build, outbox
from bot.contract import address, bridge, clock, outcomes
from bot.policy import settings
from bot.policy.flood import snapshot
from bot.store import events, pool, tables
from tests.bot.dispatcher import seen
from tests.bot.dispatcher import test_routes as on_routes
from tests.fakes import world as fake

HOUR_MS = 3_600_000


async def test_a_pause_of_the_number_written_to_is_waited_for() -> None:
    twilio = on_routes.Account("sms", fake.OURS, lambda _: 80_000)
    signal = on_routes.Handle("signal", "+33639980000", lambda _: 0, network="signal")
    signal.knows = lambda who: who.network == "signal"
    rooms = await on_routes.open_house(twilio, signal, core=on_routes.core())
    await rooms.intake.accept([fake.message(n) for n in range(1, 6)])
    until_ms = clock.to_ms(rooms.clock.now()) + 3 * HOUR_MS
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused:sms", str(until_ms)))
    await fake.lapse(rooms, 2.5)
    assert await seen.states(rooms) == {"scheduled": 5}
    await fake.lapse(rooms, 3)
    assert len(twilio.sent) == 5


async def test_nothing_goes_by_a_channel_that_waits_for_a_moderator() -> None:
    sim = on_routes.Account("sim", on_routes.SIM, lambda _: 80_000)
    platform = on_routes.Account("sms", fake.OURS, lambda _: 0)
    told = on_routes.core()
    reply = dataclasses.replace(told.reply, release_channels=frozenset({"sms"}))
    rooms = await on_routes.open_house(platform, sim, core=dataclasses.replace(told, reply=reply))
    await rooms.intake.accept([on_routes.on_sim(n) for n in range(5)])
    await fake.lapse(rooms, 3)
    assert (len(platform.sent), len(sim.sent)) == (0, 5)


async def test_what_waits_for_money_goes_when_a_free_quota_has_room() -> None:
    twilio, sim = on_routes.accounts()
    told = on_routes.core(parts_per_hour=2)
    budget = dataclasses.replace(told.budget, cap_day_micros=0, cap_month_micros=0)
    flood = settings.Flood(pacing=False, topics=False, blocks=False)
    rooms = await on_routes.open_house(
        twilio, sim, core=dataclasses.replace(told, budget=budget, flood=flood)
    )
    await rooms.intake.accept([fake.message(n) for n in range(10)])
    for _ in range(10):
        await fake.lapse(rooms, 1)
        await rooms.janitor.step("tidy")
    assert (len(twilio.sent), len(sim.sent)) == (0, 10)


async def test_a_number_that_the_channel_has_no_more_sends_nothing() -> None:
    twilio, sim = on_routes.accounts()
    rooms = await on_routes.open_house(twilio, sim, core=on_routes.core())
    gone = bridge.OwnAddress(address=address.Address(address.SMS, "+33639987777"))
    await rooms.store.write(lambda tx: pool.enter(tx, "sim", (gone,), 0))
    await rooms.intake.accept([fake.message(n) for n in range(10)])
    await fake.lapse(rooms, 3)
    assert {one.sender.value for one in sim.sent} == {on_routes.SIM}


async def test_a_moderators_own_words_come_from_the_number_written_to() -> None:
    twilio, sim = on_routes.accounts()
    rooms = await on_routes.open_house(twilio, sim, core=on_routes.core())
    await rooms.intake.accept([fake.message(1)])

    def by_hand(tx: sa.Connection) -> None:
        (reply_id,) = tx.execute(sa.select(tables.replies.c.id)).one()
        sealed = rooms.keys.seal("Call 17.", outbox.place(reply_id))
        tx.execute(sa.update(tables.replies).values(automatic=False, text_enc=sealed))

    await rooms.store.write(by_hand)
    await fake.lapse(rooms, 3)
    (reply,) = twilio.sent
    assert (reply.sender.value, reply.text) == (fake.OURS, "Call 17.")
    assert sim.sent == []


async def _spared(*, cap_micros: int | None) -> tuple[build.Rooms, on_routes.Account]:
    """Rooms in which a free SIM is kept for dearer people than those who write."""
    twilio = on_routes.Account("sms", fake.OURS, lambda _: 50_000)
    sim = on_routes.Account("sim", on_routes.SIM, lambda _: 0)
    told = on_routes.core(recipients_per_month=40)
    budget = dataclasses.replace(told.budget, cap_day_micros=cap_micros, cap_month_micros=None)
    flood = settings.Flood(topics=False, blocks=False, pacing=cap_micros is not None)
    rooms = await on_routes.open_house(
        twilio, sim, core=dataclasses.replace(told, budget=budget, flood=flood)
    )
    wanted = {"hour_ms": on_routes._hour(rooms), "name": "saves:sim:140000", "n": 3_000}
    await rooms.store.write(lambda tx: tx.execute(sa.insert(tables.counters), [wanted]))
    await rooms.intake.accept([fake.message(n) for n in range(10)])
    return rooms, sim


async def test_a_spared_free_way_is_taken_where_pacing_keeps_the_paid_one() -> None:
    rooms, sim = await _spared(cap_micros=60_000)
    await fake.lapse(rooms, 3)
    counts = await seen.states(rooms)
    assert counts == {"sent": 10}
    assert len(sim.sent) >= 9


@pytest.mark.case("C17")
async def test_the_mode_that_spends_nothing_takes_the_free_way() -> None:
    rooms, sim = await _spared(cap_micros=None)
    seen = dataclasses.replace(snapshot.CALM, mode=snapshot.Mode.FREE_ONLY)
    plan = dataclasses.replace(rooms.dispatcher._plan, flood=lambda: seen)
    rooms.dispatcher._plan = plan
    await fake.lapse(rooms, 3)
    assert len(sim.sent) == 10


@pytest.mark.case("C28")
async def test_what_may_be_out_on_another_network_is_not_paid_for_too() -> None:
    """A 429 was delivered all the same: the try on Signal is no certain no."""
    twilio = on_routes.Account("sms", fake.OURS, lambda _: 80_000)
    signal = on_routes.Handle("sim", on_routes.SIM, lambda _: 0, network="signal")
    later = fake.START + dt.timedelta(hours=3)
    signal.outcome = lambda _: outcomes.NotNow(reason="429", retry_at=later)
    rooms = await on_routes.open_house(twilio, signal, core=on_routes.core())
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 2)
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused:sim", "forever"))
    await fake.lapse(rooms, 6)
    assert twilio.sent == []
    assert await seen.states(rooms) == {"scheduled": 1}
    signal.outcome = lambda _: None
    await rooms.store.write(lambda tx: events.control(tx, 0, "paused:sim", None))
    await fake.lapse(rooms, 1)
    assert (len(signal.sent), len(twilio.sent)) == (1, 0)
