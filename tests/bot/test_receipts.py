import datetime as dt
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot import outbox, receipts
from bot.contract import intake, messages, money
from bot.policy import settings
from bot.policy.lifecycle import State
from bot.receipts import taking
from bot.store import database, ids, tables
from tests.bot.store import rows

NOW_MS = rows.NOW_MS
SENT, DELIVERED, FAILED = (
    messages.Delivery.SENT,
    messages.Delivery.DELIVERED,
    messages.Delivery.FAILED,
)
CORE = rows.CORE
EUR_7 = money.Money(70_000, "EUR")


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


def news(
    delivery: messages.Delivery | None = None,
    *,
    provider_id: str | None = "P1",
    **changes: Any,  # noqa: ANN401 (any field of a receipt)
) -> messages.DeliveryReceipt:
    values: dict[str, Any] = {
        "channel": "sms",
        "at": rows.NOW,
        "provider_id": provider_id,
        "delivery": delivery,
    }
    return messages.DeliveryReceipt(**(values | changes))


async def take(
    store: database.Store, *batch: messages.DeliveryReceipt, now_ms: int = NOW_MS
) -> None:
    again = receipts.Again(keys=rows.KEYS, rules=CORE.reply, new_id=lambda: 1_000_001)
    await receipts.take(store, CORE, again, batch, now_ms)


async def settle(store: database.Store, now_ms: int = NOW_MS) -> int:
    return await store.write(lambda tx: receipts.settle_early(tx, CORE, now_ms))


async def reply(store: database.Store, reply_id: int = 1) -> dict[str, Any]:
    return await rows.one(store, tables.replies, reply_id)


async def money_of(store: database.Store) -> tuple[int, int]:
    """Sum of all postings and what the day's cap row says."""
    postings = sum(r["amount_micros"] for r in await rows.rows(store, tables.postings))
    caps = {r["scope"]: r["used"] for r in await rows.rows(store, tables.caps)}
    return postings, caps.get("day:2026-11-22", 0)


async def test_delivered_wipes_the_address(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1", sent_ms=NOW_MS - 9))
    await take(store, news(DELIVERED))
    row = await reply(store)
    assert (row["state"], row["address_enc"], row["sent_ms"]) == ("delivered", None, NOW_MS - 9)


@pytest.mark.case("C03", "C04")
@pytest.mark.parametrize(
    ("delivery", "state"), [(SENT, "sent"), (DELIVERED, "delivered"), (FAILED, "failed")]
)
async def test_an_unknown_send_is_settled_by_our_own_id(
    store: database.Store, delivery: messages.Delivery, state: str
) -> None:
    await rows.put_replies(store, rows.reply(1, "unknown"))
    ours = outbox.key(rows.KEYS, 1)
    await take(store, news(delivery, reply_id=ours))
    row = await reply(store)
    assert (row["state"], row["provider_id"], row["address_enc"]) == (state, "P1", None)
    assert await rows.kinds(store) == ["settled"]
    window = (await rows.one(store, tables.persons, 1))["blocked_until_ms"]
    assert window == rows.WINDOW_MS


@pytest.mark.case("C03")
async def test_a_receipt_before_the_record_of_its_send_waits(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "sending"), rows.reply(2, "sending"))
    by_ours = news(DELIVERED, provider_id=None, reply_id=outbox.key(rows.KEYS, 1), price=EUR_7)
    await take(store, by_ours, news(DELIVERED, provider_id="P2"))
    assert [(await reply(store, i))["state"] for i in (1, 2)] == ["sending", "sending"]
    assert await settle(store) == 0
    recorded = [{"id": 1, "provider_id": "P1"}, {"id": 2, "provider_id": "P2"}]
    sending, sent = State.SENDING, State.SENT
    await store.write(lambda tx: outbox.move(tx, sending, sent, recorded))
    assert await settle(store) == 2
    assert [(await reply(store, i))["state"] for i in (1, 2)] == ["delivered", "delivered"]
    assert (await reply(store))["price_micros"] == 70_000
    assert await rows.rows(store, tables.receipts) == []


@pytest.mark.case("C03")
async def test_a_kill_before_the_record_is_settled_by_the_early_receipt(
    store: database.Store,
) -> None:
    await rows.put_replies(store, rows.reply(1, "sending"))
    await take(store, news(SENT, reply_id=outbox.key(rows.KEYS, 1)))
    lost = [{"id": 1, "lease_until_ms": None}]
    sending, unknown = State.SENDING, State.UNKNOWN
    await store.write(lambda tx: outbox.move(tx, sending, unknown, lost))
    assert await settle(store) == 1
    assert (await reply(store))["state"] == "sent"


