"""A network's challenge, solved from the room; and old things of the room, forgotten."""

from __future__ import annotations

import datetime as dt

import pytest

from bot.contract import outcomes, room
from bot.store import tables
from tests.bot.console.room import floor as building
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import CLEO, DORA, EVE
from tests.fakes import world


class Challenged(world.World):
    """A network that wants a captcha before it sends."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[tuple[str, str]] = []

    async def solve(self, challenge: str, answer: str) -> bool:
        self.answers.append((challenge, answer))
        return answer == "signalcaptcha://right"


@pytest.mark.case("C28")
async def test_a_challenge_is_told_solved_and_sending_goes_on() -> None:
    phones = Challenged()
    floor = await building.opened(phones=phones)
    phones.outcome = lambda _: outcomes.NotNow(
        reason="challenge", retry_at=floor.now + dt.timedelta(days=1), challenge="token"
    )
    await floor.writes(1)
    await floor.passes(minutes=110)
    await floor.sends()
    await floor.step()
    (told,) = [one for one in floor.room.shown if "wants a captcha" in one.plain]
    assert told.mentions
    phones.outcome = lambda _: None
    wrong = await floor.ask(CLEO, "!captcha sms signalcaptcha://wrong")
    assert "did not take" in wrong.plain
    await floor.sends()
    assert phones.sent == []
    assert "Taken" in (await floor.ask(CLEO, "!captcha sms signalcaptcha://right")).plain
    await floor.sends()
    assert len(phones.sent) == 1
    assert phones.answers[0] == ("token", "signalcaptcha://wrong")
    assert "No challenge" in (await floor.ask(CLEO, "!captcha sms x")).plain
    await floor.store.close()


@pytest.mark.case("C22", "C23")
async def test_no_answer_is_handed_in_for_whoever_may_not_or_said_it_long_ago() -> None:
    phones = Challenged()
    floor = await building.opened(phones=phones)
    phones.outcome = lambda _: outcomes.NotNow(
        reason="challenge", retry_at=floor.now + dt.timedelta(days=1), challenge="token"
    )
    await floor.writes(1)
    await floor.passes(minutes=110)
    await floor.sends()
    for who in (DORA, EVE):
        await floor.says(who, "!captcha sms signalcaptcha://right")
    unsigned = room.Trust.UNKNOWN_DEVICE
    await floor.says(CLEO, "!captcha sms signalcaptcha://right", trust=unsigned)
    hosting.command(floor.room, CLEO, "!captcha sms signalcaptcha://right", floor.now)
    await floor.passes(minutes=11)
    await floor.step()
    assert phones.answers == []
    asked = next(one for one in reversed(floor.room.shown) if "ten minutes ago" in one.plain)
    await floor.reacts(CLEO, asked, "✅")
    assert len(phones.answers) == 1
    await floor.store.close()


@pytest.mark.case("C34")
async def test_what_was_said_long_ago_is_forgotten_but_not_who_did_what(floor: Floor) -> None:
    await floor.says(CLEO, "!pause")
    await floor.says(CLEO, "!text set fr Bonjour. STOP")
    await floor.passes(days=91)
    await floor.step()
    counts = await floor.rooms.janitor.step("room")
    assert counts["room_events"] == 2
    assert counts["room_prompts"] == 1
    # The newest message keeps its number, or it would be given again.
    left = await floor.rows(tables.room_outgoing)
    assert [row["id"] for row in left][-1] == max(row["id"] for row in left)
    assert len(await floor.rows(tables.audit)) == 1
