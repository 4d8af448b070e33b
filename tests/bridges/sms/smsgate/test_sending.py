"""What becomes of a reply: outcomes, parts, receipts, status, and the channel that stops."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from bot.contract import address, bridge, messages, money, outcomes
from bridges.sms.smsgate import client, notes, wire
from tests.bridges.sms.smsgate import phone, stage
from tests.fakes import deaf

LONG = "é" * 161
ID = f"{1:032x}"


@pytest.mark.case("C04", "C05")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("", outcomes.Accepted),
        ("409", outcomes.Accepted),
        ("400", outcomes.Rejected),
        ("404", outcomes.Rejected),
        ("401", outcomes.Rejected),
        ("429", outcomes.NotNow),
        ("503-queue", outcomes.NotNow),
        ("503-proxy", outcomes.Unknown),
        ("500-before", outcomes.Unknown),
        ("502-after", outcomes.Unknown),
        ("cut-before", outcomes.Unknown),
        ("cut-after", outcomes.Unknown),
        ("hang-after", outcomes.Unknown),
        ("nonsense", outcomes.Unknown),
    ],
)
async def test_each_answer_has_its_outcome(fault: str, kind: type[outcomes.Outcome]) -> None:
    async with stage.over(price="0.05") as on:
        on.phone.faults.append(fault)
        outcome = await on.bridge.send(on.reply())
        assert type(outcome) is kind
        if isinstance(outcome, outcomes.Rejected):
            assert outcome.stop_channel == (fault == "401")
        if isinstance(outcome, outcomes.NotNow):
            waits = (outcome.retry_at - on.clock.now()).total_seconds()
            assert waits == (7 if fault == "429" else 60)
        if isinstance(outcome, outcomes.Accepted):
            assert (outcome.parts, outcome.price) == (1, money.Money(50_000, "EUR"))


async def test_nobody_there_is_not_now() -> None:
    async with stage.over(url="http://127.0.0.1:9") as on:
        assert isinstance(await on.bridge.send(on.reply()), outcomes.NotNow)
        assert (await on.bridge.health()).condition is bridge.Condition.DOWN


@pytest.mark.case("C21")
async def test_a_phone_that_swallows_connections_was_asked_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its network is there, it is not; and given up before a pause would come too late (C21)."""
    assert client.CONNECT_LIMIT_S < 2
    monkeypatch.setattr(client, "CONNECT_LIMIT_S", 0.05)
    with deaf.address() as where:
        async with stage.over(url=f"http://{where}", send_limit_s=40) as on:
            async with asyncio.timeout(10):
                assert isinstance(await on.bridge.send(on.reply()), outcomes.NotNow)


async def test_the_request_carries_id_sim_time_and_wish_for_reports() -> None:
    async with stage.over() as on:
        await on.bridge.send(on.reply())
        (entry,) = on.phone.queue.values()
        assert entry.body == {
            "id": ID,
            "textMessage": {"text": "Bonjour."},
            "phoneNumbers": [phone.HIS],
            "withDeliveryReport": True,
            "ttl": 10_800,
            "simNumber": 1,
            "deviceId": phone.DEVICE,
        }


@pytest.mark.case("C43")
async def test_nothing_is_sent_from_a_number_that_is_not_ours_or_too_late() -> None:
    async with stage.over() as on:
        other = dataclasses.replace(on.reply(), sender=address.Address("sms", phone.SECOND))
        late = dataclasses.replace(on.reply(), valid_until=on.clock.now())
        for reply in (other, late):
            assert isinstance(await on.bridge.send(reply), outcomes.Rejected)
        assert on.phone.asked.total() == 0


async def test_delivered_means_every_part_also_after_a_restart() -> None:
    async with stage.over(price="0.05") as on:
        await on.bridge.send(on.reply(LONG))
        first = phone.event("sms:delivered", "d1", messageId=ID)
        for _ in range(2):
            assert (await on.post(first)).status == 200
        await on.again()
        assert (await on.post(first)).status == 200
        assert on.door.taken_receipts == []
        assert (await on.post(phone.event("sms:delivered", "d2", messageId=ID))).status == 200
        (receipt,) = on.door.taken_receipts
        assert (receipt.reply_id, receipt.delivery) == (ID, messages.Delivery.DELIVERED)


