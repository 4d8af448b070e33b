"""The webhook: what is refused, always with the same words, and what no input can do."""

from __future__ import annotations

import asyncio
import datetime as dt
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from bot.contract import bridge, conformance, messages
from bot.contract.conformance import fakes
from bridges.sms.smsgate import bridge as smsgate_bridge
from bridges.sms.smsgate import settings, wire
from tests.bridges.sms.smsgate import phone, stage

NOW = fakes.NOON


@pytest.mark.case("C10")
async def test_what_is_not_our_phones_gets_the_same_403_and_reaches_nobody() -> None:
    async with stage.over() as on:
        good = phone.received()
        late = {"at": NOW - dt.timedelta(seconds=301)}
        early = {"at": NOW + dt.timedelta(seconds=301)}
        raw = json.dumps(good).encode()
        answers = [
            await on.post(good, key="another-key-of-8"),
            await on.post(good, **late),
            await on.post(good, **early),
            await on.post(good, x_signature="", x_timestamp=""),
            await on.post(good, x_signature="ä"),
            await on.post(good, x_timestamp="-1"),
            await on.post(good, x_timestamp="9" * 40),
            await on.post(good, content_type="text/plain"),
            await on.post({**good, "deviceId": "another"}),
            await on.post(phone.received(simNumber=2)),
            await on.post(phone.received(simNumber=None, recipient="+447700900001")),
            await on.post(b'{"a": "' + b"a" * 1_000_000 + b'"}'),
            await on.post(json.dumps({str(n): n for n in range(10_000)}).encode()),
            await on.post(b"\xff\xfe"),
            await on.post(b'{"id": 1e999}'),
            await on.post(b"[" * 60_000),
            await conformance.call(on.app, "/sms/sms/events", body=raw),
            await conformance.call(
                on.app, "/sms/sms/events", method="GET", headers=phone.signature(b"", NOW)
            ),
        ]
        assert {(one.status, one.body) for one in answers} == {(403, b"forbidden")}
        assert on.door.knocks == 0
        health = await on.bridge.health()
        assert health.detail == f"{len(answers)} foreign requests refused"
        assert (await on.post(good)).status == 200


@pytest.mark.case("C10")
@pytest.mark.parametrize("name", ["X-Signature", "X-Timestamp", "Content-Type"])
async def test_what_counts_is_given_once(name: str) -> None:
    """Of two, a proxy may have judged the one and we the other."""
    async with stage.over() as on:
        body = json.dumps(phone.received()).encode()
        headers = {one.lower(): value for one, value in phone.signature(body, NOW).items()}
        headers |= {"content-type": "application/json"}
        twice = {**headers, name: headers[name.lower()]}
        path = "/sms/sms/events"
        assert (await conformance.call(on.app, path, body=body, headers=twice)).status == 403
        assert (await conformance.call(on.app, path, body=body, headers=headers)).status == 200


@pytest.mark.case("C10")
async def test_a_nul_never_reaches_the_core() -> None:
    async with stage.over() as on:
        assert (await on.post(phone.received("a\x00b\ud800"))).status == 200
        assert [one.text for one in on.door.accepted] == ["ab?"]


async def test_both_keys_are_taken_while_one_is_being_changed() -> None:
    async with stage.over(old_signing_key="the-old-one") as on:
        assert (await on.post(phone.received(), key="the-old-one")).status == 200
        assert (await on.post(phone.received())).status == 200
        assert (await on.post(phone.received(), key="the-older-one")).status == 403


async def test_what_is_not_stored_is_not_acknowledged() -> None:
    async with stage.over() as on:
        on.door.refuse(1)
        answer = await on.post(phone.received())
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert (await on.post(phone.received())).status == 200


async def test_events_that_mean_nothing_to_us_are_taken_off_the_phones_hands() -> None:
    async with stage.over() as on:
        for told in (
            phone.event("sms:data-received", "d", data="AA=="),
            phone.event("app:started"),
            phone.event("system:ping", "p", health={}),
            phone.event("sms:sent", "s", messageId="by-hand"),
        ):
            assert (await on.post(told)).status == 200
        assert on.door.knocks == 0


