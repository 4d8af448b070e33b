import asyncio
import dataclasses
import datetime as dt
import pathlib
import threading
import zoneinfo
from collections.abc import AsyncIterator, Mapping

import pytest
import sqlalchemy as sa

from bot import ledger
from bot.contract import clock, money
from bot.policy import periods, settings
from bot.store import database, tables
from tests.bot.store import rows

NOW_MS = rows.NOW_MS
BUDGET = settings.Budget(cap_day_micros=200_000, cap_month_micros=1_000_000)
USD = money.Rate(currency="USD", micros=950_000, dated="2026-11-01")


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


def ask(
    reply_id: int,
    micros: int = 80_000,
    *,
    channel: str = "sms",
    country: str | None = "FR",
    parts: int = 1,
) -> ledger.Request:
    told = money.Money(micros, "EUR")
    amount = ledger.Amount(micros=micros, original=told, rate_micros=money.MICROS)
    return ledger.Request(
        reply_id=reply_id, channel=channel, country=country, amount=amount, parts=parts
    )


def held(one: ledger.Request, now_ms: int = NOW_MS) -> ledger.Reservation:
    return ledger.Reservation(
        reply_id=one.reply_id,
        channel=one.channel,
        country=one.country,
        micros=one.amount.micros,
        parts=one.parts,
        period=ledger.period(BUDGET, now_ms),
    )


async def reserve(
    store: database.Store,
    *asked: ledger.Request,
    budget: settings.Budget = BUDGET,
    now_ms: int = NOW_MS,
) -> list[str | None]:
    return await store.write(lambda tx: ledger.reserve(tx, asked, budget, now_ms))


async def post(
    store: database.Store,
    one: ledger.Reservation,
    price: money.Money,
    budget: settings.Budget = BUDGET,
    now_ms: int = NOW_MS,
) -> list[int]:
    return await store.write(lambda tx: ledger.post(tx, [(one, price)], budget, now_ms))


async def receive(
    store: database.Store,
    costs: Mapping[tuple[str, str], int],
    budget: settings.Budget,
    now_ms: int,
) -> None:
    await store.write(lambda tx: ledger.take_inbound(tx, costs, budget, now_ms))


async def caps(store: database.Store) -> Mapping[str, int]:
    return {row["scope"]: row["used"] for row in await rows.rows(store, tables.caps)}


async def by_day(store: database.Store, account: str = ledger.REPLIES) -> Mapping[str, int]:
    sums: dict[str, int] = {}
    for row in await rows.rows(store, tables.postings):
        if row["account"] == account:
            sums[row["day"]] = sums.get(row["day"], 0) + row["amount_micros"]
    return sums


@pytest.mark.case("C06")
async def test_a_batch_is_refused_from_the_first_that_does_not_fit(store: database.Store) -> None:
    asked = [ask(1), ask(2), ask(3), ask(4, 40_000), ask(5, 1)]
    assert await reserve(store, *asked) == [None, None, "money", None, "money"]
    assert (await caps(store))["day:2026-11-22"] == 200_000
    assert await by_day(store) == {"2026-11-22": 200_000}


@pytest.mark.case("C06")
async def test_fits_answers_as_reserve_and_takes_nothing(store: database.Store) -> None:
    asked = [ask(1), ask(2), ask(3)]
    answers = await store.write(lambda tx: ledger.fits(tx, asked, BUDGET, NOW_MS))
    assert answers == [None, None, "money"]
    assert await caps(store) == {}


