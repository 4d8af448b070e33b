"""What became of a reply, what came in meanwhile, what is forgotten at Twilio."""

import datetime as dt

import pytest

from bot.contract import address, bridge, intake, messages, money, outcomes
from bridges.sms.twilio import client
from tests.bridges.sms.twilio import bench, exchange


def lost(on: bench.Bench, number: int = 1, provider_id: str | None = None) -> bridge.SentReply:
    return bridge.SentReply(
        reply_id=f"{number:032x}",
        provider_id=provider_id,
        recipient=address.Address("sms", bench.HIS),
        sent_at=on.clock.now(),
    )


@pytest.mark.case("C31")
@pytest.mark.parametrize(
    ("told", "unit", "price"),
    [
        (None, "USD", None),
        ("-0.07980", "USD", money.Money(79_800, "USD")),
        ("0.0798", "eur", money.Money(79_800, "EUR")),
        ("-0.0000001", "USD", money.Money(1, "USD")),
        ("0", "USD", money.Money(0, "USD")),
        ("nan", "USD", None),
        ("-1e999", "USD", None),
        ("0.08", "", None),
        ({}, "USD", None),
    ],
)
async def test_late_prices(
    world: exchange.Exchange,
    on: bench.Bench,
    told: object,
    unit: str,
    price: money.Money | None,
) -> None:
    sent = await on.bridge.send(on.reply())
    assert isinstance(sent, outcomes.Accepted)
    world.tell(sent.provider_id, "delivered", price=told, price_unit=unit, num_segments="0")
    receipt = await on.bridge.fetch_status(lost(on, provider_id=sent.provider_id))
    assert receipt is not None
    assert receipt.delivery is messages.Delivery.DELIVERED
    assert receipt.price == price
    assert receipt.parts is None, "0 parts means that Twilio does not know yet"
    assert receipt.reply_id == f"{1:032x}"


