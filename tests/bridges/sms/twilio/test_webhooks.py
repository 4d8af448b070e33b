"""What comes in by the webhooks, and what never does."""

import asyncio
import datetime as dt
import urllib.parse
from collections.abc import Mapping, MutableMapping
from typing import Any

import pytest

from bot.contract import address, bridge, messages, money
from tests.bridges.sms.twilio import bench, exchange

NOTHING = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
BUSY = b'<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy"/></Response>'
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True, params=["asgi", "post"])
def _by_either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is told here holds for both, unless a test calls the application itself."""
    monkeypatch.setattr(bench, "SHORT", request.param == "post")


async def test_an_sms_is_stored_with_its_cost() -> None:
    on = bench.Bench(table={"inbound_price": "0.0075"})
    answer = await on.post("in", bench.sms(NumSegments="3"))
    assert (answer.status, answer.body) == (200, NOTHING)
    assert answer.headers["content-type"].startswith("text/xml")
    (message,) = on.door.accepted
    assert message.sender == address.Address("sms", bench.HIS)
    assert message.recipient == address.Address("sms", exchange.OURS)
    assert (message.text, message.parts, message.kind) == ("salut", 3, messages.Kind.TEXT)
    assert message.cost == money.Money(22_500, "USD")
    assert message.received_at == on.clock.now()


@pytest.mark.case("C01", "C02")
async def test_the_same_event_is_the_same_id_on_both_paths() -> None:
    on = bench.Bench()
    for name in ("in", "in", "fallback"):
        assert (await on.post(name, bench.sms())).status == 200
    assert len(on.door.accepted) == 3
    assert len(on.door.stored) == 1


@pytest.mark.case("C01", "C07")
async def test_what_is_not_stored_is_not_acknowledged() -> None:
    on = bench.Bench()
    on.door.refuse(1)
    answer = await on.post("in", bench.sms())
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert not on.door.accepted
    assert (await on.post("fallback", bench.sms())).status == 200
    assert on.door.accepted


@pytest.mark.case("C45")
async def test_a_picture_is_a_contact_and_never_fetched() -> None:
    """The base URL is a closed port: a fetch would raise."""
    on = bench.Bench()
    media = {"NumMedia": "1", "MediaUrl0": "https://api.twilio.com/x", "Body": ""}
    assert (await on.post("in", bench.sms(**media))).status == 200
    with_words = bench.sms(**{**media, "Body": "voilà", "MessageSid": "MM" + "2" * 32})
    assert (await on.post("in", with_words)).status == 200
    kinds = [(one.kind, one.text) for one in on.door.accepted]
    assert kinds == [(messages.Kind.ATTACHMENT, ""), (messages.Kind.TEXT, "voilà")]


@pytest.mark.case("C15")
@pytest.mark.parametrize(
    ("told", "wish"),
    [("STOP", messages.Wish.STOP), ("START", messages.Wish.START), ("HELP", None), ("", None)],
)
async def test_what_twilio_says_of_opting_out(told: str, wish: messages.Wish | None) -> None:
    on = bench.Bench()
    await on.post("in", bench.sms(OptOutType=told, Body="stop"))
    assert on.door.accepted[0].wish is wish


async def test_a_keyword_that_twilio_answers_ends_the_cover() -> None:
    on = bench.Bench()
    listening = asyncio.create_task(on.bridge.listen(on.door))
    await on.clock.advance(1)
    await on.post("in", bench.sms(OptOutType="HELP"))
    async with asyncio.timeout(5):
        with pytest.raises(bridge.BridgeDownError) as down:
            await listening
    assert down.value.needs_human is not None
    assert (await on.bridge.health()).condition is bridge.Condition.NEEDS_HUMAN
    # Also after a restart.
    async with asyncio.timeout(5):
        with pytest.raises(bridge.BridgeDownError):
            await on.make().listen(on.door)


SIGNED: list[tuple[str, dict[str, str]]] = [
    ("foreign account", {"AccountSid": "AC" + "9" * 32}),
    ("foreign number", {"To": "+33639980001"}),
    ("no account", {"AccountSid": ""}),
    ("NUL", {"Body": "a\x00b"}),
    ("NUL in the number", {"From": "+3363998\x000001"}),
    ("control character", {"From": "+33639980001\n"}),
    ("endless number", {"From": "+" + "3" * 400}),
    ("no id", {"MessageSid": ""}),
    ("odd id", {"MessageSid": "SM" + "x" * 32}),
    ("10,000 fields", {f"f{n}": "x" for n in range(10_000)}),
    ("1 MB", {"Body": "x" * 1_000_000}),
]


@pytest.mark.case("C10")
@pytest.mark.parametrize("name", ["in", "fallback", "status", "voice"])
@pytest.mark.parametrize("change", [one for _, one in SIGNED], ids=[name for name, _ in SIGNED])
async def test_signed_and_still_not_for_us(name: str, change: Mapping[str, str]) -> None:
    on = bench.Bench(table={"calls_count": True})
    form = {"in": bench.sms, "fallback": bench.sms, "voice": bench.call}.get(name)
    whole = form() if form else bench.news("sent")
    if name == "status":
        change = {k: v for k, v in change.items() if k not in {"From", "To"}} or {"From": "+1202"}
    if name == "voice":
        change = {k.replace("MessageSid", "CallSid"): v for k, v in change.items()}
    if set(change) == {"Body"} and name in {"status", "voice"}:
        change = {"Body": "x" * 1_000_000}
    answer = await on.post(name, {**whole, **change})
    assert (answer.status, answer.body) == (403, b"forbidden\n")
    assert not on.door.accepted
    assert not on.door.taken_receipts
    assert on.bridge._line.seen.refused == 1


@pytest.mark.case("C10")
async def test_a_signature_for_the_host_that_was_asked_for_is_none() -> None:
    """What Twilio signed for somebody else's URL is not for us, whatever Host they claim."""
    on, form = bench.Bench(), bench.sms()
    theirs = "evil.example"
    headers = exchange.signed(f"https://{theirs}{on.apps['in'].path}", form)
    body = urllib.parse.urlencode(form).encode()
    answer = await on.post("in", body, headers={**headers, "host": theirs})
    assert (answer.status, on.door.knocks) == (403, 0)
    assert (await on.post("in", form)).status == 200


