"""A homeserver that limits, refuses, breaks or is away: no hot loop, nothing lost (C24)."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from aiohttp import web

from bot.contract import bridge as contract
from bot.contract import clock, room
from tests.bridges.matrix import world
from tests.peers import matrix_proxy, synapse

FAILURES = 12


class QuickClock:
    """The machine's clock, whose waits are written down instead of waited for."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.ahead_s = 0.0

    def now(self) -> dt.datetime:
        return clock.SystemClock().now() + dt.timedelta(seconds=self.ahead_s)

    def monotonic(self) -> float:
        return clock.SystemClock().monotonic() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def first(number: int, end: str, answer: web.Response | str) -> matrix_proxy.Fault:
    """Fail the first requests whose path has this end."""
    left = number

    def fault(_method: str, path: str) -> web.Response | str | None:
        nonlocal left
        if path.endswith(end) and left:
            left -= 1
            return answer if isinstance(answer, str) else _copy(answer)
        return None

    return fault


def _copy(answer: web.Response) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)


@pytest.mark.case("C24")
@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=502, text="<html>bad gateway</html>"),
        web.Response(status=404, text="<html>not here</html>"),
        web.Response(status=200, text="not json"),
        web.json_response({"errcode": "M_UNKNOWN", "error": "database"}, status=500),
        matrix_proxy.CUT,
    ],
    ids=["502", "404-html", "nonsense", "500", "cut"],
)
async def test_a_homeserver_in_trouble_is_asked_ever_more_rarely(
    server: synapse.Synapse, tmp_path: Path, answer: web.Response | str
) -> None:
    async with world.met(server, tmp_path, encrypted=False) as (bot, ada, room_id):
        await ada.say(room_id, "!before")
        await bot.door.until(lambda: bot.door.commands() == ["!before"])
        await bot.kill()
        proxy, quick = matrix_proxy.Proxy(server.url), QuickClock()
        proxy.fault = first(FAILURES, "/sync", answer)
        async with proxy.running():
            bot.url, bot.clock = proxy.url, quick
            bot.start()
            await ada.say(room_id, "!after")
            await bot.door.until(lambda: bot.door.commands() == ["!before", "!after"])
            await bot.kill()
        # aiohttp itself asks once more at once where a kept connection turns out to be dead.
        tries = FAILURES // 2 if answer == matrix_proxy.CUT else FAILURES
        pauses = quick.slept[:tries]
        assert len(pauses) == tries
        for number, pause_s in enumerate(pauses):
            full_s = min(120.0, 2.0**number)
            assert full_s / 2 <= pause_s <= full_s
        assert len(set(pauses)) == tries, "no jitter"


@pytest.mark.case("C24")
async def test_a_login_that_is_gone_ends_the_loop_for_a_human(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=False) as (bot, _ada, _room_id):
        await bot.kill()
        proxy = matrix_proxy.Proxy(server.url)
        proxy.fault = first(10_000, "/sync", matrix_proxy.logged_out())
        async with proxy.running():
            bot.url = proxy.url
            bot.start()
            ended = await bot.ended()
            assert isinstance(ended, ExceptionGroup)
            down = ended.exceptions[0]
            assert isinstance(down, contract.BridgeDownError)
            assert down.needs_human is not None
            assert "antirelou setup moderators --apply" in down.needs_human
            assert proxy.count("/sync") == 1


@pytest.mark.case("C24")
async def test_a_429_is_waited_for_and_an_answer_overtakes_the_notices(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=False) as (bot, ada, room_id):
        await bot.kill()
        proxy, quick = matrix_proxy.Proxy(server.url), QuickClock()

        def fault(method: str, path: str) -> web.Response | None:
            if method != "PUT" or "/send/m.room.message/" not in path or quick.slept:
                return None
            # While we wait, somebody asks.
            bot.door.put(world.said("the answer", room_id=room_id, lane=room.Lane.ANSWER))
            return matrix_proxy.limited(7_000)

        proxy.fault = fault
        async with proxy.running():
            bot.url, bot.clock = proxy.url, quick
            for turn in range(3):
                bot.door.put(world.said(f"notice {turn}", room_id=room_id))
            bot.start()
            await ada.until(lambda: len(ada.texts(bot.user)) == 4)
            await bot.kill()
        assert ada.texts(bot.user) == ["the answer", "notice 0", "notice 1", "notice 2"]
        assert 7.0 <= quick.slept[0] <= 7.0 * 1.25


@pytest.mark.case("C24")
async def test_away_for_hours_everything_waits_and_comes_in_order(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        await ada.say(room_id, "!before")
        await bot.door.until(lambda: bot.door.commands() == ["!before"])
        proxy, quick = matrix_proxy.Proxy(server.url), QuickClock()
        away, many = True, asyncio.Event()

        def fault(_method: str, _path: str) -> str | None:
            if sum(quick.slept) > 4 * 3600:
                many.set()
            return matrix_proxy.CUT if away else None

        proxy.fault = fault
        await bot.kill()
        async with proxy.running():
            bot.url, bot.clock = proxy.url, quick
            bot.start()
            bot.door.put(world.said("an alert", room_id=room_id))
            await ada.say(room_id, "!while away")
            await world.bounded(many.wait())
            assert bot.bridge is not None
            assert isinstance(bot.bridge, contract.ReportsHealth)
            assert (await bot.bridge.health()).condition is contract.Condition.DOWN
            # Four hours of a homeserver away: some hundred tries, not a hot loop.
            assert len(proxy.seen) < 400
            away = False
            await bot.door.until(lambda: bot.door.commands() == ["!before", "!while away"])
            await ada.until(lambda: ada.texts(bot.user) == ["an alert"])
            await bot.kill()