def test_the_signature_is_the_one_of_the_documentation() -> None:
    """HMAC-SHA256 over body and stamp, worked out with openssl."""
    body, stamp = b'{"event":"system:ping"}', b"1719045971"
    at = dt.datetime.fromtimestamp(1_719_045_971, dt.UTC)
    right = b"3e36bd9c9b804c47813a00306f707a74561525f0433425e24c2a86e29265c686"
    assert wire.signed(["secret-key"], body, stamp, right, at)
    assert wire.signed(["secret-key"], body, stamp, right.upper(), at)
    assert not wire.signed(["secret-key"], body + b" ", stamp, right, at)
    assert not wire.signed([], body, stamp, right, at)


@pytest.mark.parametrize(
    ("shown", "value"),
    [
        ("+33639981234", "+33639981234"),
        ("06" + "39981234", "+33639981234"),
        ("+33639981234/TYPE=PLMN", "+33639981234"),
        ("38700", "38700"),
        ("Banque", "Banque"),
        ("0", "0"),
        ("", ""),
    ],
)
def test_senders_at_home_are_told_as_international_numbers(shown: str, value: str) -> None:
    told = wire.event(json.dumps(phone.received(sender=shown, phoneNumber=shown)).encode())
    assert wire.inbound(told, "sms", CHOSEN, NOW).sender.value == value


@pytest.mark.parametrize(
    ("moment", "at"),
    [
        ("2026-01-05T12:59:00.000+01:00", NOW - dt.timedelta(minutes=1)),
        ("2026-01-05T11:59:00Z", NOW - dt.timedelta(minutes=1)),
        ("2031-01-05T11:59:00Z", NOW),
        ("2026-01-05T11:59:00", NOW),
        ("yesterday", NOW),
        ("9999-12-31T23:59:59-23:59", NOW),
    ],
)
def test_the_phones_clock_is_believed_within_reason(moment: str, at: dt.datetime) -> None:
    told = wire.event(json.dumps(phone.received(receivedAt=moment)).encode())
    assert wire.inbound(told, "sms", CHOSEN, NOW).received_at == at


CHOSEN = settings.read(
    {
        "api": "phone",
        "url": "http://127.0.0.1:1",
        "token": "made-up",
        "signing_key": phone.KEY,
        "addresses": [phone.OURS],
    },
    "EUR",
)

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = [
    "sender",
    "phoneNumber",
    "message",
    "receivedAt",
    "recipient",
    "simNumber",
    "messageId",
    "reason",
    "partsCount",
    "type",
    "contentPreview",
    "createdAt",
]
_fields = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, _json))


@pytest.mark.case("C10")
@hypothesis.given(
    told=st.binary(max_size=200)
    | st.fixed_dictionaries(
        {
            "id": _json,
            "deviceId": st.just(phone.DEVICE) | _json,
            "event": st.sampled_from(wire.EVENTS) | _json,
            "payload": _fields | _json,
        }
    ).map(lambda told: json.dumps(told).encode())
)
def test_no_signed_body_breaks_the_route_or_leaves_a_row_by_itself(told: bytes) -> None:
    async def once() -> None:
        door = fakes.FakeIntake()
        context = bridge.Context(
            channel="sms", clock=fakes.FakeClock(), storage=fakes.FakeStorage(), currency="EUR"
        )
        made = smsgate_bridge.SmsGate(CHOSEN, context)
        (route,) = made.routes(door)
        status = (await phone.post(route.app, told)).status
        assert status in {200, 403}
        if status == 403:
            assert (door.accepted, door.taken_receipts) == ([], [])

    asyncio.run(once())


@pytest.mark.case("C10")
@hypothesis.given(kind=st.sampled_from(wire.EVENTS), fields=_fields, raw=st.binary(max_size=80))
def test_no_event_raises_anything_but_value_error(
    kind: str, fields: dict[str, object], raw: bytes
) -> None:
    made = 0
    for work in (
        lambda: wire.event(raw),
        lambda: wire.inbound(
            wire.Event(id="e", device_id="d", kind=kind, payload=fields), "sms", CHOSEN, NOW
        ),
        lambda: wire.listed(fields, "sms", CHOSEN, NOW),
        lambda: wire.report(wire.Event(id="e", device_id="d", kind="sms:failed", payload=fields)),
    ):
        try:
            told = work()
        except ValueError:
            continue
        made += 1
        if isinstance(told, messages.InboundMessage):
            assert told.received_at <= NOW
            assert "\x00" not in told.text
    assert made <= 4