@pytest.mark.case("C06")
@pytest.mark.parametrize(
    ("budget", "asked", "answers"),
    [
        (settings.Budget(cap_month_micros=100_000), [ask(1), ask(2)], [None, "money"]),
        (settings.Budget(donations_only=True), [ask(1)], ["money"]),
        (
            settings.Budget(country_cap_day_micros={"FR": 100_000}),
            [ask(1), ask(2), ask(3, country="BE"), ask(4, country=None)],
            [None, "money", None, None],
        ),
        (
            settings.Budget(quotas={"sms": settings.Quota(cap_day_micros=100_000)}),
            [ask(1), ask(2), ask(3, channel="other")],
            [None, "money", None],
        ),
        (
            settings.Budget(quotas={"sms": settings.Quota(parts_per_hour=3)}),
            [ask(1, parts=2), ask(2, parts=2), ask(3)],
            [None, "quota", None],
        ),
        (
            settings.Budget(quotas={"sms": settings.Quota(parts_per_day=1)}),
            [ask(1, 0), ask(2, 0)],
            [None, "quota"],
        ),
        (
            settings.Budget(quotas={"sms": settings.Quota(recipients_per_month=1)}),
            [ask(1, parts=5), ask(2, 0)],
            [None, "quota"],
        ),
    ],
)
async def test_each_cap_binds(
    store: database.Store,
    budget: settings.Budget,
    asked: list[ledger.Request],
    answers: list[str | None],
) -> None:
    # In one batch, and then one by one, which must come to the same.
    assert await reserve(store, *asked, budget=budget) == answers
    async with rows.memory() as other:
        assert [(await reserve(other, a, budget=budget))[0] for a in asked] == answers
        assert await caps(other) == await caps(store)


@pytest.mark.case("C06")
async def test_a_void_gives_back_every_scope(store: database.Store) -> None:
    quota = settings.Quota(parts_per_hour=9, recipients_per_month=9, cap_day_micros=900_000)
    budget = dataclasses.replace(
        BUDGET, quotas={"sms": quota}, country_cap_day_micros={"FR": 900_000}
    )
    one = ask(1, parts=2)
    await reserve(store, one, budget=budget)
    assert len(await caps(store)) == 7
    # Hours later, on another day: it is the period of the send that gets it back.
    later = NOW_MS + 2 * rows.DAY_MS
    await store.write(lambda tx: ledger.void(tx, [held(one)], budget, later))
    assert set((await caps(store)).values()) == {0}
    assert await by_day(store) == {"2026-11-22": 0}


@pytest.mark.case("C06")
async def test_donations_are_spent_down_to_zero_and_can_be_reversed(
    store: database.Store,
) -> None:
    budget = dataclasses.replace(BUDGET, donations_only=True)
    assert await store.write(lambda tx: ledger.donate(tx, 100_000, budget, NOW_MS)) == 100_000
    assert await reserve(store, ask(1), ask(2), budget=budget) == [None, "money"]
    assert await store.write(lambda tx: ledger.donate(tx, -100_000, budget, NOW_MS)) == -80_000
    assert await reserve(store, ask(3, 1), budget=budget) == ["money"]


@pytest.mark.case("C31")
async def test_a_lower_price_frees_the_rest(store: database.Store) -> None:
    one = ask(1)
    await reserve(store, one)
    assert await post(store, held(one), money.parse("0.0079", "EUR")) == [7_900]
    assert (await caps(store))["day:2026-11-22"] == 7_900
    assert await by_day(store) == {"2026-11-22": 7_900}
    assert await rows.kinds(store) == []


@pytest.mark.case("C06", "C31")
async def test_a_late_price_above_the_cap_is_taken_off_the_next_period(
    store: database.Store,
) -> None:
    one, two = ask(1, 150_000), ask(2, 50_000)
    await reserve(store, one, two)
    assert await post(store, held(one), money.Money(250_000, "EUR")) == [250_000]
    expected = {"2026-11-22": 200_000, "2026-11-23": 100_000}
    assert await by_day(store) == expected
    assert {k[4:]: v for k, v in (await caps(store)).items() if k[:4] == "day:"} == expected
    assert await rows.kinds(store) == ["late_price"]
    tomorrow = NOW_MS + rows.DAY_MS
    assert await reserve(store, ask(3, 100_001), now_ms=tomorrow) == ["money"]
    assert await reserve(store, ask(4, 100_000), now_ms=tomorrow) == [None]


