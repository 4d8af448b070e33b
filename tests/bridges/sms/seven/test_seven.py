"""seven.io: signatures, outcomes, receipts, credit; then in the real rooms."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime as dt
import decimal
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from bot.contract import address, bridge, conformance, messages, money, outcomes, segments
from bot.contract.conformance import fakes
from bridges.sms import seven
from tests.bridges.sms.seven import gateway
from tests.bridges.sms.smsgate import house

NOW = fakes.NOON
OWN = (bridge.OwnAddress(address=address.Address("sms", gateway.OURS)),)
REPLIES = 500


class Here:
    """seven.io, and a bridge to it over the kit's fakes."""

    def __init__(self, made: gateway.Gateway) -> None:
        self.gateway = made
        self.door = fakes.FakeIntake()
        self.context = bridge.Context(
            channel="sms",
            clock=fakes.FakeClock(),
            storage=fakes.FakeStorage(),
            currency="EUR",
            public_url="https://sms.example.org",
        )
        self.bridge = made.create(made.table(), self.context)
        (self.route,) = self.bridge.routes(self.door)
        self.houses: list[house.House] = []

    async def post(self, told: dict[str, Any] | bytes, **how: Any) -> conformance.Answer:  # noqa: ANN401
        return await gateway.post(self.route.app, told, **how)

    async def rooms(self, limit_s: float = 1.0) -> house.House:
        table = self.gateway.table()
        made = await house.around(lambda context: self.gateway.create(table, context, limit_s))
        self.houses.append(made)
        return made


@pytest.fixture
async def here() -> AsyncIterator[Here]:
    made = gateway.Gateway()
    await made.open()
    found = Here(made)
    yield found
    for one in found.houses:
        await one.close()
    await found.bridge.close()
    await made.close()


def reply(text: str = "Bonjour.", number: int = 1) -> messages.OutboundReply:
    return messages.OutboundReply(
        reply_id=f"{number:032x}",
        channel="sms",
        sender=OWN[0].address,
        recipient=address.Address("sms", gateway.HIS),
        text=text,
        valid_until=NOW + dt.timedelta(minutes=90),
    )


# ---------------------------------------------------------------- the webhook


@pytest.mark.case("C10")
async def test_what_seven_did_not_sign_for_our_url_gets_the_same_403(here: Here) -> None:
    good = gateway.received()
    answers = [
        await here.post(good, key="another-key"),
        await here.post(good, at=NOW - dt.timedelta(seconds=301)),
        await here.post(good, at=NOW + dt.timedelta(seconds=301)),
        await here.post(good, public_url="https://other.example.org"),
        await here.post(good, x_signature=""),
        await here.post(good, x_nonce="another"),
        await here.post(good, x_timestamp="soon"),
        await here.post(good, content_type="text/plain"),
        await here.post(gateway.received(system="447700900999")),
        await here.post(b"\xff"),
        await here.post(b'{"a": "' + b"a" * 1_000_000 + b'"}'),
        await here.post(json.dumps({str(n): n for n in range(10_000)}).encode()),
        await conformance.call(here.route.app, here.route.path, method="GET"),
    ]
    assert {(one.status, one.body) for one in answers} == {(403, b"forbidden")}
    assert here.door.knocks == 0
    assert (await here.bridge.health()).detail == f"{len(answers)} foreign requests refused"
    assert (await here.post(good)).status == 200


def test_the_signature_is_the_one_of_the_documentation() -> None:
    """Worked out with openssl from the scheme on docs.seven.io (signing)."""
    body = b'{"to": "49170123456789", "text": "Hello World! :-)", "from": "seven"}'
    head = {
        b"x-timestamp": b"1634641200",
        b"x-nonce": b"fpPRhAd1s8GXacfR39mWqKPynmmXfJnc",
        b"x-signature": b"75bad024b49a12cff2d5fbbf9910f1589284abe53bd587b3dc1013ede84d611d",
    }
    at = dt.datetime.fromtimestamp(1_634_641_200, dt.UTC)
    url = "https://gateway.seven.io/api/sms"
    assert seven.signed("made-up-key", url, body, head, at)
    assert not seven.signed("made-up-key", url + "/", body, head, at)
    assert not seven.signed("made-up-key", url, body + b" ", head, at)


async def test_a_message_says_who_wrote_to_which_number_and_when(here: Here) -> None:
    assert (await here.post(gateway.received("a\x00b", time="1767614340"))).status == 200
    (message,) = here.door.accepted
    assert (message.sender.value, message.recipient.value) == (gateway.HIS, gateway.OURS)
    assert (message.provider_id, message.text) == ("mo-681590", "ab")
    assert message.received_at == NOW - dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("status", "delivery"),
    [
        ("DELIVERED", messages.Delivery.DELIVERED),
        ("TRANSMITTED", messages.Delivery.SENT),
        ("NOTDELIVERED", messages.Delivery.FAILED),
        ("EXPIRED", messages.Delivery.FAILED),
        ("UNKNOWN", None),
    ],
)
async def test_reports_become_receipts(
    here: Here, status: str, delivery: messages.Delivery | None
) -> None:
    assert (await here.post(gateway.report(status, foreign_id="a" * 32))).status == 200
    told = [(one.delivery, one.provider_id, one.reply_id) for one in here.door.taken_receipts]
    assert told == ([] if delivery is None else [(delivery, "77149843739", "a" * 32)])