@pytest.mark.case("C03")
async def test_a_reply_whose_id_was_lost_is_found_in_the_list(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    world.faults.append(exchange.Fault(kind="cut", after=True))
    assert isinstance(await on.bridge.send(on.reply()), outcomes.Unknown)
    world.receive(bench.HIS, "an incoming one is not it")
    receipt = await on.bridge.fetch_status(lost(on))
    assert receipt is not None
    assert receipt.provider_id == f"SM{1:032x}"
    assert receipt.delivery is messages.Delivery.SENT
    # Also after a restart, when nobody remembers the text any more.
    await on.bridge.close()
    again = on.make()
    assert await again.fetch_status(lost(on)) == receipt
    await again.close()


@pytest.mark.case("C03")
async def test_what_could_be_two_is_left_to_people(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    for _ in range(2):
        world.faults.append(exchange.Fault(kind="cut", after=True))
        await on.bridge.send(on.reply())
    assert await on.bridge.fetch_status(lost(on)) is None
    assert len(world.messages) == 2


@pytest.mark.parametrize("change", ["text", "old", "other number"])
async def test_another_message_to_him_is_not_it(
    world: exchange.Exchange, on: bench.Bench, change: str
) -> None:
    world.faults.append(exchange.Fault(kind="cut", after=True))
    await on.bridge.send(on.reply())
    (message,) = world.messages.values()
    message.update(
        {
            "text": {"body": "something else"},
            "old": {"date_created": "Mon, 16 Aug 2010 03:45:01 +0000"},
            "other number": {"from": "+12025550100"},
        }[change]
    )
    assert await on.bridge.fetch_status(lost(on)) is None


async def test_nothing_known_and_twilio_away_are_two_things(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    assert await on.bridge.fetch_status(lost(on, provider_id="SM" + "9" * 32)) is None
    await world.close()
    with pytest.raises(client.AbsentError):
        await on.bridge.fetch_status(lost(on))


@pytest.mark.case("C09")
async def test_the_sweep_hands_in_what_the_webhooks_missed(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    form = world.receive("+33639980001", "un")
    await on.post("in", form)
    await on.clock.advance(120)
    world.receive("+33639980002", "", num_media="1")
    world.receive("+33639980003", "trois", num_segments="2", price="-0.0150")
    await on.bridge.send(on.reply())
    await on.clock.advance(600)
    listed = await on.bridge.sweep(on.door, on.clock.now() - dt.timedelta(hours=1))
    assert listed == 3
    assert len(on.door.stored) == 3
    first, picture, third = on.door.accepted[1:]
    assert first.provider_id == form["MessageSid"]
    assert picture.kind is messages.Kind.ATTACHMENT
    assert (third.text, third.parts, third.cost) == ("trois", 2, money.Money(15_000, "USD"))
    assert third.received_at == on.clock.now() - dt.timedelta(seconds=600)
    (_, _, query, _) = world.seen[-1]
    assert query["To"] == exchange.OURS
    assert query["DateSent>"] == "2026-01-04T00:00:00Z"


@pytest.mark.case("C09")
async def test_a_long_list_is_read_to_its_end(world: exchange.Exchange, on: bench.Bench) -> None:
    """Far more than arrives in one piece."""
    for number in range(3_000):
        world.receive(f"+3363998{number + 1:04d}", "x" * 160)
    assert await on.bridge.sweep(on.door, on.clock.now()) == 3_000


@pytest.mark.case("C09", "C07")
async def test_a_sweep_that_could_not_be_stored_says_so(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    world.receive("+33639980001", "un")
    on.door.refuse(1)
    with pytest.raises(intake.NotStoredError):
        await on.bridge.sweep(on.door, on.clock.now())
    assert await on.bridge.sweep(on.door, on.clock.now()) == 1
    assert len(on.door.accepted) == 1


@pytest.mark.parametrize("manner", ["redact", "delete"])
async def test_what_is_forgotten_at_twilio(world: exchange.Exchange, manner: str) -> None:
    made = bench.Bench(base=world.url, table={"at_provider": manner})
    world.now = made.clock.now
    assert isinstance(made.bridge, bridge.DeletesAtProvider)
    sent = await made.bridge.send(made.reply())
    assert isinstance(sent, outcomes.Accepted)
    assert await made.bridge.delete(sent.provider_id)
    if manner == "delete":
        assert not world.messages
        assert await made.bridge.delete("SM" + "9" * 32), "gone is gone"
    else:
        assert world.messages[sent.provider_id]["body"] == ""
    await made.bridge.close()


async def test_his_words_are_redacted_once_no_sweep_needs_them(world: exchange.Exchange) -> None:
    made = bench.Bench(base=world.url, table={"at_provider": "redact"})
    world.now = made.clock.now
    world.receive("+33639980001", "un")
    await made.clock.advance(40 * 3_600)
    world.receive("+33639980002", "deux")
    since = made.clock.now() - dt.timedelta(days=2)
    await made.bridge.sweep(made.door, since)
    assert [one["body"] for one in world.messages.values()] == ["", "deux"]
    assert await made.bridge.sweep(made.door, since) == 1
    assert {one.text for one in made.door.accepted} == {"un", "deux"}
    await made.bridge.close()


async def test_nothing_is_forgotten_unless_told(on: bench.Bench) -> None:
    assert not isinstance(on.bridge, bridge.DeletesAtProvider)


async def test_look_ups_only_where_told_and_only_real_answers(world: exchange.Exchange) -> None:
    plain, paid = bench.Bench(base=world.url), bench.Bench(base=world.url, table={"lookup": True})
    assert not isinstance(plain.bridge, bridge.GivesSecondOpinions)
    assert isinstance(paid.bridge, bridge.GivesSecondOpinions)
    assert paid.bridge.opinion_price() == money.Money(8_000, "USD")
    numbers = [f"+3363998{n:04d}" for n in range(1, 6)]
    world.lines = {
        numbers[0]: {"type": "mobile"},
        numbers[1]: {"type": "landline"},
        numbers[2]: None,
        numbers[3]: {"type": None, "error_code": 60601},
    }
    asked = [address.Address("sms", one) for one in numbers]
    assert await paid.bridge.opinions(asked) == {asked[0]: True, asked[1]: False}
    await paid.bridge.close()
