"""Health, cover, and what `check` tells."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.contract import bridge
from bot.contract.bridge import Condition, Verdict
from bot.contract.conformance import fakes
from bridges.signal import bridge as signal_bridge
from tests.bridges.signal import envelopes, neighbour, world
from tests.bridges.signal.test_sends import turn

DAY_S = 86_400.0


@asynccontextmanager
async def listening(
    clock: fakes.FakeClock, storage: fakes.FakeStorage | None = None, **more: object
) -> AsyncIterator[tuple[neighbour.Neighbour, signal_bridge.Signal, fakes.FakeIntake]]:
    """A bridge that listens by webhook, past its first round."""
    door = fakes.FakeIntake()
    async with world.bench(lent=world.context(clock, storage), **more) as (side, made):  # type: ignore[arg-type]
        task = asyncio.create_task(made.listen(door))
        await turn(clock, lambda: bool(side.profile) or len(side.asked) > 4 or task.done(), 0.01)
        try:
            yield side, made, door
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def hear(made: signal_bridge.Signal, door: fakes.FakeIntake, raw: object) -> None:
    assert await world.post(made.routes(door), json.dumps(raw).encode()) == 200


async def test_health_is_a_real_question() -> None:
    clock = fakes.FakeClock()
    async with listening(clock) as (side, made, door):
        assert (await made.health()).condition is Condition.UP
        await hear(made, door, envelopes.text(world.HIM, "salut", envelopes.AT_MS))
        assert (await made.health()).last_event_at == clock.now()
        side.accounts.clear()
        gone = await made.health()
        assert gone.condition is Condition.NEEDS_HUMAN
        assert "register" in gone.detail
        await side.close()
        assert (await made.health()).condition is Condition.DOWN


@pytest.mark.case("C26")
async def test_silence_raises_an_alarm_also_after_a_restart() -> None:
    clock, storage = fakes.FakeClock(), fakes.FakeStorage()
    async with listening(clock, storage, silence_alarm_s=7_200) as (_, made, door):
        await hear(made, door, envelopes.text(world.HIM, "salut", envelopes.AT_MS))
    async with world.bench(lent=world.context(clock, storage), silence_alarm_s=7_200) as (_, made):
        await clock.advance(7_000)
        assert (await made.health()).condition is Condition.UP
        await clock.advance(300)
        quiet = await made.health()
        assert (quiet.condition, "2 hours" in quiet.detail) == (Condition.DOWN, True)


@pytest.mark.case("C26")
async def test_the_daily_note_to_self_proves_the_way_in() -> None:
    clock = fakes.FakeClock()
    async with listening(clock, canary=True, silence_alarm_s=2_000_000) as (side, made, door):
        await turn(clock, lambda: bool(side.ledger))
        note = side.last("/v2/send")
        assert note["recipients"] == [envelopes.OURS]
        assert note["notify_self"] is True
        assert "never came back" in (await made.health()).detail
        await hear(made, door, envelopes.text(envelopes.OUR_ACI, "other", 5, number=envelopes.OURS))
        await hear(
            made,
            door,
            envelopes.text(envelopes.OUR_ACI, note["message"], 6, number=envelopes.OURS),
        )
        assert door.accepted == []
        told = await made.health()
        assert (told.condition, told.detail) == (Condition.UP, "")
        await turn(clock, lambda: len(side.ledger) == 2, 600)
        assert (await made.health()).condition is Condition.UP
        await turn(clock, lambda: clock.monotonic() > DAY_S + 3_600, 300)
        broken = await made.health()
        assert broken.condition is Condition.DOWN
        assert "did not come back" in broken.detail


@pytest.mark.case("C28")
async def test_an_old_client_needs_somebody_before_signal_shuts_it_out() -> None:
    clock, storage = fakes.FakeClock(), fakes.FakeStorage()
    async with listening(clock, storage):
        pass
    lent = world.context(clock, storage)
    async with world.bench(lent=lent, silence_alarm_s=20_000_000) as (side, made):
        await clock.advance(74 * DAY_S)
        assert (await made.health()).condition is Condition.UP
        await clock.advance(2 * DAY_S)
        old = await made.health()
        assert (old.condition, "updated" in old.detail) == (Condition.NEEDS_HUMAN, True)
        with pytest.raises(bridge.BridgeDownError) as told:
            await asyncio.wait_for(made.listen(fakes.FakeIntake()), timeout=10)
        assert told.value.needs_human
        side.version = "0.101"
        asked = len(side.asked)
        task = asyncio.create_task(made.listen(fakes.FakeIntake()))
        await turn(clock, lambda: len(side.asked) > asked + 2 or task.done(), 0.01)
        assert (await made.health()).condition is Condition.UP
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.case("C16")
async def test_nothing_of_us_shows_but_a_neutral_name() -> None:
    clock = fakes.FakeClock()
    async with listening(clock) as (side, made, door):
        for number in range(5):
            await hear(made, door, envelopes.text(world.HIM, f"salut {number}", 1_000 + number))
        await clock.advance(3_600)
        assert side.profile == "."
        assert len(door.accepted) == 5
        paths = {one.path for one in side.asked}
        assert not [p for p in paths if "receipts" in p or "typing" in p or "reactions" in p]
        assert side.ledger == []


@pytest.mark.case("C27")
@pytest.mark.parametrize(("way", "told"), [("polling", True), ("webhook", False)])
async def test_new_identities_are_trusted_where_the_neighbour_can_be_told(
    way: str, *, told: bool
) -> None:
    """In json-rpc mode it refuses to be told: it is an environment variable there."""
    async with world.bench(way) as (side, made):
        assert await made._transport.go_covert()
        asked = [one.body for one in side.asked if one.path.endswith("/settings")]
        assert asked == ([b'{"trust_mode": "always"}'] if told else [])


@pytest.mark.case("C27")
async def test_a_withheld_text_is_told_and_its_sender_trusted_after_the_answer() -> None:
    clock = fakes.FakeClock()
    async with listening(clock) as (side, made, door):
        raw = envelopes.event(world.HIM, envelopes.AT_MS)
        raw["exception"] = {"message": "x", "type": "UntrustedIdentityException"}
        await hear(made, door, raw)
        await turn(clock, lambda: side.trusted == [world.HIM])
        assert door.accepted == []
        assert "1 messages could not be opened" in (await made.health()).detail


@pytest.mark.case("C27")
async def test_edits_and_edits_of_edits_are_one_contact() -> None:
    clock = fakes.FakeClock()
    async with listening(clock) as (_, made, door):
        await hear(made, door, envelopes.text(world.HIM, "salut", 1_000))
        await hear(made, door, envelopes.edit(world.HIM, "salut!", 2_000, 1_000))
        await hear(made, door, envelopes.edit(world.HIM, "salut!!", 3_000, 2_000))
        await hear(made, door, envelopes.edit(world.HIM, "salut!!!", 4_000, 3_000))
        assert len(door.accepted) == 4
        assert len(door.stored) == 1


async def about(made: signal_bridge.Signal) -> dict[str, Verdict]:
    return {one.about: one.verdict for one in await made.check()}


@pytest.mark.case("C45")
async def test_check_refuses_a_neighbour_that_keeps_attachments() -> None:
    async with world.bench() as (side, made):
        side.profile = "."
        good = await about(made)
        assert good["attachments"] is Verdict.GOOD
        side.attachments = ["AbC123.png"]
        found = {one.about: one for one in await made.check()}
        assert found["attachments"].verdict is Verdict.FAULT
        assert "JSON_RPC_IGNORE_ATTACHMENTS" in found["attachments"].mend
        assert "AbC123" not in repr(found)


async def test_check_judges_what_can_be_seen_and_calls_the_rest_to_mind() -> None:
    async with world.bench() as (side, made):
        side.profile = "."
        good = await about(made)
        named = {"mode", "webhook", "account", "profile", "logs", "attachments"}
        assert {name for name, verdict in good.items() if verdict is Verdict.GOOD} == named
        by_hand = {"registration lock", "username", "number", "trust"}
        assert {name for name, verdict in good.items() if verdict is Verdict.WARNING} == by_hand
        side.log_level, side.profile, side.mode = "info", "Bot", "normal"
        side.identities = [{"status": "UNTRUSTED"}, {"status": "TRUSTED_UNVERIFIED"}]
        bad = await about(made)
        assert bad["logs"] is Verdict.WARNING
        assert bad["identities"] is Verdict.WARNING
        assert bad["profile"] is Verdict.FAULT
        assert bad["mode"] is Verdict.FAULT
        side.accounts.clear()
        assert (await about(made))["account"] is Verdict.FAULT
        await side.close()
        gone = await about(made)
        assert (gone["url"], gone["account"]) == (Verdict.FAULT, Verdict.FAULT)
    async with world.bench("websocket") as (_, made):
        loud = {one.about: one for one in await made.check()}
        assert "LOSES" in loud["transport"].sentence


async def test_check_changes_nothing() -> None:
    async with world.bench() as (side, made):
        await made.check()
        assert {one.method for one in side.asked} == {"GET"}
