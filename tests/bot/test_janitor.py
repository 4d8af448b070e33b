import asyncio
import dataclasses
import datetime as dt
import gc
import pathlib
from collections.abc import AsyncIterator, Callable

import pytest
import sqlalchemy as sa

from bot import janitor, ledger, outbox
from bot.contract import address, clock, messages, money
from bot.janitor import sweep, unsure
from bot.policy import decision, settings
from bot.store import database, tables
from tests.bot.store import rows
from tests.bot.store.houses import house

NOW_MS = rows.NOW_MS
MINUTE_MS = 60_000
DAY_MS = rows.DAY_MS
CORE = rows.CORE


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


async def reserve(store: database.Store, *ids: int, budget: settings.Budget = CORE.budget) -> None:
    """Take the money that `rows.reply` says a claimed reply holds."""
    amount = ledger.Amount(
        micros=80_000, original=money.Money(80_000, "EUR"), rate_micros=money.MICROS
    )
    asked = [
        ledger.Request(reply_id=i, channel="sms", country="FR", amount=amount, parts=1) for i in ids
    ]
    answers = await store.write(lambda tx: ledger.reserve(tx, asked, budget, NOW_MS))
    assert answers == [None] * len(ids)


async def used(store: database.Store, scope: str = "day:2026-11-22") -> int:
    return await store.read(lambda tx: ledger.used(tx, scope))


# ------------------------------------------------------------------------------ stuck


@pytest.mark.case("C03", "C38")
async def test_a_lease_that_ended_is_unknown_and_keeps_its_money(store: database.Store) -> None:
    here = house(store)
    await rows.put_replies(store, rows.reply(1, "sending"), rows.reply(2, "sending"))
    await reserve(store, 1, 2)
    lease = sa.update(tables.replies).where(tables.replies.c.id == 2)
    longer = lease.values(lease_until_ms=NOW_MS + 600_000)
    await rows.run(store, longer)
    here.pass_ms(61_000)
    assert (await here.janitor.step("tidy"))["leases_unknown"] == 1
    row = await here.reply(1)
    assert (row["state"], row["lease_until_ms"]) == ("unknown", None)
    # The address is needed to ask the provider.
    assert row["address_enc"] is not None
    assert (await here.reply(2))["state"] == "sending"
    assert await used(store) == 160_000
    assert await rows.kinds(store) == ["unknown_sends"]


@pytest.mark.case("C03")
async def test_a_repeat_that_reaches_him_once_is_left_to_the_dispatcher(
    store: database.Store,
) -> None:
    here = house(store, idempotent=True)
    worn = rows.reply(2, "sending", attempts=decision.ATTEMPTS)
    await rows.put_replies(store, rows.reply(1, "sending"), worn)
    await reserve(store, 1, 2)
    here.pass_ms(61_000)
    assert (await here.janitor.step("tidy"))["leases_unknown"] == 1
    assert (await here.reply(1))["state"] == "sending"
    assert (await here.reply(2))["state"] == "unknown"
    # It may be out: its money stays where it is.
    assert await used(store) == 160_000


