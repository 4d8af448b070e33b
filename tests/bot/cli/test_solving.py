import asyncio
import datetime as dt

import pytest
import sqlalchemy as sa

from bot.console import challenge
from bot.contract import outcomes
from bot.store import events, tables
from tests.bot.cli.conftest import CONFIG, Place
from tests.bot.console.house import House
from tests.bridges.signal import neighbour, world
from tests.fakes import world as fake


async def waiting(house: House) -> None:
    """A challenge on the Signal channel."""
    at_ms = 1
    await house.store.write(lambda tx: events.control(tx, at_ms, "challenge:free", neighbour.TOKEN))


@pytest.mark.case("C28")
async def test_a_captcha_is_taken_by_command(place: Place) -> None:
    side = neighbour.Neighbour()
    await side.open()
    channel = "\n".join(
        f'{key} = "{value}"'
        for key, value in world.table(side.url).items()
        if isinstance(value, str)
    )
    (place.folder / "config.toml").write_text(f"{CONFIG}\n[channels.free]\n{channel}\n")
    (place.folder / "config.toml").chmod(0o600)

    async def run(*words: str, stdin: str = "") -> tuple[int, str]:
        result = await asyncio.to_thread(place.run, "captcha", *words, stdin=stdin)
        return result.exit_code, result.stdout + result.stderr

    async def controls() -> dict[str, str]:
        return await asyncio.to_thread(place.fill, lambda h: h.store.read(events.controls))

    await asyncio.to_thread(place.fill, lambda h: h.store.read(events.controls))
    code, said = await run("free", side.captcha)
    assert (code, "No challenge waits" in said) == (1, True)
    await asyncio.to_thread(place.fill, waiting)
    code, said = await run("free", "signalcaptcha://wrong")
    assert (code, "did not take" in said) == (1, True)
    assert "challenge:free" in await controls()
    code, said = await run("free", "-", stdin=f"{side.captcha}\n")
    assert (code, "Sending goes on" in said) == (0, True)
    assert await controls() == {}
    code, said = await run("elsewhere", "x")
    assert (code, "there is no channel" in said) == (1, True)
    await side.close()


@pytest.mark.case("C28")
async def test_what_was_refused_goes_first_when_the_challenge_is_over() -> None:
    outside = fake.World()
    rooms = await fake.rooms(outside)
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    told = ["challenge"]

    def outcome(reply: object) -> outcomes.Outcome | None:
        if not told:
            return None
        told.pop()
        retry_at = moment.now() + dt.timedelta(seconds=86_400)
        return outcomes.NotNow(reason="challenge", retry_at=retry_at, challenge="token")

    outside.outcome = outcome
    await rooms.intake.accept([fake.message(1)])
    await moment.advance(7_000)
    while await rooms.dispatcher.step():
        pass
    assert outside.sent == []
    now_ms = int(moment.now().timestamp() * 1000)
    done = await rooms.store.write(
        lambda tx: challenge.solved(tx, channel="sms", now_ms=now_ms, who="t")
    )
    assert done.ok
    due = await rooms.store.read(
        lambda tx: tx.execute(sa.select(tables.replies.c.due_ms)).scalar_one()
    )
    assert due == now_ms
    await moment.advance(1)
    while await rooms.dispatcher.step():
        pass
    assert len(outside.sent) == 1