async def test_the_phones_own_count_of_parts_wins() -> None:
    async with stage.over() as on:
        await on.bridge.send(on.reply())
        await on.post(phone.event("sms:sent", "s1", messageId=ID, partsCount=2))
        await on.post(phone.event("sms:delivered", "d1", messageId=ID))
        assert [one.delivery for one in on.door.taken_receipts] == [messages.Delivery.SENT]
        assert on.door.taken_receipts[0].parts == 2
        await on.post(phone.event("sms:delivered", "d2", messageId=ID))
        assert on.door.taken_receipts[-1].delivery is messages.Delivery.DELIVERED


async def test_what_is_remembered_is_bounded() -> None:
    async with stage.over() as on:
        kept = notes.Notes(on.storage)
        for number in range(3 * notes.SLOTS):
            await kept.expect(f"{number:032x}", 3)
        assert len(on.storage.values) == notes.SLOTS
        assert await kept.parts(f"{0:032x}") == 1
        assert await kept.parts(f"{3 * notes.SLOTS - 1:032x}") == 3


@pytest.mark.parametrize(
    ("words", "reason", "stops"),
    [
        ("Send result: RESULT_ERROR_LIMIT_EXCEEDED", "RESULT_ERROR_LIMIT_EXCEEDED", True),
        ("Send result: RESULT_ERROR_GENERIC_FAILURE", "RESULT_ERROR_GENERIC_FAILURE", False),
        ("Delivery result from SC " + phone.OURS + ": 70", "not delivered", False),
        ("TTL expired", wire.EXPIRED, False),
        (None, "not sent", False),
    ],
)
async def test_a_failure_is_told_in_our_words(
    words: str | None, reason: str, *, stops: bool
) -> None:
    async with stage.over(price="0.05") as on:
        await on.post(phone.event("sms:failed", "f1", messageId=ID, reason=words))
        (receipt,) = on.door.taken_receipts
        assert (receipt.reason, receipt.stop_channel) == (reason, stops)
        free = money.Money(0, "EUR") if reason == wire.EXPIRED else None
        assert (receipt.price, receipt.retry_at) == (free, None)


async def test_three_failures_in_a_row_stop_the_channel() -> None:
    async with stage.over() as on:

        async def tell(kind: str, event_id: str) -> bool:
            assert (await on.post(phone.event(kind, event_id, messageId=ID))).status == 200
            return on.door.taken_receipts[-1].stop_channel

        assert [await tell("sms:failed", one) for one in ("f1", "f1", "f2")] == [False] * 3
        assert await tell("sms:sent", "s1") is False
        assert [await tell("sms:failed", one) for one in ("f3", "f4")] == [False] * 2
        await on.again()
        assert await tell("sms:failed", "f5") is True


@pytest.mark.parametrize(
    ("state", "text", "delivery"),
    [
        ("Pending", "a", messages.Delivery.SENT),
        ("Sent", "a", messages.Delivery.SENT),
        ("Delivered", "a", messages.Delivery.DELIVERED),
        ("Delivered", LONG, messages.Delivery.SENT),
        ("Failed", "a", messages.Delivery.FAILED),
        ("Cancelled", "a", messages.Delivery.FAILED),
        ("Cancelling", "a", None),
    ],
)
async def test_status_is_asked_by_our_own_id(
    state: str, text: str, delivery: messages.Delivery | None
) -> None:
    async with stage.over(price="0.05") as on:
        await on.bridge.send(on.reply(text))
        on.phone.queue[ID].state = state
        sent = bridge.SentReply(
            reply_id=ID, provider_id=None, recipient=None, sent_at=on.clock.now()
        )
        told = await on.bridge.fetch_status(sent)
        assert (told.delivery if told is not None else None) == delivery
        if told is not None and delivery is not messages.Delivery.FAILED:
            parts = 2 if text == LONG else 1
            assert told.price == money.Money(50_000 * parts, "EUR")


class Away(Exception):
    """The core's database is away; a bridge does not know its errors."""


class Broken:
    async def get(self, key: str) -> str | None:
        raise Away

    async def put(self, key: str, value: str | None) -> None:
        raise Away


async def test_without_a_database_nothing_is_sent_and_nothing_acknowledged() -> None:
    async with stage.over() as on:
        on.context = dataclasses.replace(on.context, storage=Broken())
        await on.again()
        assert isinstance(await on.bridge.send(on.reply(LONG)), outcomes.NotNow)
        assert on.phone.ledger == []
        assert (await on.post(phone.event("sms:delivered", "d1", messageId=ID))).status == 503
        assert (await on.bridge.health()).condition is bridge.Condition.UP