@pytest.mark.case("C06", "C31")
async def test_a_very_late_price_binds_a_day_that_is_still_to_come(
    store: database.Store,
) -> None:
    # Four days later the day after the send is over too and would bind nobody.
    one = ask(1, 200_000)
    await reserve(store, one)
    later = NOW_MS + 4 * rows.DAY_MS
    await post(store, held(one), money.Money(350_000, "EUR"), now_ms=later)
    assert await by_day(store) == {"2026-11-22": 200_000, "2026-11-26": 150_000}
    assert await reserve(store, ask(2, 50_001), now_ms=later) == ["money"]


@pytest.mark.case("C06", "C31")
async def test_the_month_bears_a_late_price_in_the_next(store: database.Store) -> None:
    budget = dataclasses.replace(BUDGET, cap_day_micros=None, cap_month_micros=100_000)
    one = ask(1, 100_000)
    await reserve(store, one, budget=budget)
    await post(store, held(one), money.Money(130_000, "EUR"), budget)
    found = await caps(store)
    assert (found["month:2026-11"], found["month:2026-12"]) == (100_000, 30_000)


@pytest.mark.case("C31")
async def test_another_currency_is_turned_and_rounded_up(store: database.Store) -> None:
    budget = dataclasses.replace(BUDGET, rates={"USD": USD})
    one = ask(1)
    await reserve(store, one, budget=budget)
    assert await post(store, held(one), money.Money(7_901, "USD"), budget) == [7_506]
    last = (await rows.rows(store, tables.postings))[-1]
    assert (last["original_micros"], last["original_currency"], last["rate_micros"]) == (
        7_901,
        "USD",
        950_000,
    )
    assert await by_day(store) == {"2026-11-22": 7_506}


@pytest.mark.case("C31")
async def test_an_unknown_currency_posts_the_reservation_and_says_so(
    store: database.Store,
) -> None:
    one = ask(1)
    await reserve(store, one)
    assert ledger.convert(BUDGET, money.Money(1, "XXX")) is None
    assert await post(store, held(one), money.Money(1, "XXX")) == [80_000]
    assert await by_day(store) == {"2026-11-22": 80_000}
    assert await rows.kinds(store) == ["unknown_currency"]


@pytest.mark.case("C42")
async def test_inbound_never_touches_the_caps_of_replies(store: database.Store) -> None:
    budget = dataclasses.replace(BUDGET, inbound_alarm_day_micros=1_000_000)
    for _ in range(3):
        costs = {("sms", "EUR"): 600_000, ("signal", "EUR"): 0}
        await receive(store, costs, budget, NOW_MS)
    # Far past every cap, alarmed once, and people are answered as before.
    assert await caps(store) == {"inbound:2026-11-22": 1_800_000}
    assert await by_day(store, ledger.INBOUND) == {"2026-11-22": 1_800_000}
    assert await rows.kinds(store) == ["inbound_alarm"]
    assert await reserve(store, ask(1)) == [None]


@pytest.mark.case("C31", "C42")
async def test_an_inbound_cost_that_cannot_be_turned_is_kept_and_said_once_a_day(
    store: database.Store,
) -> None:
    for at_ms in (NOW_MS, NOW_MS, NOW_MS + rows.DAY_MS):
        costs = {("sms", "XXX"): 5}
        await receive(store, costs, BUDGET, at_ms)
    assert await rows.kinds(store) == ["unknown_currency"] * 2
    assert [r["original_micros"] for r in await rows.rows(store, tables.postings)] == [5] * 3