@pytest.mark.case("C10")
async def test_a_body_that_never_ends_is_cut() -> None:
    on, chunks, sent = bench.Bench(), 0, []

    async def receive() -> dict[str, Any]:
        nonlocal chunks
        chunks += 1
        assert chunks < 100
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    headers = [(b"content-type", FORM.encode())]
    route = on.apps["in"]
    scope = {"type": "http", "method": "POST", "path": route.path, "query_string": b""}
    await route.app({**scope, "headers": headers}, receive, send)
    assert sent[0]["status"] == 403


BODY = urllib.parse.urlencode(bench.sms()).encode()
UNSIGNED: list[tuple[str, bytes, dict[str, str]]] = [
    ("no signature", BODY, {"content-type": FORM}),
    ("wrong signature", BODY, {"content-type": FORM, "x-twilio-signature": "AAAA"}),
    ("no body", b"", {"content-type": FORM}),
    ("JSON", b'{"a": 1}', {"content-type": "application/json"}),
    ("no type", BODY, {}),
    ("multipart", BODY, {"content-type": "multipart/form-data; boundary=x"}),
    ("another charset", BODY, {"content-type": f"{FORM}; charset=utf-16"}),
    ("bad UTF-8", b"Body=%ff&AccountSid=x", {"content-type": FORM}),
    ("bad UTF-8 unescaped", b"Body=\xff", {"content-type": FORM}),
    ("half an escape", b"Body=%4", {"content-type": FORM}),
    ("no name", b"=x&AccountSid=x", {"content-type": FORM}),
    ("no =", b"Body&AccountSid=x", {"content-type": FORM}),
]


