"""A network that wants to see a human gets nothing more until one has acted."""

import datetime as dt
from typing import NoReturn

import pytest
import sqlalchemy as sa

from bot import build, outbox
from bot.console import challenge, holding, status
from bot.contract import bridge, clock, outcomes
from bot.store import events, tables
from tests.bot.dispatcher import test_routes as routes
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


class Challenged(routes.Handle):
    """A network that wants a human at the first look-up, and takes his answer."""

    asks = 0

    async def look_up(self, addresses: object) -> NoReturn:
        self.asks += 1
        raise bridge.ChallengedError(TOKEN)

    async def solve(self, token: str, answer: str) -> bool:
        return (token, answer) == (TOKEN, "solved")


@pytest.mark.case("C28")
async def test_a_challenge_met_at_a_look_up_stops_its_channel_too_and_can_be_solved() -> None:
    twilio, _ = routes.accounts()
    own = "00000000-0000-4000-8000-000000000001"
    signal = Challenged("sim", own, lambda _: 0, network="signal")
    rooms = await routes.open_house(twilio, signal, core=routes.core(look_ups_per_day=50))
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    await rooms.intake.accept([fake.message(1)])
    await moment.advance(3_600 + 45 * 60)
    assert await rooms.janitor.step("look_ups") == {"looked_up": 1}
    assert (await rooms.store.read(events.controls))["challenge:sim"] == TOKEN
    told = sa.select(tables.events.c.data).where(tables.events.c.kind == "challenge")
    assert await rooms.store.read(lambda tx: tx.execute(told).scalars().all()) == [
        '{"channel": "sim"}'
    ]
    await rooms.intake.accept([fake.message(2)])
    await moment.advance(3_600 + 45 * 60)
    assert await rooms.janitor.step("look_ups") == {"looked_up": 0}
    assert signal.asks == 1

    now_ms = clock.to_ms(moment.now())
    done = await challenge.hand_in(rooms.store, signal, "solved", now_ms=now_ms, who="t")
    assert done.ok
    assert "challenge:sim" not in await rooms.store.read(events.controls)
