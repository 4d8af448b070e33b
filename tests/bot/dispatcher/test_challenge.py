"""A network that wants to see a human gets nothing more until one has acted."""

import datetime as dt

import pytest

from bot import build, outbox
from bot.console import holding, status
from bot.contract import clock, outcomes
from bot.store import events
from tests.fakes import world as fake

# Looks like a time that is over, and is none.
TOKEN = "1234"


async def pass_s(rooms: build.Rooms, seconds: float) -> None:
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await moment.advance(seconds)
    await rooms.flood.look()
    while await rooms.dispatcher.step():
        pass


@pytest.mark.case("C38")
async def test_a_challenge_stops_its_channel_until_somebody_resumes_it() -> None:
    world, other = fake.World(), fake.World("other")
    rooms = await fake.rooms(world, other)
    asked: list[str] = []

    def outcome(reply: object) -> outcomes.Outcome | None:
        asked.append("sms")
        retry_at = rooms.clock.now() + dt.timedelta(seconds=60)
        if len(asked) > 1:
            return None
        return outcomes.NotNow(reason="challenge", retry_at=retry_at, challenge=TOKEN)

    world.outcome = outcome
    await rooms.intake.accept([fake.message(1)])
    await pass_s(rooms, 7_000)
    assert asked == ["sms"]
    assert (await rooms.store.read(events.controls))["challenge:sms"] == TOKEN
    await rooms.intake.accept([fake.message(2, channel="other", at=rooms.clock.now())])
    for _ in range(4):
        await pass_s(rooms, 1_800)
    assert asked == ["sms"]
    assert len(other.sent) == 1

    now_ms = clock.to_ms(rooms.clock.now())
    shown = await rooms.store.read(lambda tx: status.status(tx, rooms.core, now_ms))
    assert [(h.what, h.by_network, h.until_ms) for h in shown.halts] == [("sms", True, None)]
    assert TOKEN not in repr(shown.halts)
    await rooms.store.write(lambda tx: holding.resume(tx, now_ms=now_ms, who="t"))
    assert "challenge:sms" in await rooms.store.read(events.controls)
    await rooms.store.write(lambda tx: holding.resume(tx, now_ms=now_ms, who="t", channel="sms"))
    await pass_s(rooms, 120)
    assert len(world.sent) == 1
    assert (await rooms.store.read(outbox.counts))["sent"] == 2
