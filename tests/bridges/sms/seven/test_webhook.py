"""What seven posts to us: signed, read strictly, stored once."""

from __future__ import annotations

import asyncio
import datetime as dt
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from bot.contract import bridge, conformance, messages
from bot.contract.conformance import fakes
from bridges.sms import seven
from tests.bridges.sms.seven import gateway, place

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
async def test_what_seven_did_not_sign_for_our_url_gets_the_same_403(here: place.Here) -> None:
    good = gateway.received()
    answers = [
        await here.post(good, key="another-key"),
        await here.post(good, at=place.NOW - dt.timedelta(seconds=301)),
        await here.post(good, at=place.NOW + dt.timedelta(seconds=301)),
        await here.post(good, public_url="https://other.example.org"),
        await here.post(good, x_signature=""),
        await here.post(good, x_nonce="another"),
        await here.post(good, x_timestamp="soon"),
        await here.post(good, content_type="text/plain"),
        await here.post(gateway.received(system="447700900999")),
        await here.post(b"\xff"),
        await here.post(b'{"price": 1e9999999999999999999999}'),
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


async def test_a_message_says_who_wrote_to_which_number_and_when(here: place.Here) -> None:
    assert (await here.post(gateway.received("a\x00b", time="1767614340"))).status == 200
    (message,) = here.door.accepted
    assert (message.sender.value, message.recipient.value) == (gateway.HIS, gateway.OURS)
    assert (message.provider_id, message.text) == ("mo-681590", "ab")
    assert message.received_at == place.NOW - dt.timedelta(minutes=1)


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
    here: place.Here, status: str, delivery: messages.Delivery | None
) -> None:
    assert (await here.post(gateway.report(status, foreign_id="a" * 32))).status == 200
    told = [(one.delivery, one.provider_id, one.reply_id) for one in here.door.taken_receipts]
    assert told == ([] if delivery is None else [(delivery, "77149843739", "a" * 32)])


async def test_what_is_not_stored_is_told_again(here: place.Here) -> None:
    here.door.refuse(1)
    answer = await here.post(gateway.received())
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.case("C10")
@hypothesis.given(
    fields=st.fixed_dictionaries({}, optional=dict.fromkeys(_names, _json)) | _json,
    raw=st.binary(max_size=80),
    status=st.integers(min_value=100, max_value=599),
)
def test_no_input_raises_anything_but_value_error(fields: object, raw: bytes, status: int) -> None:
    for work in (
        lambda: seven.inbound(fields, "sms", place.OWN, place.NOW),
        lambda: seven.receipt(fields, "sms", place.NOW),
    ):
        try:
            told = work()
        except ValueError:
            continue
        assert told is None or told.channel == "sms"
    told_json = json.dumps({"success": "100", "messages": [fields]}).encode()
    for body in (raw, told_json, json.dumps(fields).encode()):
        assert seven.outcome(status, body, "x", 1, place.NOW) is not None


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