@pytest.mark.case("C06")
@pytest.mark.parametrize("asked", [1, 3])
async def test_two_processes_race_for_the_last_cent(tmp_path: pathlib.Path, asked: int) -> None:
    budget = settings.Budget(cap_day_micros=1_000_000, cap_month_micros=None)
    async with rows.on_file(tmp_path) as one:
        other = database.Store(tmp_path / "bot.db")
        await other.open()
        gate = threading.Barrier(2)

        async def worker(store: database.Store, first: int) -> int:
            await asyncio.to_thread(gate.wait)
            won = 0
            for n in range(first, first + 60, asked):
                batch = [ask(i, 30_000) for i in range(n, n + asked)]
                won += (await reserve(store, *batch, budget=budget)).count(None)
            return won

        won = await asyncio.gather(worker(one, 1_000), worker(other, 2_000))
        used = (await caps(one))["day:2026-11-22"]
        await other.close()
        assert sum(won) == 33
        assert used == 990_000
        assert await by_day(one) == {"2026-11-22": 990_000}


@pytest.mark.case("C06")
async def test_a_stale_hint_is_caught_by_the_conditional_update(store: database.Store) -> None:
    # What another worker took between our reading and our writing.
    def work(tx: sa.Connection) -> None:
        answers, taken, limits = ledger._judge(tx, [ask(1, 150_000)], BUDGET, NOW_MS)
        assert answers == [None]
        ledger._add(tx, {"day:2026-11-22": 100_000})
        ledger._take(tx, taken, limits)

    with pytest.raises(database.StoreAwayError, match="conflict"):
        await store.write(work)
    assert await caps(store) == {}


def ms(text: str) -> int:
    return clock.to_ms(dt.datetime.fromisoformat(text))


@pytest.mark.case("C32")
async def test_a_reservation_belongs_to_the_local_day_of_its_send(store: database.Store) -> None:
    full = ask(1, 200_000)
    before, after = ms("2026-11-22T22:59:59.999+00:00"), ms("2026-11-22T23:00:00+00:00")
    assert await reserve(store, full, now_ms=before) == [None]
    assert await reserve(store, ask(2, 1), now_ms=before) == ["money"]
    assert await reserve(store, ask(3, 200_000), now_ms=after) == [None]
    assert await by_day(store) == {"2026-11-22": 200_000, "2026-11-23": 200_000}


@pytest.mark.case("C32")
async def test_the_doubled_hour_of_autumn_is_two_hours(store: database.Store) -> None:
    budget = settings.Budget(quotas={"sms": settings.Quota(parts_per_hour=1, parts_per_day=2)})
    first, second = ms("2026-10-25T00:30:00+00:00"), ms("2026-10-25T01:30:00+00:00")
    paris = zoneinfo.ZoneInfo("Europe/Paris")
    assert periods.hour(first, paris) != periods.hour(second, paris)
    assert await reserve(store, ask(1, 0), ask(2, 0), budget=budget, now_ms=first) == [
        None,
        "quota",
    ]
    assert await reserve(store, ask(3, 0), budget=budget, now_ms=second) == [None]
    assert await reserve(store, ask(4, 0), budget=budget, now_ms=second + 7_200_000) == ["quota"]


@pytest.mark.case("C32")
@pytest.mark.parametrize(
    ("last", "day", "month"),
    [
        ("2026-12-31T22:30:00+00:00", "2027-01-01", "2027-01"),
        ("2028-02-28T22:30:00+00:00", "2028-02-29", "2028-03"),
        ("2027-02-28T22:30:00+00:00", "2027-03-01", "2027-03"),
    ],
)
async def test_a_late_price_crosses_the_months_end(
    store: database.Store, last: str, day: str, month: str
) -> None:
    at_ms = ms(last)
    one = ask(1, 200_000)
    await reserve(store, one, now_ms=at_ms)
    await post(store, held(one, at_ms), money.Money(230_000, "EUR"), now_ms=at_ms)
    assert (await by_day(store))[day] == 30_000
    budget = dataclasses.replace(BUDGET, cap_day_micros=None, cap_month_micros=200_000)
    async with rows.memory() as other:
        await reserve(other, one, budget=budget, now_ms=at_ms)
        await post(other, held(one, at_ms), money.Money(230_000, "EUR"), budget, at_ms)
        assert (await caps(other))[f"month:{month}"] == 30_000
