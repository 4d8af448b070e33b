"""A bad line to Twilio's API: what may have gone out is unknown, and is found again once."""

from __future__ import annotations

import asyncio
import collections
import datetime as dt

import pytest

from bot.contract import address, bridge, messages, outcomes
from bot.contract.conformance import fakes
from tests.bridges.sms.twilio import between, exchange, house
from tests.chaos import figures as kept
from tests.chaos import table
from tests.peers import chaos, emulate

ROWS = ("Twilio's emulator",)
LIMIT_S = 60.0
PLACES = [
    (fault, more, times) for fault, places in table.EMULATED.items() for more, times in places
]


def reply(number: int, now: dt.datetime) -> messages.OutboundReply:
    return messages.OutboundReply(
        reply_id=f"{number:032x}",
        channel=house.CHANNEL,
        sender=address.Address(address.SMS, exchange.OURS),
        recipient=address.Address(address.SMS, _to(number)),
        text="Bonjour.",
        valid_until=now + dt.timedelta(hours=4),
    )


@pytest.mark.slow
@pytest.mark.case("C04", "C03")
async def test_a_bad_line_in_every_place_of_a_send(figures: kept.Figures) -> None:
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
            for number, (fault, more, times) in enumerate(PLACES):
                await made.bridge.close()
                line.order(fault, **more)
                told = await made.bridge.send(reply(number, clock.now()))
                await asyncio.wait_for(line.hit.wait(), 10)
                # Accepted where it could be asked for at once; never "it did not go out".
                expected = outcomes.Accepted | outcomes.Unknown if times else outcomes.Unknown
                assert isinstance(told, expected), (fault, more)
                line.mend()
            listed = collections.Counter(str(one["to"]) for one in await whole.listed())
            for number, (fault, more, times) in enumerate(PLACES):
                assert listed[_to(number)] == times, (fault, more)
                # Asked by our own id, since we never heard theirs.
                found = await made.bridge.fetch_status(_sent(number, clock.now()))
                # Two that bear the same words to the same number are for a moderator to tell.
                assert (found is not None) is (times == 1), (fault, more)
            await made.bridge.close()
        await made.rooms.store.close()
        await whole.close()
    assert line.struck == {fault: len(places) for fault, places in table.EMULATED.items()}
    for fault, places in table.EMULATED.items():
        figures.add(ROWS[0], fault, len(places), replies=len(places))
    mine = listed.total() - line.struck[chaos.Fault.DOUBLE]  # without those that the line made
    twice = {"answered": len(listed), "answered twice by us": mine - len(listed)}
    figures.count(ROWS[0], **twice)


def _to(number: int) -> str:
    return f"+3363998{1000 + number:04d}"


def _sent(number: int, now: dt.datetime) -> bridge.SentReply:
    one = reply(number, now)
    return bridge.SentReply(
        reply_id=one.reply_id, provider_id=None, recipient=one.recipient, sent_at=now
    )
