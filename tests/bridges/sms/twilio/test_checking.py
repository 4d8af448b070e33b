"""What `check` finds, what `setup` writes, and whether our webhooks answer from outside."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from aiohttp import web

from bot.contract import bridge, conformance
from bridges.sms.twilio import line
from tests.bridges.sms.twilio import bench, exchange

GOOD, WARNING, FAULT = bridge.Verdict.GOOD, bridge.Verdict.WARNING, bridge.Verdict.FAULT


@dataclasses.dataclass
class Door:
    """A web server in front of the bridge's routes: our own public URL."""

    on: bench.Bench | None = None
    broken: bool = False

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._take)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def _take(self, request: web.Request) -> web.Response:
        assert self.on is not None
        if self.broken:
            return web.Response(status=404)
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers.pop("content-length", None)
        route = self.on.apps[request.path.rpartition("/")[2]]
        answer = await conformance.call(
            route.app, request.path, body=await request.read(), headers=headers
        )
        return web.Response(status=answer.status, body=answer.body)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    await made.open()
    yield made
    await made.runner.cleanup()


@pytest.fixture
async def on(world: exchange.Exchange, door: Door) -> AsyncIterator[bench.Bench]:
    made = bench.Bench(base=world.url, public=door.url)
    door.on = made
    world.now = made.clock.now
    yield made
    await made.bridge.close()


def by(found: Sequence[bridge.Finding]) -> Mapping[str, bridge.Verdict]:
    """The worst verdict about each thing."""
    order = [FAULT, WARNING, GOOD]
    return {
        one.about: min((o.verdict for o in found if o.about == one.about), key=order.index)
        for one in found
    }


async def test_a_fresh_number_is_written_and_then_found_good(
    world: exchange.Exchange, on: bench.Bench, door: Door
) -> None:
    number = f"number {exchange.OURS}"
    assert by(await on.bridge.check())[number] is FAULT
    shown = await on.bridge.set_up(apply=False)
    assert any("would set sms_url" in one.sentence for one in shown)
    (kept,) = world.numbers.values()
    assert kept["sms_url"] == "", "without apply nothing is written"
    written = by(await on.bridge.set_up(apply=True))
    assert written[number] is GOOD
    assert written["round trip"] is GOOD
    base = f"{door.url}/twilio/sms"
    assert kept["sms_url"] == f"{base}/in#rc=2&rp=ct,rt,5xx"
    assert kept["sms_fallback_url"] == f"{base}/fallback"
    assert kept["voice_url"] == f"{base}/voice"
    found = by(await on.bridge.check())
    assert found[number] is GOOD
    assert found["account"] is GOOD
    assert found["06/07"] is WARNING
    assert found["prices"] is WARNING
    assert found["public URL"] is FAULT, "plain http"
    assert not on.door.accepted


async def test_prices_that_the_running_program_was_told_are_known_to_the_check(
    on: bench.Bench,
) -> None:
    assert by(await on.bridge.check())["prices"] is WARNING
    told = '{"at":"2026-01-05T00:00:00+00:00","out":{"FR":79800},"in":{},"currency":"USD"}'
    on.storage.values[line.PRICES_KEY] = told
    await on.bridge.close()
    found = by(await on.make().check())
    assert found["prices"] is GOOD
    assert found["currency"] is WARNING, "dollars against a budget in euros"


@pytest.mark.parametrize(
    ("field", "value", "verdict"),
    [
        ("sms_url", "https://elsewhere.example.org/", FAULT),
        ("sms_method", "GET", FAULT),
        ("sms_application_sid", "AP1", FAULT),
        ("sms_fallback_url", "", WARNING),
        ("voice_url", "", WARNING),
    ],
)
async def test_what_somebody_changed_is_told_and_mended(
    world: exchange.Exchange, on: bench.Bench, field: str, value: str, verdict: bridge.Verdict
) -> None:
    await on.bridge.set_up(apply=True)
    (kept,) = world.numbers.values()
    kept[field] = value
    found = [one for one in await on.bridge.check() if one.about.startswith("number")]
    assert [one.verdict for one in found] == [verdict]
    assert field in found[0].sentence
    assert by(await on.bridge.set_up(apply=True))[f"number {exchange.OURS}"] is GOOD