@pytest.mark.case("C10")
@pytest.mark.parametrize(
    ("body", "headers"), [(b, h) for _, b, h in UNSIGNED], ids=[name for name, _, _ in UNSIGNED]
)
async def test_whatever_is_wrong_the_answer_is_the_same(
    body: bytes, headers: Mapping[str, str]
) -> None:
    on = bench.Bench()
    for name in on.apps:
        answer = await on.post(name, body, headers)
        assert (answer.status, answer.body) == (403, b"forbidden\n")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert on.door.knocks == 0


@pytest.mark.case("C10")
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
async def test_only_post(method: str) -> None:
    on = bench.Bench()
    assert (await on.post("in", bench.sms(), method=method)).status == 403


@pytest.mark.case("C10")
async def test_a_field_that_stands_there_twice_is_nobodys() -> None:
    on = bench.Bench()
    pairs = [*bench.sms().items(), ("From", "+33639980009")]
    from bridges.sms.twilio import signature  # noqa: PLC0415 (the SDK cannot sign repeats)

    url = exchange.PUBLIC + on.apps["in"].path
    made = signature.sign(url, signature.fields(pairs), exchange.TOKEN).decode()
    headers = {"content-type": FORM, "x-twilio-signature": made}
    answer = await on.post("in", urllib.parse.urlencode(pairs).encode(), headers)
    assert answer.status == 403
    # One that nobody asks for may: it is kept and signed as it is.
    pairs = [*bench.sms().items(), ("Extra", "b"), ("Extra", "a"), ("Extra", ""), ("Extra", "a")]
    made = signature.sign(url, signature.fields(pairs), exchange.TOKEN).decode()
    headers = {"content-type": FORM, "x-twilio-signature": made}
    assert (await on.post("in", urllib.parse.urlencode(pairs).encode(), headers)).status == 200


@pytest.mark.case("C10")
async def test_a_signature_for_another_route_is_none_here() -> None:
    on = bench.Bench()
    url = exchange.PUBLIC + on.apps["voice"].path
    headers = exchange.signed(url, bench.sms())
    answer = await on.post("in", urllib.parse.urlencode(bench.sms()).encode(), headers)
    assert answer.status == 403


async def test_without_a_public_url_nothing_can_be_signed() -> None:
    on = bench.Bench(public="")
    headers = exchange.signed("/twilio/sms/in", bench.sms())
    body = urllib.parse.urlencode(bench.sms()).encode()
    assert (await on.post("in", body, headers)).status == 403


@pytest.mark.case("C11")
async def test_a_body_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridges.sms.twilio.webhooks.LIMIT_S", 0.05)
    on = bench.Bench()
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(part: MutableMapping[str, Any]) -> None:
        said.append(part)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", FORM.encode())]}
    async with asyncio.timeout(5):
        await on.apps["in"].app(scope, receive, send)
    assert said[0]["status"] == 403


async def test_our_own_probe_keeps_nothing() -> None:
    on = bench.Bench()
    form = {"AccountSid": exchange.ACCOUNT, "AntirelouProbe": "x"}
    for name in on.apps:
        assert (await on.post(name, form)).status == 200
        unsigned = await on.post(name, form, {"x-twilio-signature": "nobody"})
        assert unsigned.status == 403
    assert on.door.knocks == 0


# ---------------------------------------------------------------- status


@pytest.mark.case("C03")
@pytest.mark.parametrize(
    ("status", "delivery"),
    [
        ("queued", messages.Delivery.SENT),
        ("sent", messages.Delivery.SENT),
        ("delivered", messages.Delivery.DELIVERED),
        ("undelivered", messages.Delivery.FAILED),
        ("failed", messages.Delivery.FAILED),
    ],
)
async def test_a_callback_brings_our_id_and_theirs(
    status: str, delivery: messages.Delivery
) -> None:
    on = bench.Bench()
    reply = "ab" * 16
    assert (await on.post("status", bench.news(status), query=f"r={reply}")).status == 200
    (receipt,) = on.door.taken_receipts
    assert (receipt.reply_id, receipt.provider_id) == (reply, f"SM{1:032x}")
    assert receipt.delivery is delivery


