"""The forum: it goes through the intake, tells the truth about itself, and only in the demo."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.contract import address, clock, money
from bot.contract.conformance import fakes
from bridges.simulator import api, bridge, crowd, forum
from tests.bridges.simulator import world

TARGET = "/phone/sms/api/forum"


class Evening:
    """A simulator on a lapse clock over a clock that the test moves."""

    def __init__(self) -> None:
        self.inner = fakes.FakeClock(world.NOW)
        self.lapse = clock.LapseClock(self.inner)
        self.bridge: bridge.Simulator = world.made(self.lapse)
        self.door = world.Door()
        self.app = self.bridge.routes(self.door)[0].app

    async def post(self, **body: Any) -> world.Answer:  # noqa: ANN401 (JSON)
        return await world.call(self.app, "POST", TARGET, json.dumps(body).encode())

    async def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = (await world.call(self.app, "GET", TARGET)).json()
        return found

    async def pass_s(self, seconds: float, step_s: float = 0.25) -> None:
        """Real seconds, in steps."""
        passed_s = 0.0
        while passed_s < seconds:
            await self.inner.advance(step_s)
            passed_s += step_s

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.bridge.listen(self.door))
        try:
            async with asyncio.timeout(60):
                yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.mark.case("C17")
async def test_a_raid_comes_in_by_the_intake_and_is_counted_as_it_was() -> None:
    made = Evening()
    async with made.listening():
        told = (await made.post(kind="raid", lang="fr")).json()
        assert (told["running"], told["messages"]) == (True, 0)
        assert made.lapse.speed == forum.DAY_SPEED
        await made.pass_s(15.5)
        assert made.lapse.speed == forum.SPEED
        await made.pass_s(20.5)
        told = await made.shown()
        assert told["messages"] == len(made.door.taken) > 1_000
        assert len({one.provider_id for one in made.door.taken}) == told["messages"]
        senders = {one.sender.value for one in made.door.taken}
        assert sum(role["wrote"] for role in told["roles"].values()) == len(senders)
        assert (told["running"], told["writing"]) == (True, False)
        assert told["naive_2017"] == money.Money(160_000 * told["messages"], "EUR").decimal()
        await made.pass_s(20)
        told = await made.shown()
        assert (told["running"], told["progress"], made.lapse.speed) == (False, 1.0, 1.0)


async def test_who_got_a_reply_is_counted_by_what_the_phones_received() -> None:
    made = Evening()
    async with made.listening():
        await made.post(kind="viral", lang="en")
        await made.pass_s(3)
        someone = made.door.taken[0].sender.value
        for reply_id in ("a" * 32, "b" * 32):
            await made.bridge.send(world.reply(reply_id, someone))
        await made.bridge.send(world.reply("c" * 32, world.HIS))
        told = await made.shown()
        assert told["roles"]["before"]["answered"] == 1
        assert told["spent"] == "0.16"


async def test_the_second_evening_needs_no_ordinary_day() -> None:
    made = Evening()
    async with made.listening():
        await made.post(kind="bait", lang="fr")
        assert (await made.post(kind="raid", lang="fr")).status == 409
        await made.pass_s(17)
        await made.post(kind=None)
        assert (await made.shown())["running"] is False
        assert made.lapse.speed == 1.0
        told = (await made.post(kind="raid", lang="fr")).json()
        assert told["begins_ms"] == told["started_ms"]
        before = len(made.door.taken)
        await made.pass_s(6)
        assert len(made.door.taken) > before
        assert (await made.shown())["messages"] == len(made.door.taken) - before


async def test_a_speed_chosen_meanwhile_is_left_alone() -> None:
    made = Evening()
    async with made.listening():
        await made.post(kind="bait", lang="fr")
        made.lapse.set_speed(5)
        await made.post(kind=None)
        assert made.lapse.speed == 5


async def test_what_was_not_stored_is_said_again() -> None:
    made = Evening()
    async with made.listening():
        made.door.away = True
        await made.post(kind="viral", lang="fr")
        await made.pass_s(3)
        assert ((await made.shown())["messages"], made.door.taken) == (0, [])
        made.door.away = False
        await made.pass_s(3)
        ids = [one.provider_id.rpartition("-")[2] for one in made.door.taken]
        assert ids == [str(place) for place in range(len(ids))]
        assert len(ids) > 10


async def test_there_is_no_forum_where_the_clock_is_the_real_one() -> None:
    app = world.made().routes(world.Door())[0].app
    refused = await world.call(app, "POST", TARGET, b'{"kind": "raid", "lang": "fr"}')
    assert refused.status == 409
    assert (await world.call(app, "GET", TARGET)).json() == {"kind": None, "running": False}


@pytest.mark.parametrize(
    "body", [{"kind": "war", "lang": "fr"}, {"kind": "raid", "lang": "xx"}, {"kind": 1}]
)
async def test_what_cannot_be_let_loose_is_refused(body: dict[str, Any]) -> None:
    made = Evening()
    assert (await made.post(**body)).status == 400
    assert made.lapse.speed == 1.0


async def test_prices_are_those_configured() -> None:
    app = world.made(prices={"FR": "0.07", "default": "0.12"}).routes(world.Door())[0].app
    assert isinstance(app, api.Api)
    told = (await world.call(app, "GET", "/phone/sms/api/prices")).json()
    assert told == {"currency": "EUR", "prices": {"FR": "0.07", "default": "0.12"}}


def test_the_crowd_is_recognised_and_nobody_else() -> None:
    made = forum.Forum(
        world.context(), address.Address(address.SMS, world.OURS), money.Money(80_000, "EUR")
    )
    his = address.Address(address.SMS, world.HIS)
    assert made.answered(his, money.Money(80_000, "EUR")) is False
    made.start(crowd.Kind.BAIT, "fr")
    with pytest.raises(forum.BusyError):
        made.start(crowd.Kind.BAIT, "fr")
    assert made.answered(his, money.Money(80_000, "EUR")) is False