async def test_replies_of_no_use_expire_and_give_the_window_back(store: database.Store) -> None:
    here = house(store)
    limit_ms = NOW_MS - CORE.reply.expires_after_s * 1000
    await rows.put_replies(
        store,
        rows.reply(1, "held", first_ms=limit_ms),
        rows.reply(2, "scheduled", first_ms=limit_ms, due_ms=limit_ms + DAY_MS // 2),
        rows.reply(3, "held", first_ms=limit_ms + 1),
        rows.reply(4, "held", first_ms=limit_ms, automatic=False, window_ms=0),
        rows.reply(5, "unknown", first_ms=limit_ms),
        rows.reply(6, "sending", first_ms=limit_ms),
    )
    assert (await here.janitor.step("tidy"))["expired"] == 3
    states = [row["state"] for row in await rows.rows(store, tables.replies)]
    assert states == ["expired", "expired", "held", "expired", "unknown", "sending"]
    # What was written by hand never took a window, and keeps no address for a month either.
    assert (await here.reply(4))["address_enc"] is None
    assert (await rows.one(store, tables.persons, 4))["blocked_until_ms"] > 0
    for reply_id in (1, 2):
        assert (await here.reply(reply_id))["address_enc"] is None
        assert (await rows.one(store, tables.persons, reply_id))["blocked_until_ms"] == 0
    assert await rows.kinds(store) == ["expired"]


async def test_held_for_money_is_released_when_the_period_turned(store: database.Store) -> None:
    budget = settings.Budget(cap_day_micros=400_000, price_ceiling_micros=150_000)
    core = dataclasses.replace(CORE, budget=budget)
    here = house(store, core=core)
    await rows.put_replies(
        store,
        *(
            rows.reply(n, "held", reason="money", first_ms=NOW_MS - n * MINUTE_MS)
            for n in range(1, 5)
        ),
        rows.reply(9, "held", reason="review"),
    )
    await reserve(store, 5, 6, 7, 8, budget=budget)
    # 0.08 is left today: less than a price can be, so nobody is sent to and fro.
    assert (await here.janitor.step("tidy"))["released"] == 0
    here.pass_ms(11 * rows.HOUR_MS + 1)
    assert (await here.janitor.step("tidy"))["released"] == 2
    # The oldest first, and only as many as surely fit.
    states = {row["id"]: row["state"] for row in await rows.rows(store, tables.replies)}
    assert states == {1: "held", 2: "held", 3: "scheduled", 4: "scheduled", 9: "held"}
    assert (await here.reply(4))["due_ms"] == NOW_MS + 11 * rows.HOUR_MS + 1


async def test_held_for_a_quota_is_released_with_the_quota(store: database.Store) -> None:
    budget = settings.Budget(quotas={"sms": settings.Quota(parts_per_hour=1)})
    here = house(store, core=dataclasses.replace(CORE, budget=budget))
    replies = [rows.reply(n, "held", reason="quota") for n in (1, 2)]
    await rows.put_replies(store, *replies)
    await reserve(store, 5, budget=budget)
    assert (await here.janitor.step("tidy"))["released"] == 0
    here.pass_ms(rows.HOUR_MS)
    assert (await here.janitor.step("tidy"))["released"] == 1


async def test_a_cap_below_the_price_ceiling_still_releases(store: database.Store) -> None:
    budget = settings.Budget(cap_day_micros=100_000, price_ceiling_micros=150_000)
    here = house(store, core=dataclasses.replace(CORE, budget=budget))
    await rows.put_replies(store, rows.reply(1, "held", reason="money"))
    assert (await here.janitor.step("tidy"))["released"] == 1


@pytest.mark.case("C06")
async def test_a_cap_of_nothing_releases_nothing_paid(store: database.Store) -> None:
    for budget in (
        settings.Budget(cap_day_micros=0),
        settings.Budget(cap_month_micros=0),
        settings.Budget(country_cap_day_micros={"FR": 0}),
        settings.Budget(cap_day_micros=0, price_ceiling_micros=0),
    ):
        here = house(store, core=dataclasses.replace(CORE, budget=budget))
        for table in (tables.replies, tables.persons):
            await rows.run(store, sa.delete(table))
        await rows.put_replies(
            store,
            rows.reply(1, "held", reason="money", quoted_micros=None),
            rows.reply(2, "held", reason="money", quoted_micros=80_000),
        )
        for _ in range(3):
            assert (await here.janitor.step("tidy"))["released"] == 0
            here.pass_ms(MINUTE_MS)


async def test_what_was_quoted_is_released_as_soon_as_that_fits(store: database.Store) -> None:
    budget = settings.Budget(cap_day_micros=400_000, price_ceiling_micros=150_000)
    here = house(store, core=dataclasses.replace(CORE, budget=budget))
    await reserve(store, 5, 6, 7, 8, budget=budget)
    quoted = (80_000, 80_001, None)
    await rows.put_replies(
        store,
        *(
            rows.reply(n, "held", reason="money", quoted_micros=micros)
            for n, micros in enumerate(quoted, 1)
        ),
    )
    assert (await here.janitor.step("tidy"))["released"] == 1
    assert (await here.reply(1))["state"] == "scheduled"


async def test_tidy_is_what_simulate_calls(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "sending"))
    counts = await janitor.tidy(store, CORE, lambda _channel: False, NOW_MS + 61_000)
    assert counts == {
        "leases_unknown": 1,
        "expired": 0,
        "released": 0,
        "unknown_posted": 0,
    }


# ------------------------------------------------------------------------------ unsure


@pytest.mark.case("C04")
async def test_an_unknown_send_counts_as_paid_in_the_end(store: database.Store) -> None:
    here = house(store)
    await rows.put_replies(store, rows.reply(1, "unknown", started_ms=NOW_MS))
    await reserve(store, 1)
    here.pass_ms(CORE.budget.unknown_after_s * 1000 - 1)
    assert (await here.janitor.step("tidy"))["unknown_posted"] == 0
    here.pass_ms(1)
    assert (await here.janitor.step("tidy"))["unknown_posted"] == 1
    assert (await here.janitor.step("tidy"))["unknown_posted"] == 0
    row = await here.reply(1)
    # Never sent again, and the window is not given back.
    assert (row["state"], row["price_micros"], row["address_enc"]) == ("unknown", 80_000, None)
    assert (await rows.one(store, tables.persons, 1))["blocked_until_ms"] == rows.WINDOW_MS
    assert await used(store) == 80_000
    assert await rows.kinds(store) == ["unknown_posted"]