async def test_a_number_that_the_account_does_not_have(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    world.numbers.clear()
    world.own("+12025550100")
    assert by(await on.bridge.check())[f"number {exchange.OURS}"] is FAULT
    assert by(await on.bridge.set_up(apply=True))[f"number {exchange.OURS}"] is FAULT


async def test_something_else_answers_at_our_public_url(on: bench.Bench, door: Door) -> None:
    door.broken = True
    assert by(await on.bridge.check())["round trip"] is FAULT
    await door.runner.cleanup()
    assert by(await on.bridge.check())["round trip"] is FAULT


async def test_a_trial_account_and_a_closed_one(world: exchange.Exchange, on: bench.Bench) -> None:
    world.account["type"] = "Trial"
    assert by(await on.bridge.check())["account"] is FAULT
    world.account.update({"type": "Full", "status": "suspended"})
    assert by(await on.bridge.check())["account"] is FAULT
    assert (await on.bridge.health()).condition is bridge.Condition.NEEDS_HUMAN


async def test_twilio_away_is_a_finding_and_no_error(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    await world.close()
    assert by(await on.bridge.check())["account"] is FAULT
    assert (await on.bridge.health()).condition is bridge.Condition.DOWN


async def test_without_a_public_url_only_the_sweep_is_left(world: exchange.Exchange) -> None:
    made = bench.Bench(base=world.url, public="")
    assert by(await made.bridge.check())["public URL"] is FAULT
    assert by(await made.bridge.set_up(apply=True))["public URL"] is FAULT
    await made.bridge.send(made.reply())
    (message,) = world.messages.values()
    assert message["_callback"] == ""
    await made.bridge.close()


async def test_a_channel_that_gives_us_away_is_refused_until_it_is_set_up_again(
    on: bench.Bench,
) -> None:
    await on.post("in", bench.sms(OptOutType="STOP"))
    finding = next(one for one in await on.bridge.check() if one.about == "keywords")
    assert finding.verdict is FAULT
    assert "refused for cover" in finding.sentence
    await on.bridge.set_up(apply=True)
    assert line.ANSWERS_KEY not in on.storage.values
    listening = asyncio.create_task(on.bridge.listen(on.door))
    await on.clock.advance(1)
    assert not listening.done()
    listening.cancel()


@pytest.mark.parametrize("answers", [True, False])
async def test_our_second_number_tries_the_keywords(
    world: exchange.Exchange, door: Door, answers: bool
) -> None:
    second = "+12025550100"
    world.own(second)
    made = bench.Bench(
        base=world.url, public=door.url, table={"addresses": [exchange.OURS, second]}
    )
    door.on, world.now = made, made.clock.now
    setting = asyncio.create_task(made.bridge.set_up(apply=True))
    await bench.until(lambda: len(world.messages) == 4)
    async with asyncio.timeout(10):
        asked = [one["body"] for one in world.messages.values()]
        if answers:
            sorry = "You have successfully been unsubscribed."
            world._message(exchange.OURS, second, sorry, "inbound", "received")
        while not setting.done():
            await made.clock.advance(30)
    assert asked == ["STOP", "HELP", "INFO", "START"]
    assert by(setting.result())["keywords"] is (FAULT if answers else GOOD)
    assert (line.ANSWERS_KEY in made.storage.values) is answers
    await made.bridge.close()


def test_french_numbers_for_persons_want_a_release() -> None:
    french, other = bench.Bench(), bench.Bench(table={"addresses": ["+12025550100"]})
    assert "person-to-person" in str(french.bridge.release_reason())
    assert other.bridge.release_reason() is None