async def test_early_receipts_are_dropped_after_a_week_and_bounded(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(store, news(SENT, provider_id="old"))
    await settle(store, NOW_MS + receipts.EARLY_KEPT_MS)
    assert len(await rows.rows(store, tables.receipts)) == 1
    await settle(store, NOW_MS + receipts.EARLY_KEPT_MS + 1)
    assert await rows.rows(store, tables.receipts) == []
    monkeypatch.setattr(taking, "EARLY_KEPT", 5)
    await take(store, news(SENT, provider_id="else", channel="other"))
    for n in range(9):
        await take(store, news(SENT, provider_id=f"n{n}"))
    kept = [row["provider_id"] for row in await rows.rows(store, tables.receipts)]
    # A flood of them on one channel pushes out no other channel's.
    assert kept == ["else", "n4", "n5", "n6", "n7", "n8"]


@pytest.mark.case("C02")
@pytest.mark.parametrize("order", list(itertools.permutations([SENT, DELIVERED, None])))
async def test_order_and_repetition_change_nothing(
    store: database.Store, order: Sequence[messages.Delivery | None]
) -> None:
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1"))
    batch = [news(d, price=EUR_7 if d is None else None) for d in order]
    for one in batch:
        await take(store, one)
        await take(store, one, one)
    row = await reply(store)
    assert (row["state"], row["price_micros"]) == ("delivered", 70_000)
    assert len(await rows.rows(store, tables.postings)) == 1


Steps = list[tuple[messages.Delivery | None, int | None, bool]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from([SENT, DELIVERED, FAILED, None]),
        st.sampled_from([None, 0, 70_000, 90_000]),
        st.booleans(),
    ),
    max_size=8,
)


@pytest.mark.sqlite_only("its twin below has as many examples as PostgreSQL has time for")
@given(STEPS, st.sampled_from(["sent", "unknown"]))
async def test_one_batch_is_as_many(steps: Steps, state: str) -> None:
    together, singly = await either_way(steps, state)
    assert together == singly


@pytest.mark.postgresql_only("see above")
@hypothesis.settings(max_examples=8)
@given(STEPS, st.sampled_from(["sent", "unknown"]))
async def test_one_batch_is_as_many_there_too(steps: Steps, state: str) -> None:
    together, singly = await either_way(steps, state)
    assert together == singly


async def either_way(
    steps: list[tuple[messages.Delivery | None, int | None, bool]], state: str
) -> list[object]:
    batch = [
        news(
            delivery,
            provider_id=None,
            reply_id=outbox.key(rows.KEYS, 1),
            price=None if price is None else money.Money(price, "EUR"),
            opt_out=opt_out,
        )
        for delivery, price, opt_out in steps
    ]
    seen: list[object] = []
    for parts in ([batch], [[one] for one in batch]):
        async with rows.memory() as store:
            await rows.put_replies(store, rows.reply(1, state))
            for part in parts:
                await take(store, *part)
            row = await reply(store)
            row.pop("address_enc")
            person = await rows.one(store, tables.persons, 1)
            total = await money_of(store)
            assert total[0] == total[1]
            seen.append((row, person, total))
    return seen


