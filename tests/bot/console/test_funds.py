from __future__ import annotations

import dataclasses
import io
import json

import sqlalchemy as sa
from rich import console

from bot import ledger
from bot.console import funds, pool, render, results, status
from bot.contract import address, bridge, money
from bot.policy import settings
from bot.store import events, tables
from bot.store import pool as kept
from tests.bot.console.house import ANNA, BERT, OURS, START_MS, House

EUR = "EUR"
DAY_MS = 86_400_000


def euros(text: str) -> money.Money:
    return money.parse(text, EUR)


async def spend(house: House, price: str, at_ms: int = START_MS) -> None:
    """One reply's price is set aside."""
    amount = ledger.Amount(micros=euros(price).micros, original=euros(price), rate_micros=10**6)
    request = ledger.Request(reply_id=1, channel="sms", country="FR", amount=amount, parts=1)
    await house.store.write(lambda tx: ledger.reserve(tx, [request], house.core.budget, at_ms))


async def bill(house: House, now_ms: int = START_MS) -> funds.Bill:
    return await house.store.read(
        lambda tx: funds.bill(tx, house.core.budget, now_ms, events.totals(tx))
    )


async def test_the_2017_way_pays_two_parts_a_message(house: House) -> None:
    for person in (ANNA, ANNA, BERT):
        await house.write_in(person, cost="0.01")
    found = await bill(house)
    assert found.naive_2017 == euros("0.48")
    assert found.inbound == euros("0.03")
    assert found.replies == euros("0")


async def test_the_2017_way_is_priced_by_what_a_part_really_cost(house: House) -> None:
    await house.write_in(ANNA)
    (row,) = await house.rows(tables.replies)
    replies, reserved = tables.replies, {"account": "replies", "kind": "reserve"}
    paid = {**reserved, "at_ms": 0, "amount_micros": 1, "day": "2026-11-22"}

    def work(tx: sa.Connection) -> None:
        tx.execute(
            replies.update().values(
                state="sent", parts=2, reserved_micros=90_000, price_micros=None
            )
        )
        tx.execute(sa.insert(tables.postings), {**paid, "reply_id": row["id"]})

    await house.store.write(work)
    assert (await bill(house)).naive_2017 == euros("0.09")
    # Only the last reservations count: the page asks twice a second.
    later = [{**paid, "reply_id": row["id"] + n} for n in range(1, funds._LATELY + 1)]
    await house.store.write(lambda tx: tx.execute(sa.insert(tables.postings), later))
    assert (await bill(house)).naive_2017 == euros("0.16")


async def test_used_today_and_this_month(house: House) -> None:
    await spend(house, "0.08", START_MS - DAY_MS)
    await spend(house, "0.05")
    found = await bill(house)
    assert (found.used_today, found.replies) == (euros("0.05"), euros("0.13"))
    assert found.cap_day == euros("20")


async def test_the_ledgers_days_add_up(house: House) -> None:
    await house.write_in(ANNA, cost="0.02")
    await spend(house, "0.08")
    await spend(house, "0.08", START_MS - DAY_MS)
    await house.act(funds.donate, euros("10"), house.core.budget)
    await house.act(funds.donate, euros("-1"), house.core.budget)
    found = await house.store.read(lambda tx: funds.view(tx, house.core.budget, 1))
    (today,) = found.days
    assert (today.replies, today.inbound, today.donations) == (
        euros("0.08"),
        euros("0.02"),
        euros("9"),
    )
    assert (found.replies, found.donated, found.balance) == (
        euros("0.16"),
        euros("9"),
        euros("8.84"),
    )


async def test_a_donation_says_what_is_left(house: House) -> None:
    done = await house.act(funds.donate, euros("25"), house.core.budget)
    assert "25.00 EUR" in done.said.en
    kinds = [event["kind"] for event in await house.rows(tables.events)]
    assert kinds == ["donation", "act"]


async def test_the_runway(house: House) -> None:
    await spend(house, "2")
    budget = house.core.budget
    asked = await house.store.read(lambda tx: funds.runway(tx, budget, START_MS))
    assert (asked.spent_24h, asked.left, asked.days) == (euros("2"), euros("198"), 99.0)
    given = dataclasses.replace(budget, donations_only=True)
    asked = await house.store.read(lambda tx: funds.runway(tx, given, START_MS))
    assert asked.left == euros("-2")
    later = await house.store.read(lambda tx: funds.runway(tx, budget, START_MS + 2 * DAY_MS))
    assert (later.spent_24h, later.days) == (euros("0"), None)


async def test_the_status_counts_and_tells_pauses(house: House) -> None:
    await house.write_in(ANNA, provider_id="same")
    await house.write_in(ANNA, provider_id="same")
    await house.write_in(BERT)
    await house.store.write(lambda tx: events.control(tx, START_MS, "stopped:sms", "forever"))
    await house.store.write(
        lambda tx: events.control(tx, START_MS, "paused:signal", str(START_MS - 1))
    )
    found = await house.store.read(lambda tx: status.status(tx, house.core, START_MS))
    assert (found.messages, found.people, found.duplicates) == (2, 2, 1)
    assert found.queue == {"scheduled": 0, "held": 2, "sending": 0, "unknown": 0}
    assert [(h.what, h.by_network) for h in found.halts] == [("sms", True)]
    assert not found.paused
    out = io.StringIO()
    zone = settings.Budget().timezone
    for line in render.status(found, render.Times(zone)):
        console.Console(file=out, width=120).print(line)
    assert "sms stopped by its network" in out.getvalue()
    assert "0.00 EUR of 20.00 EUR" in out.getvalue()
    assert "2 by 2 people, 1 duplicate" in " ".join(out.getvalue().split())


async def test_a_result_becomes_plain_json(house: House) -> None:
    await house.write_in(ANNA)
    found = await house.store.read(lambda tx: status.status(tx, house.core, START_MS))
    plain = json.loads(json.dumps(results.as_json(found)))
    assert plain["bill"]["cap_day"] == "20.00"
    assert plain["decisions"] == {"hold:release": 1}


async def test_the_pool_remembers_what_was_decided(house: House) -> None:
    own = [bridge.OwnAddress(address=address.Address(address.SMS, OURS))]
    await house.store.write(lambda tx: kept.enter(tx, "sms", own, START_MS))
    done = await house.act(pool.put, OURS, bridge.State.RETIRED, now_ms=START_MS + 5)
    assert done.ok
    (found,) = await house.store.read(pool.listed)
    assert (found.state, found.since_ms) == ("retired", START_MS + 5)
    again = await house.act(pool.put, OURS, bridge.State.RETIRED, now_ms=START_MS + 9)
    assert again.ok
    assert (await house.store.read(pool.listed))[0].since_ms == START_MS + 5
    assert not (await house.act(pool.put, ANNA, bridge.State.RETIRED)).ok


def test_markup_in_values_is_shown_as_it_is() -> None:
    out = io.StringIO()
    made = render.grid("", ("a",), [("[red]x[/red]",)])
    console.Console(file=out, width=60).print(made)
    assert "[red]x[/red]" in out.getvalue()


async def test_columns_of_the_pool_are_those_of_the_table(house: House) -> None:
    names = {field.name for field in dataclasses.fields(pool.Own)}
    assert names == {column.name for column in sa.inspect(tables.pool).columns}
