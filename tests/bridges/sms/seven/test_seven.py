"""seven.io: signatures, outcomes, receipts, credit; then in the real rooms."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import decimal
import json
import random

import pytest

from bot.contract import address, bridge, money, outcomes, segments
from bot.contract.conformance import fakes
from bridges.sms import seven
from tests.bridges.sms.seven import gateway, place
from tests.bridges.sms.smsgate import house
from tests.fakes import deaf

REPLIES = 500


# ---------------------------------------------------------------- the webhook


# ---------------------------------------------------------------- sending


@pytest.mark.case("C04", "C05")
@pytest.mark.parametrize(
    ("fault", "kind", "detail"),
    [
        ("", outcomes.Accepted, None),
        ("code-11", outcomes.NotNow, 600),
        ("code-500", outcomes.NotNow, 1_800),
        ("http-429", outcomes.NotNow, 9),
        ("code-202", outcomes.Rejected, False),
        ("http-400", outcomes.Rejected, False),
        ("code-201", outcomes.Rejected, True),
        ("code-900", outcomes.Rejected, True),
        ("bare-900", outcomes.Rejected, True),
        ("http-401", outcomes.Rejected, True),
        ("http-500", outcomes.Unknown, None),
        ("http-502-after", outcomes.Unknown, None),
        ("code-402-after", outcomes.Unknown, None),
        ("nonsense-after", outcomes.Unknown, None),
        ("cut-before", outcomes.Unknown, None),
        ("cut-after", outcomes.Unknown, None),
        ("hang-after", outcomes.Unknown, None),
    ],
)
async def test_each_answer_has_its_outcome(
    here: place.Here, fault: str, kind: type[outcomes.Outcome], detail: float | None
) -> None:
    here.gateway.faults.append(fault)
    outcome = await here.bridge.send(place.reply())
    assert type(outcome) is kind
    if isinstance(outcome, outcomes.NotNow):
        assert (outcome.retry_at - place.NOW).total_seconds() == detail
    if isinstance(outcome, outcomes.Rejected):
        assert outcome.stop_channel is detail
    if isinstance(outcome, outcomes.Accepted):
        assert outcome.price == money.Money(75_000, "EUR")
        assert here.gateway.keys_seen == {"made-up-api-key"}


@pytest.mark.case("C04")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(
    "told",
    [
        {"success": "500", "messages": []},
        {"success": "900"},
        {"success": "100", "messages": [{"id": "7", "success": True}]},
    ],
)
def test_what_comes_with_a_5xx_proves_nothing(status: int, told: dict[str, object]) -> None:
    raw = json.dumps(told).encode()
    assert isinstance(seven.outcome(status, raw, "", 1, place.NOW), outcomes.Unknown)


@pytest.mark.case("C43")
async def test_nothing_goes_out_from_another_number_or_too_late(here: place.Here) -> None:
    other = dataclasses.replace(place.reply(), sender=address.Address("sms", "+447700900009"))
    late = dataclasses.replace(place.reply(), valid_until=place.NOW)
    for one in (other, late):
        assert isinstance(await here.bridge.send(one), outcomes.Rejected)
    assert here.gateway.ledger == []


@pytest.mark.parametrize("text", ["a" * 160, "a" * 304, "a" * 305, "€" * 152, "ç" * 70, "ç" * 125])
def test_the_quote_covers_sevens_smaller_parts(text: str) -> None:
    chosen = seven.read(gateway.Gateway().table(price="0.01"))
    context = bridge.Context(
        channel="sms", clock=fakes.FakeClock(), storage=fakes.FakeStorage(), currency="EUR"
    )
    size = segments.count(text)
    long = 152 if size.encoding is segments.Encoding.GSM_7 else 62
    billed = -(-size.units // long) if size.parts > 1 else 1
    quote = seven.Seven(chosen, context).quote(address.Address("sms", gateway.HIS), text)
    assert quote is not None
    assert quote.parts == size.parts
    assert quote.price.micros >= 10_000 * billed


async def test_credit_is_told_before_it_is_gone_and_when_it_is(here: place.Here) -> None:
    for credit, condition, words in (
        ("100", bridge.Condition.UP, ""),
        ("4.99", bridge.Condition.UP, "credit is low"),
        ("0.05", bridge.Condition.NEEDS_HUMAN, "used up"),
    ):
        here.gateway.credit = decimal.Decimal(credit)
        health = await here.bridge.health()
        assert health.condition is condition
        assert words in health.detail


async def test_without_the_provider_health_and_sweep_say_so(here: place.Here) -> None:
    await here.gateway.close()
    assert (await here.bridge.health()).condition is bridge.Condition.DOWN
    assert isinstance(await here.bridge.send(place.reply()), outcomes.NotNow)
    with pytest.raises(bridge.BridgeDownError):
        await here.bridge.sweep(here.door, place.NOW)
    await here.gateway.open()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"api_key": "short"}, "api_key"),
        ({"signing_key": None}, "signing_key"),
        ({"addresses": []}, "addresses"),
        ({"addresses": ["38700"]}, "addresses[0]"),
        ({"addresses": [{"value": gateway.OURS, "state": []}]}, "addresses[0]"),
        ({"addresses": [gateway.OURS, gateway.OURS]}, "addresses[1]"),
        ({"price": "-1"}, "price"),
        ({"price": "NaN"}, "price"),
        ({"credit_alarm": 5}, "credit_alarm"),
        ({"prize": "1"}, "prize"),
    ],
)
def test_a_fault_names_its_key(change: dict[str, object], key: str) -> None:
    with pytest.raises(bridge.SettingsError) as refused:
        seven.read(gateway.Gateway().table(**change))
    assert [name for name, _ in refused.value.faults] == [key] or key == "addresses[0]"
    assert key in [name for name, _ in refused.value.faults]


def test_a_french_mobile_waits_for_a_moderator(here: place.Here) -> None:
    table = here.gateway.table(addresses=["+33639980000"])
    assert here.gateway.create(table, here.context).release_reason()
    assert here.bridge.release_reason() is None


# ---------------------------------------------------------------- in the rooms


async def arrive(rooms: house.House, number: int = 123) -> None:
    now = rooms.clock.now()
    told = gateway.received(
        f"salut {number}",
        f"m{number}",
        sender=f"3363998{number:04d}",
        time=str(int(now.timestamp())),
    )
    assert (await gateway.post(rooms.app, told, at=now)).status == 200


@pytest.mark.case("C02", "C43")
async def test_in_then_due_then_out_then_delivered_and_the_ledger_is_right(
    here: place.Here,
) -> None:
    rooms = await here.rooms()
    for _ in range(3):
        await arrive(rooms)
    assert here.gateway.ledger == []
    await rooms.deliver()
    (sent,) = here.gateway.ledger
    told = gateway.report("DELIVERED", here.gateway.outbound[0]["id"])
    for _ in range(2):
        assert (await gateway.post(rooms.app, told, at=rooms.clock.now())).status == 200
    row = await rooms.one()
    assert (row["state"], row["price_micros"], row["parts"]) == ("delivered", 75_000, 1)
    assert (row["own_address"], sent.recipient) == (gateway.OURS, "+33639980123")
    assert here.gateway.credit == decimal.Decimal(1_000) - gateway.PRICE


@pytest.mark.case("C04")
@pytest.mark.parametrize("fault", gateway.SENT)
async def test_what_was_cut_is_found_in_the_logbook_by_our_own_id(
    here: place.Here, fault: str
) -> None:
    rooms = await here.rooms()
    await arrive(rooms)
    here.gateway.faults.append(fault)
    await rooms.deliver()
    assert await rooms.states() == {"unknown": 1}
    await rooms.work(2)
    row = await rooms.one()
    assert (row["state"], row["price_micros"]) == ("sent", 75_000)
    assert len(here.gateway.ledger) == 1


async def test_no_credit_waits_and_costs_nothing_until_it_is_topped_up(here: place.Here) -> None:
    rooms = await here.rooms()
    await arrive(rooms)
    here.gateway.credit = decimal.Decimal("0.02")
    await rooms.deliver()
    assert await rooms.states() == {"scheduled": 1}
    assert here.gateway.credit == decimal.Decimal("0.02")
    here.gateway.credit = decimal.Decimal(10)
    await rooms.work(8)
    assert (await rooms.states(), len(here.gateway.ledger)) == ({"sent": 1}, 1)


@pytest.mark.slow
@pytest.mark.case("C04", "C05")
async def test_500_replies_under_random_faults_reach_each_at_most_once(here: place.Here) -> None:
    """Seeded; what did not go out is unknown or waits, and the price of each is in the ledger."""
    draw = random.Random(5)
    rooms = await here.rooms(limit_s=3.0)
    for number in range(1_000, 1_000 + REPLIES):
        await arrive(rooms, number)
    soft = [f for f in gateway.UNSENT if f in {"code-11", "http-429"} or "-before" in f]
    drawn = draw.choices(["", *soft, "http-500", *gateway.SENT], k=REPLIES)
    here.gateway.faults.extend(drawn)
    await rooms.clock.advance(7_200)
    await rooms.work(40)
    seen = collections.Counter(sent.recipient for sent in here.gateway.ledger)
    assert max(seen.values()) == 1
    states = await rooms.states()
    assert sum(states.values()) == REPLIES
    assert set(states) <= {"sent", "unknown"}
    assert states["sent"] == len(seen)
    lost = sum(f.endswith("-before") or f == "http-500" for f in drawn)
    assert 0 < states["unknown"] == REPLIES - len(seen) <= lost
    paid = sum(row["price_micros"] or 0 for row in await rooms.replies() if row["state"] == "sent")
    assert paid == 75_000 * len(seen)


@pytest.mark.case("C21")
async def test_a_connection_that_takes_long_is_given_up_unsent(
    here: place.Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request would leave once it is there, whatever was said meanwhile."""
    assert seven.CONNECT_LIMIT_S < 2
    monkeypatch.setattr(seven, "CONNECT_LIMIT_S", 0.05)
    with deaf.address() as where:
        chosen = dataclasses.replace(seven.read(here.gateway.table()), url=f"http://{where}")
        made = seven.Seven(chosen, here.context)
        async with asyncio.timeout(4):
            assert isinstance(await made.send(place.reply()), outcomes.NotNow)
        await made.close()
