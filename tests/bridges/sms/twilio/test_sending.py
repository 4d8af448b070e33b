"""What comes of a send: each answer of Twilio's is one of the four outcomes."""

import asyncio
import datetime as dt
import socket

import pytest

from bot.contract import address, outcomes
from bridges.sms.twilio import errors, sending
from tests.bridges.sms.twilio import bench, exchange

FINAL = [21211, 21408, 21612, 21614, 21635, 30004, 30005, 30006, 30450, 60410, 60605]


async def test_a_send_says_who_to_what_until_when_and_where_to_report(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    outcome = await on.bridge.send(on.reply(7, valid_s=90_000))
    (message,) = world.messages.values()
    assert outcome == outcomes.Accepted(provider_id=message["sid"], parts=1)
    (_, _, _, form) = world.seen[-1]
    assert form == {
        "To": bench.HIS,
        "From": exchange.OURS,
        "Body": "Bonjour. Un non se respecte.",
        "StatusCallback": f"{exchange.PUBLIC}/twilio/sms/status?r={7:032x}",
        "ValidityPeriod": "36000",
    }


@pytest.mark.case("C43")
async def test_the_reply_goes_out_from_the_number_written_to(world: exchange.Exchange) -> None:
    second = "+12025550100"
    made = bench.Bench(base=world.url, table={"addresses": [exchange.OURS, second]})
    for number, own in enumerate((second, exchange.OURS)):
        reply = made.reply(number)
        object.__setattr__(reply, "sender", address.Address("sms", own))
        await made.bridge.send(reply)
    assert [one["from"] for one in world.messages.values()] == [second, exchange.OURS]
    await made.bridge.close()


@pytest.mark.parametrize(("valid_s", "told"), [(0.5, None), (-5, None), (1, "1"), (600, "600")])
async def test_validity_is_what_is_left(
    world: exchange.Exchange, on: bench.Bench, valid_s: float, told: str | None
) -> None:
    outcome = await on.bridge.send(on.reply(valid_s=valid_s))
    assert isinstance(outcome, outcomes.Accepted if told else outcomes.Rejected)
    assert [form.get("ValidityPeriod") for *_, form in world.seen] == ([told] if told else [])


@pytest.mark.parametrize("code", FINAL)
async def test_final_for_this_recipient(
    world: exchange.Exchange, on: bench.Bench, code: int
) -> None:
    world.faults.append(exchange.Fault(kind="no", status=400, code=code))
    outcome = await on.bridge.send(on.reply())
    assert isinstance(outcome, outcomes.Rejected)
    assert not outcome.stop_channel
    assert not outcome.opt_out
    assert outcome.reason == errors.CODES[code][1]
    assert not world.messages


@pytest.mark.case("C15")
async def test_opted_out(world: exchange.Exchange, on: bench.Bench) -> None:
    world.faults.append(exchange.Fault(kind="no", status=400, code=21610))
    outcome = await on.bridge.send(on.reply())
    assert isinstance(outcome, outcomes.Rejected)
    assert outcome.opt_out


@pytest.mark.parametrize(
    ("status", "code"), [(401, 20003), (403, 20003), (400, 30002), (400, 21606), (401, 0)]
)
async def test_the_account_is_in_trouble(
    world: exchange.Exchange, on: bench.Bench, status: int, code: int
) -> None:
    world.faults.append(exchange.Fault(kind="no", status=status, code=code))
    outcome = await on.bridge.send(on.reply())
    assert isinstance(outcome, outcomes.Rejected)
    assert outcome.stop_channel


@pytest.mark.case("C05")
@pytest.mark.parametrize(
    ("status", "code", "asked", "least_s", "most_s"),
    [
        (429, 20429, "7", 7, 7),
        (429, 0, "", 1, 60),
        (429, 20429, "soon", 1, 60),
        (429, 20429, "9999999", 1, 86_400),
        (400, 21611, "", 600, 3_600),
        (400, 30001, "", 600, 3_600),
        (429, 63038, "5", 60, 90_000),
    ],
)
async def test_not_now(  # noqa: PLR0917 (a table)
    world: exchange.Exchange,
    on: bench.Bench,
    status: int,
    code: int,
    asked: str,
    least_s: int,
    most_s: int,
) -> None:
    fault = exchange.Fault(kind="no", status=status, code=code, retry_after=asked)
    world.faults.append(fault)
    outcome = await on.bridge.send(on.reply())
    assert isinstance(outcome, outcomes.NotNow)
    wait_s = (outcome.retry_at - on.clock.now()).total_seconds()
    assert least_s <= wait_s <= most_s
    assert outcome.challenge is None
    assert not world.messages
    assert isinstance(await on.bridge.send(on.reply()), outcomes.Accepted)
    assert len(world.messages) == 1


async def test_the_days_limit_waits_for_the_next_day(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    world.faults.append(exchange.Fault(kind="no", status=429, code=63038))
    outcome = await on.bridge.send(on.reply())
    assert isinstance(outcome, outcomes.NotNow)
    assert outcome.retry_at.date() == on.clock.now().date() + dt.timedelta(days=1)


@pytest.mark.case("C04")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        exchange.Fault(kind="cut"),
        exchange.Fault(kind="nonsense"),
        exchange.Fault(kind="no", status=500),
        exchange.Fault(kind="no", status=503, code=20429),
        exchange.Fault(kind="no", status=408),
        exchange.Fault(kind="no", status=302),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_nobody_knows(
    world: exchange.Exchange, on: bench.Bench, fault: exchange.Fault, after: bool
) -> None:
    world.faults.append(exchange.Fault(kind=fault.kind, status=fault.status, after=after))
    outcome = await on.bridge.send(on.reply())
    assert isinstance(outcome, outcomes.Unknown)
    assert len(world.messages) == after
    assert len(world.seen) == 1, "a send is made once, whatever comes of it"


@pytest.mark.case("C04")
async def test_a_stalled_answer_ends_by_our_own_limit(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    world.faults.append(exchange.Fault(kind="hang", after=True))
    outcome = await on.bridge.send(on.reply())
    assert outcome == outcomes.Unknown(reason="time limit")
    assert len(world.messages) == 1


async def test_a_few_at_a_time(world: exchange.Exchange, on: bench.Bench) -> None:
    """Ten hang; the others come back at once instead of being thrown after them."""
    world.faults += [exchange.Fault(kind="hang") for _ in range(sending.PLACES)]
    sends = [asyncio.create_task(on.bridge.send(on.reply(n))) for n in range(1, 31)]
    async with asyncio.timeout(30):
        crowded = await asyncio.gather(*sends[sending.PLACES :])
        assert all(isinstance(one, outcomes.NotNow) for one in crowded)
        ended = await asyncio.gather(*sends[: sending.PLACES])
    assert all(isinstance(one, outcomes.Unknown) for one in ended)
    assert len(world.seen) == sending.PLACES
    assert not world.messages


async def test_no_connection_is_certain() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody is there
        made = bench.Bench(base=f"http://127.0.0.1:{taken.getsockname()[1]}")
        outcome = await made.bridge.send(made.reply())
        assert isinstance(outcome, outcomes.NotNow)
        await made.bridge.close()


@pytest.mark.case("C19")
@pytest.mark.parametrize(
    "digits",
    ["881623456789", "8821612345678", "979123456789", "882991234567", "21612345678"],
)
async def test_expensive_ranges_have_no_price_and_are_not_sent_to(
    world: exchange.Exchange, on: bench.Bench, digits: str
) -> None:
    """Satellite and global ranges; a country without a price counts as expensive too."""
    to = f"+{digits}"
    recipient = address.Address("sms", to)
    assert on.bridge.quote(recipient, "x") is None
    assert not on.bridge.reaches(recipient)
    assert isinstance(await on.bridge.send(on.reply(to=to)), outcomes.Rejected)
    assert not world.seen


def test_every_code_of_the_facts_is_known() -> None:
    listed = {
        *(20003, 21211, 21408, 21612, 21614, 21635, 30004, 30005, 30006, 21610, 21611, 30001),
        *(30002, 30003, 30008, 30007, 30036, 30450, 60410, 60605, 63038, 20429),
    }
    assert listed <= set(errors.CODES)
