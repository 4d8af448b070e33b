"""A bad line to Twilio's API: what may have gone out is unknown, and is found again once."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from bot.contract import address, bridge, messages, outcomes
from bot.contract.conformance import fakes
from tests.bridges.sms.twilio import between, exchange, house
from tests.peers import chaos, emulate

LIMIT_S = 60.0
UP, DOWN = chaos.Way.UP, chaos.Way.DOWN
FAULTS: tuple[tuple[chaos.Fault, dict[str, Any], int], ...] = (
    (chaos.Fault.CUT, {"way": UP, "after": 10}, 0),
    (chaos.Fault.CUT, {"way": DOWN, "after": 10}, 1),
    (chaos.Fault.HALF_OPEN, {"way": DOWN}, 1),
    (chaos.Fault.STALL, {"way": DOWN}, 1),
    (chaos.Fault.DRIP, {"way": UP}, 1),
    # A replay between us and them: Twilio has no idempotency, so it is two; neither is ours.
    (chaos.Fault.DOUBLE, {"at": b"Body="}, 2),
)


def reply(number: int, now: dt.datetime) -> messages.OutboundReply:
    return messages.OutboundReply(
        reply_id=f"{number:032x}",
        channel=house.CHANNEL,
        sender=address.Address(address.SMS, exchange.OURS),
        recipient=address.Address(address.SMS, f"+3363998{1000 + number:04d}"),
        text="Bonjour.",
        valid_until=now + dt.timedelta(hours=4),
    )


@pytest.mark.slow
@pytest.mark.case("C04", "C03")
async def test_a_bad_line_in_every_place_of_a_send() -> None:
    reason = emulate.missing()
    if reason:
        pytest.skip(reason)
    numbers = [{"phone_number": exchange.OURS}]
    clock = fakes.FakeClock()
    async with (
        asyncio.timeout(LIMIT_S),
        emulate.running(exchange.ACCOUNT, exchange.TOKEN, numbers) as url,
    ):
        whole = between.Between(url, clock.now)
        await whole.open()
        # It adds the dates by our clock that the emulator lacks.
        line = chaos.Proxy(port=int(whole.url.rpartition(":")[2]))
        async with line.running():
            made = await house.built(f"http://127.0.0.1:{line.port}", clock)
            for number, (fault, more, times) in enumerate(FAULTS):
                await made.bridge.close()
                line.order(fault, **more)
                told = await made.bridge.send(reply(number, clock.now()))
                await asyncio.wait_for(line.hit.wait(), 10)
                # Accepted where it could be asked for at once; never "it did not go out".
                expected = outcomes.Accepted | outcomes.Unknown if times else outcomes.Unknown
                assert isinstance(told, expected), (fault, more)
                line.mend()
            listed = [one["to"] for one in await whole.listed()]
            for number, (fault, _, times) in enumerate(FAULTS):
                assert listed.count(f"+3363998{1000 + number:04d}") == times, fault
                # Asked by our own id, since we never heard theirs.
                found = await made.bridge.fetch_status(_sent(number, clock.now()))
                # Two that bear the same words to the same number are for a moderator to tell.
                assert (found is not None) is (times == 1), fault
            await made.bridge.close()
        await made.rooms.store.close()
        await whole.close()
        mine = len(listed) - 1  # without the one that the line made
        chaos.record("twilio", line.struck, sends=len(FAULTS), twice=mine - len(set(listed)))


def _sent(number: int, now: dt.datetime) -> bridge.SentReply:
    one = reply(number, now)
    return bridge.SentReply(
        reply_id=one.reply_id, provider_id=None, recipient=one.recipient, sent_at=now
    )