async def test_failed_keeps_the_window_and_the_money(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1"))
    await take(store, news(FAILED, reason="30006\x00" + "x" * 99))
    row = await reply(store)
    assert row["state"] == "failed"
    assert row["reason"] == "30006" + "x" * 59
    # One that always fails must not be sent one paid reply after the other (C08).
    assert (await rows.one(store, tables.persons, 1))["blocked_until_ms"] == rows.WINDOW_MS
    assert await rows.rows(store, tables.postings) == []
    # He got it after all: the window is taken again, the state stays what it is.
    await take(store, news(DELIVERED))
    assert (await reply(store))["state"] == "failed"
    assert (await rows.one(store, tables.persons, 1))["blocked_until_ms"] == rows.WINDOW_MS


@pytest.mark.case("C31")
async def test_a_price_that_comes_a_day_later(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1"))
    await take(store, news(DELIVERED))
    assert (await reply(store))["price_micros"] is None
    tomorrow = NOW_MS + rows.DAY_MS
    await take(store, news(price=money.parse("0.0079", "EUR"), parts=0), now_ms=tomorrow)
    row = await reply(store)
    assert (row["price_micros"], row["parts"]) == (7_900, 1)
    (posting,) = await rows.rows(store, tables.postings)
    assert (posting["day"], posting["amount_micros"]) == ("2026-11-22", 7_900 - 80_000)


@pytest.mark.case("C31")
async def test_a_second_price_is_a_correction(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1"))
    for micros in (70_000, 70_000, 95_000, 95_000, 60_000):
        await take(store, news(price=money.Money(micros, "EUR")))
        assert (await reply(store))["price_micros"] == micros
        # The rows here were never reserved, so all that is booked is the way from 0.08.
        assert await money_of(store) == (micros - 80_000, micros - 80_000)
    assert len(await rows.rows(store, tables.postings)) == 3
    assert await rows.kinds(store) == ["late_price"]


@pytest.mark.case("C31")
async def test_an_unknown_currency_is_posted_and_told_once(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1"))
    for _ in range(3):
        await take(store, news(price=money.Money(1, "XXX")))
    assert (await reply(store))["price_micros"] == 80_000
    assert await rows.kinds(store) == ["unknown_currency"]
    assert await money_of(store) == (0, 0)


@pytest.mark.case("C31")
async def test_a_price_below_zero_makes_no_money(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1"))
    await take(store, news(DELIVERED, price=money.Money(-7_900, "EUR")))
    row = await reply(store)
    assert (row["state"], row["price_micros"]) == ("delivered", None)
    assert await money_of(store) == (0, 0)
    assert await rows.kinds(store) == ["odd_price"]


@pytest.mark.case("C31")
async def test_the_price_of_a_refused_send_is_paid_in_full(store: database.Store) -> None:
    # The reservation was voided when it was refused; the provider bills it all the same.
    refused = rows.reply(1, "failed", provider_id="P1", price_micros=0)
    await rows.put_replies(store, refused)
    await take(store, news(FAILED, price=money.Money(5_000, "EUR")))
    assert (await reply(store))["price_micros"] == 5_000
    assert await money_of(store) == (5_000, 5_000)


@pytest.mark.case("C15")
async def test_an_opt_out_reaches_whom_the_person_was_merged_into(
    store: database.Store,
) -> None:
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1"))
    await rows.put(store, tables.persons, rows.person(2, merged_into=3), rows.person(3))
    merged = sa.update(tables.persons).where(tables.persons.c.id == 1).values(merged_into=2)
    await rows.run(store, merged)
    for _ in range(2):
        await take(store, news(FAILED, opt_out=True))
    found = {r["id"]: r["opted_out_ms"] for r in await rows.rows(store, tables.persons)}
    assert found == {1: None, 2: None, 3: NOW_MS}
    assert await rows.kinds(store) == ["opt_outs"]


@pytest.mark.parametrize(
    "foreign",
    [
        news(DELIVERED, channel="other"),
        news(DELIVERED, provider_id="P9"),
        news(DELIVERED, provider_id="P9", reply_id=outbox.key(rows.KEYS, 1)),
        news(DELIVERED, channel="other", reply_id=outbox.key(rows.KEYS, 1)),
        news(DELIVERED, provider_id=None, reply_id="0" * 32),
        news(DELIVERED, provider_id=None, reply_id="x"),
    ],
)
async def test_news_of_another_send_changes_nothing(
    store: database.Store, foreign: messages.DeliveryReceipt
) -> None:
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1"))
    before = await reply(store)
    await take(store, foreign)
    await settle(store)
    assert await reply(store) == before


async def test_cancelled_replies_are_not_brought_to_life(store: database.Store) -> None:
    for n, state in enumerate(("cancelled", "expired", "held", "scheduled"), 1):
        await rows.put_replies(store, rows.reply(n, state))
        await take(store, news(DELIVERED, provider_id=None, reply_id=outbox.key(rows.KEYS, n)))
        await settle(store)
        assert (await reply(store, n))["state"] == state


@pytest.mark.case("C07")
async def test_the_door_says_not_stored(store: database.Store) -> None:
    door = receipts.Receipts(
        store=store,
        core=settings.Core(),
        keys=rows.KEYS,
        moment=rows.StillClock(),
        ids=ids.Ids(),
    )
    await rows.put_replies(store, rows.reply(1, "sent", provider_id="P1"))
    await door.take([])
    await door.take([news(DELIVERED, at=rows.NOW + dt.timedelta(hours=1))])
    assert (await reply(store))["state"] == "delivered"
    assert await door.settle() == 0
    await store.close()
    with pytest.raises(intake.NotStoredError):
        await door.take([news(DELIVERED)])
