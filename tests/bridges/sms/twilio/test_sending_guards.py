"""What a send never does: go elsewhere, from a number that is not ours, or late."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from bot.contract import address, outcomes
from bridges.sms.twilio import sending
from tests.bridges.sms.twilio import bench, exchange


@pytest.mark.case("C04")
@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """A send is made once: 307 would have it made again, and 302 would read a page as an answer."""
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "/there"})

    async def there(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"sid": "SM" + "0" * 32, "status": "queued"}, status=201)

    app = web.Application()
    app.router.add_route("*", "/there", there)
    app.router.add_post("/{rest:.*}", elsewhere)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made = bench.Bench(base=f"http://127.0.0.1:{runner.addresses[0][1]}")
    outcome = await made.bridge.send(made.reply())
    await made.bridge.close()
    await runner.cleanup()
    assert isinstance(outcome, outcomes.Unknown)
    assert len(asked) == 1
    assert "/there" not in asked


@pytest.mark.case("C43")
async def test_a_number_that_was_given_back_sends_nothing_and_stops_nothing(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    reply = on.reply()
    object.__setattr__(reply, "sender", address.Address("sms", "+12025550100"))
    outcome = await on.bridge.send(reply)
    assert isinstance(outcome, outcomes.Rejected)
    assert not outcome.stop_channel
    assert not world.seen


async def test_who_finds_no_place_comes_back_unsent(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    """What waits here would leave after a pause, or a STOP, that came meanwhile."""
    world.faults += [exchange.Fault(kind="hang") for _ in range(sending.PLACES)]
    sends = [asyncio.create_task(on.bridge.send(on.reply(n))) for n in range(sending.PLACES)]
    await bench.until(lambda: len(world.seen) == sending.PLACES)
    async with asyncio.timeout(30):
        outcome = await on.bridge.send(on.reply(99))
    assert isinstance(outcome, outcomes.NotNow)
    assert outcome.retry_at > on.clock.now()
    assert len(world.seen) == sending.PLACES
    world.hanging.set()
    await asyncio.gather(*sends)
    # And it took nobody's place.
    assert isinstance(await on.bridge.send(on.reply(99)), outcomes.Accepted)