@pytest.mark.case("C03", "C04")
async def test_providers_are_asked_at_growing_intervals(store: database.Store) -> None:
    here = house(store)
    await rows.put_replies(store, rows.reply(1, "unknown", started_ms=NOW_MS))
    asked_at = []
    for _ in range(24 * 60):
        if (await here.janitor.step("ask"))["asked"]:
            asked_at.append((clock.to_ms(here.clock.at) - NOW_MS) // MINUTE_MS)
        here.pass_ms(MINUTE_MS)
    assert asked_at == [1, 3, 9, 27, 81, 243, 603, 963, 1323]
    sent = here.way.asked[0]
    assert sent.reply_id == outbox.key(rows.KEYS, 1)
    assert sent.recipient == address.Address("sms", "+33639981234")


@pytest.mark.case("C03")
async def test_an_answer_is_booked_as_a_receipt(store: database.Store) -> None:
    here = house(store)
    await rows.put_replies(
        store, *(rows.reply(n, "unknown", started_ms=NOW_MS - DAY_MS) for n in (1, 2, 3))
    )
    found = messages.DeliveryReceipt(
        channel="sms", at=rows.NOW, provider_id="P1", delivery=messages.Delivery.SENT
    )
    here.way.answers[outbox.key(rows.KEYS, 1)] = RuntimeError("the provider is down")
    here.way.answers[outbox.key(rows.KEYS, 2)] = found
    assert await here.janitor.step("ask") == {"asked": 3, "settled": 1}
    assert here.door.told == [found]


async def test_few_are_asked_about_in_one_run(store: database.Store) -> None:
    here = house(store)
    many = [
        rows.reply(n, "unknown", started_ms=NOW_MS - DAY_MS) for n in range(1, unsure.PER_RUN + 6)
    ]
    await rows.put_replies(store, *many)
    assert [(await here.janitor.step("ask"))["asked"] for _ in range(3)] == [unsure.PER_RUN, 5, 0]


# ------------------------------------------------------------------------------ sweeps


@pytest.mark.case("C09")
async def test_what_was_missed_is_handed_in_from_before_the_outage(tmp_path: pathlib.Path) -> None:
    async with rows.on_file(tmp_path) as store:
        here = house(store)
        here.way.listing = [rows.message("a"), rows.message("b")]
        assert (await here.janitor.step("sweep"))["swept"] == 2
        assert len(here.door.accepted) == 2
        here.pass_ms(5 * MINUTE_MS)
        await here.janitor.step("sweep")
    # Down for three days: the first sweep after the start reaches back before it.
    async with rows.on_file(tmp_path) as store:
        again = house(store)
        again.clock.at = here.clock.at + dt.timedelta(days=3)
        await again.janitor.step("sweep")
    overlap = dt.timedelta(milliseconds=sweep.OVERLAP_MS)
    assert here.way.swept == [rows.NOW - overlap, rows.NOW - dt.timedelta(hours=1)]
    assert again.way.swept == [here.clock.at - overlap]


@pytest.mark.case("C09")
async def test_a_sweep_that_failed_is_taken_up_from_where_it_began(store: database.Store) -> None:
    here = house(store)
    await here.janitor.step("sweep")
    here.way.listing = RuntimeError("down")
    for _ in range(3):
        here.pass_ms(rows.HOUR_MS)
        assert (await here.janitor.step("sweep"))["sweeps_failed"] == 1
    here.way.listing = []
    await here.janitor.step("sweep")
    assert here.way.swept[-1] == rows.NOW - dt.timedelta(milliseconds=sweep.OVERLAP_MS)


async def test_a_sweep_that_is_cut_off_before_it_begins_leaves_nothing_behind(
    store: database.Store,
) -> None:
    # A coroutine that nobody awaited is a warning, and warnings are errors here.
    here = house(store)
    step = asyncio.create_task(here.janitor.step("sweep"))
    # So far that the sweep is planned for the loop's next turn.
    await asyncio.sleep(0)
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    assert step.cancelled()
    # It holds what it was cut off from.
    del step
    gc.collect()
    assert here.way.swept == []


# ------------------------------------------------------------------------------ rounds


async def until(holds: Callable[[], bool]) -> None:
    """Let the others run until it holds."""
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came to hold")


@pytest.mark.case("C38")
async def test_every_chore_runs_and_says_when(store: database.Store) -> None:
    here = house(store)
    names = [chore.name for chore in here.janitor.chores]
    assert here.janitor.late() == []
    here.pass_ms(DAY_MS)
    assert here.janitor.late() == names
    stop = asyncio.Event()
    running = asyncio.create_task(here.janitor.run(stop))
    await until(lambda: set(here.janitor.ran) == set(names))
    stop.set()
    await running
    assert set(here.janitor.ran.values()) == {NOW_MS + DAY_MS}
    assert here.janitor.late() == []
    assert here.early


@pytest.mark.case("C07", "C38")
async def test_a_chore_that_fails_stops_no_other(store: database.Store) -> None:
    here = house(store)
    await store.close()
    stop = asyncio.Event()
    running = asyncio.create_task(here.janitor.run(stop))
    await until(lambda: here.janitor.failures.get("tidy", 0) > 1)
    assert not running.done()
    stop.set()
    await running
    assert "tidy" not in here.janitor.ran
    assert here.janitor.ran["early_receipts"] == NOW_MS


async def test_a_round_does_everything_once(store: database.Store) -> None:
    here = house(store)
    await here.janitor.round()
    assert list(here.janitor.ran) == [chore.name for chore in here.janitor.chores]