async def test_what_is_not_stored_is_told_again(here: Here) -> None:
    here.door.refuse(1)
    answer = await here.post(gateway.received())
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_names = (
    *("id", "sender", "from", "system", "to", "text", "time", "timestamp"),
    *("msg_id", "status", "dlr", "foreign_id", "price"),
)


@pytest.mark.case("C10")
@hypothesis.given(
    fields=st.fixed_dictionaries({}, optional=dict.fromkeys(_names, _json)) | _json,
    raw=st.binary(max_size=80),
    status=st.integers(min_value=100, max_value=599),
)
def test_no_input_raises_anything_but_value_error(fields: object, raw: bytes, status: int) -> None:
    for work in (
        lambda: seven.inbound(fields, "sms", OWN, NOW),
        lambda: seven.receipt(fields, "sms", NOW),
    ):
        try:
            told = work()
        except ValueError:
            continue
        assert told is None or told.channel == "sms"
    told_json = json.dumps({"success": "100", "messages": [fields]}).encode()
    for body in (raw, told_json, json.dumps(fields).encode()):
        assert seven.outcome(status, body, "x", 1, NOW) is not None


@pytest.mark.case("C10")
@hypothesis.given(
    told=st.binary(max_size=200)
    | st.fixed_dictionaries(
        {
            "webhook_event": st.sampled_from(("sms_mo", "dlr")) | _json,
            "data": st.fixed_dictionaries({}, optional=dict.fromkeys(_names, _json)) | _json,
        }
    ).map(lambda told: json.dumps(told).encode())
)
def test_no_signed_body_breaks_the_route_or_leaves_a_row_by_itself(told: bytes) -> None:
    async def once() -> None:
        door = fakes.FakeIntake()
        context = bridge.Context(
            channel="sms", clock=fakes.FakeClock(), storage=fakes.FakeStorage(), currency="EUR"
        )
        made = seven.create(gateway.Gateway().table(), context)
        (route,) = made.routes(door)
        status = (await gateway.post(route.app, told, public_url="")).status
        assert status in {200, 403}
        if status == 403:
            assert (door.accepted, door.taken_receipts) == ([], [])

    asyncio.run(once())


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
    here: Here, fault: str, kind: type[outcomes.Outcome], detail: float | None
) -> None:
    here.gateway.faults.append(fault)
    outcome = await here.bridge.send(reply())
    assert type(outcome) is kind
    if isinstance(outcome, outcomes.NotNow):
        assert (outcome.retry_at - NOW).total_seconds() == detail
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
    assert isinstance(seven.outcome(status, raw, "", 1, NOW), outcomes.Unknown)


@pytest.mark.case("C43")
async def test_nothing_goes_out_from_another_number_or_too_late(here: Here) -> None:
    other = dataclasses.replace(reply(), sender=address.Address("sms", "+447700900009"))
    late = dataclasses.replace(reply(), valid_until=NOW)
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


async def test_credit_is_told_before_it_is_gone_and_when_it_is(here: Here) -> None:
    for credit, condition, words in (
        ("100", bridge.Condition.UP, ""),
        ("4.99", bridge.Condition.UP, "credit is low"),
        ("0.05", bridge.Condition.NEEDS_HUMAN, "used up"),
    ):
        here.gateway.credit = decimal.Decimal(credit)
        health = await here.bridge.health()
        assert health.condition is condition
        assert words in health.detail


async def test_without_the_provider_health_and_sweep_say_so(here: Here) -> None:
    await here.gateway.close()
    assert (await here.bridge.health()).condition is bridge.Condition.DOWN
    assert isinstance(await here.bridge.send(reply()), outcomes.NotNow)
    with pytest.raises(bridge.BridgeDownError):
        await here.bridge.sweep(here.door, NOW)
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


def test_a_french_mobile_waits_for_a_moderator(here: Here) -> None:
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
async def test_in_then_due_then_out_then_delivered_and_the_ledger_is_right(here: Here) -> None:
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
async def test_what_was_cut_is_found_in_the_logbook_by_our_own_id(here: Here, fault: str) -> None:
    rooms = await here.rooms()
    await arrive(rooms)
    here.gateway.faults.append(fault)
    await rooms.deliver()
    assert await rooms.states() == {"unknown": 1}
    await rooms.work(2)
    row = await rooms.one()
    assert (row["state"], row["price_micros"]) == ("sent", 75_000)
    assert len(here.gateway.ledger) == 1


async def test_no_credit_waits_and_costs_nothing_until_it_is_topped_up(here: Here) -> None:
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
async def test_500_replies_under_random_faults_reach_each_at_most_once(here: Here) -> None:
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