@pytest.mark.parametrize("status", ["received", "partially_delivered"])
async def test_a_state_that_says_nothing_is_taken_note_of_and_nothing_else(status: str) -> None:
    on = bench.Bench()
    assert (await on.post("status", bench.news(status))).status == 200
    assert not on.door.taken_receipts


@pytest.mark.case("C10")
async def test_the_query_is_signed_too() -> None:
    on = bench.Bench()
    url = f"{exchange.PUBLIC}{on.apps['status'].path}?r={'ab' * 16}"
    headers = exchange.signed(url, bench.news("sent"))
    body = urllib.parse.urlencode(bench.news("sent")).encode()
    assert (await on.post("status", body, headers, query=f"r={'cd' * 16}")).status == 403
    assert (await on.post("status", body, headers, query=f"r={'ab' * 16}")).status == 200


@pytest.mark.case("C15", "C31")
async def test_what_failures_mean_and_cost() -> None:
    on = bench.Bench()
    free, fee = money.Money(0, "USD"), money.Money(1_000, "USD")
    for number, (status, code, price) in enumerate(
        [("failed", "21610", fee), ("undelivered", "30036", free), ("undelivered", "30003", None)]
    ):
        form = bench.news(status, number, ErrorCode=code)
        await on.post("status", form, query=f"r={number:032x}")
        assert on.door.taken_receipts[-1].price == price
    left, expired, unreachable = on.door.taken_receipts
    assert left.opt_out
    assert expired.retry_at is None
    assert unreachable.retry_at is not None
    assert unreachable.retry_at > on.clock.now()


async def test_filtered_several_times_in_a_row_stops_the_channel() -> None:
    on = bench.Bench(table={"filtered_in_a_row": 3})

    async def told(number: int, status: str, code: str = "") -> bool:
        form = bench.news(status, number, **({"ErrorCode": code} if code else {}))
        assert (await on.post("status", form)).status == 200
        return on.door.taken_receipts[-1].stop_channel

    assert [await told(n, "undelivered", "30007") for n in (1, 2, 2, 1)] == [False] * 4
    assert not await told(3, "delivered")
    assert [await told(n, "undelivered", "30007") for n in (4, 5)] == [False] * 2
    on.make()
    assert await told(6, "undelivered", "30007"), "the count must outlive a restart"
    assert await told(7, "failed", "30002")


@pytest.mark.case("C07")
async def test_a_receipt_that_is_not_stored_is_not_acknowledged() -> None:
    on = bench.Bench()
    on.door.refuse(1)
    assert (await on.post("status", bench.news("sent"))).status == 503
    assert (await on.post("status", bench.news("sent"))).status == 200


# ---------------------------------------------------------------- calls


@pytest.mark.case("C16")
async def test_a_call_hears_busy_and_counts_only_if_told() -> None:
    quiet, counting = bench.Bench(), bench.Bench(table={"calls_count": True})
    for on in (quiet, counting):
        answer = await on.post("voice", bench.call())
        assert (answer.status, answer.body) == (200, BUSY)
    assert not quiet.door.accepted
    assert counting.door.accepted[0].kind is messages.Kind.CALL


@pytest.mark.case("C16")
async def test_our_recording_is_for_those_whose_delay_is_over_and_capped() -> None:
    url = "https://sms.example.org/calm.mp3?a=1&b=2"
    on = bench.Bench(table={"voice_message_url": url, "voice_messages_per_day": 2})
    assert (await on.post("voice", bench.call())).body == BUSY
    on.door.long_known.add(address.Address("sms", bench.HIS))
    bodies = [(await on.post("voice", bench.call())).body for _ in range(3)]
    assert [b"<Play>https://sms.example.org/calm.mp3?a=1&amp;b=2</Play>" in b for b in bodies] == [
        True,
        True,
        False,
    ]
    on.make()
    assert (await on.post("voice", bench.call())).body == BUSY
    await on.clock.advance(dt.timedelta(days=1).total_seconds())
    assert b"<Play>" in (await on.post("voice", bench.call())).body
