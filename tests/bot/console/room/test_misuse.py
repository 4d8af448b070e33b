"""Every misuse that a room offers, and none obeyed (C22, C23, C46)."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa

from bot.contract import room
from bot.contract.room import Role
from bot.store import events, tables
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import CORE, TRUSTED, Floor, opened
from tests.bot.console.room.hosting import ANNA, BEA, CLEO, DORA, EVE, OTHER, ROOM


async def paused(floor: Floor) -> bool:
    return "paused" in await floor.store.read(events.controls)


async def test_a_moderator_is_obeyed(floor: Floor) -> None:
    assert "Nothing is sent" in (await floor.ask(CLEO, "!pause")).plain
    assert await paused(floor)
    assert "goes on" in (await floor.ask(CLEO, "!resume")).plain
    assert not await paused(floor)


@pytest.mark.case("C22")
async def test_a_stranger_is_told_once_an_hour_and_never_obeyed(floor: Floor) -> None:
    assert "not on the list" in (await floor.ask(EVE, "!pause")).plain
    assert await floor.says(EVE, "!pause") == []
    await floor.passes(hours=1)
    assert len(await floor.says(EVE, "!help")) == 1
    assert not await paused(floor)


@pytest.mark.case("C22")
@pytest.mark.parametrize("power", [0, 49])
async def test_a_demoted_moderator_only_reads(floor: Floor, power: int) -> None:
    floor.room.members[CLEO] = room.Member(account=CLEO, joined=True, power=power)
    assert "role moderator" in (await floor.ask(CLEO, "!pause")).plain
    assert "Status" in (await floor.ask(CLEO, "!status")).plain
    assert not await paused(floor)


@pytest.mark.case("C22")
async def test_who_left_the_room_is_nobody(floor: Floor) -> None:
    floor.room.members[CLEO] = room.Member(account=CLEO, joined=False, power=100)
    assert await floor.says(CLEO, "!pause") == []
    del floor.room.members[CLEO]
    assert await floor.says(CLEO, "!pause") == []
    assert not await paused(floor)


@pytest.mark.case("C22")
async def test_power_alone_makes_no_moderator(floor: Floor) -> None:
    floor.room.members[EVE] = room.Member(account=EVE, joined=True, power=100)
    floor.room.members[DORA] = room.Member(account=DORA, joined=True, power=100)
    await floor.says(EVE, "!pause")
    assert "role moderator" in (await floor.ask(DORA, "!pause")).plain
    assert not await paused(floor)


@pytest.mark.case("C22")
async def test_the_power_of_the_moment_counts_and_not_that_of_the_message(floor: Floor) -> None:
    hosting.command(floor.room, CLEO, "!pause", floor.now)
    await floor.host.deliver()
    floor.room.members[CLEO] = room.Member(account=CLEO, joined=True, power=0)
    await floor.step()
    assert not await paused(floor)


@pytest.mark.case("C22")
async def test_where_the_room_cannot_be_asked_nothing_is_done_until_it_can(floor: Floor) -> None:
    floor.room.away = True
    assert await floor.says(CLEO, "!pause") == []
    assert not await paused(floor)
    floor.room.away = False
    await floor.passes(seconds=5)
    await floor.step()
    assert await paused(floor)


@pytest.mark.case("C22")
@pytest.mark.parametrize("why", list(room.Why))
async def test_what_only_looks_like_a_command(floor: Floor, why: room.Why) -> None:
    elsewhere = why is room.Why.OTHER_ROOM
    floor.room.pending.append(
        room.Refused(
            event_id=floor.room.fresh(),
            room_id=OTHER if elsewhere else ROOM,
            at=floor.now,
            by=hosting.by(CLEO),
            why=why,
        )
    )
    before = len(floor.room.said)
    await floor.step()
    assert len(floor.room.said) - before == (0 if elsewhere else 1)
    assert not await paused(floor)


@pytest.mark.case("C22")
async def test_another_room_is_never_obeyed_nor_answered(floor: Floor) -> None:
    assert await floor.says(ANNA, "!pause", room_id=OTHER) == []
    assert not await paused(floor)
    assert all(one.room_id == ROOM for one in floor.room.said.values())


@pytest.mark.case("C22", "C25")
async def test_a_device_that_its_owner_did_not_verify(floor: Floor) -> None:
    answer = await floor.ask(CLEO, "!pause", trust=room.Trust.UNKNOWN_DEVICE)
    assert "not verified" in answer.plain
    assert not await paused(floor)
    lax = dataclasses.replace(CORE, room=dataclasses.replace(CORE.room, unsigned_devices=True))
    other = await opened(lax)
    await other.says(CLEO, "!pause", trust=room.Trust.UNKNOWN_DEVICE)
    assert await paused(other)
    await other.store.close()


@pytest.mark.case("C22")
async def test_the_same_event_twice_is_done_once(floor: Floor) -> None:
    made = hosting.command(floor.room, BEA, "!donate 10", floor.now)
    await floor.step()
    floor.room.pending += [made, made]
    await floor.step()
    assert [row["amount_micros"] for row in await floor.rows(tables.postings)] == [-10_000_000]


async def cluster(floor: Floor, number: int = 1) -> hosting.Seen:
    """A question about one held reply."""
    await floor.writes(number)
    answers = await floor.says(CLEO, "!review")
    return answers[-1]


async def state(floor: Floor) -> list[str]:
    return [row["state"] for row in await floor.rows(tables.replies)]


async def test_a_reaction_decides(cautious: Floor) -> None:
    prompt = await cluster(cautious)
    assert prompt.reactions == ("✅", "❌")
    await cautious.reacts(CLEO, prompt, "✅️")
    assert await state(cautious) == ["scheduled"]


@pytest.mark.case("C22")
async def test_a_decided_prompt_is_decided(cautious: Floor) -> None:
    prompt = await cluster(cautious)
    await cautious.reacts(CLEO, prompt, "❌")
    (told,) = await cautious.reacts(BEA, prompt, "✅")
    assert "decided already" in told.plain
    assert await state(cautious) == ["cancelled"]


@pytest.mark.case("C22")
async def test_an_expired_prompt_is_over(cautious: Floor) -> None:
    prompt = await cluster(cautious)
    await cautious.passes(hours=25)
    (told,) = [one for one in await cautious.reacts(CLEO, prompt, "✅") if "ask again" in one.plain]
    assert "over" in told.plain
    assert await state(cautious) == ["held"]


@pytest.mark.case("C22")
@pytest.mark.parametrize("who", [DORA, EVE, "@nobody:example.org"])
async def test_a_reaction_of_whoever_may_not(cautious: Floor, who: str) -> None:
    prompt = await cluster(cautious)
    await cautious.reacts(who, prompt, "✅")
    assert await state(cautious) == ["held"]


@pytest.mark.case("C22")
async def test_a_reaction_on_what_is_no_prompt_of_ours(cautious: Floor) -> None:
    prompt = await cluster(cautious)
    foreign = dataclasses.replace(prompt, event_id="$somebody-elses")
    assert await cautious.reacts(CLEO, foreign, "✅") == []
    other = await cautious.ask(CLEO, "!help")
    assert await cautious.reacts(CLEO, other, "✅") == []
    hosting.reaction(cautious.room, CLEO, prompt.event_id, "✅", cautious.now, room_id=OTHER)
    await cautious.step()
    assert await cautious.reacts(CLEO, prompt, "🦄") == []
    assert await state(cautious) == ["held"]


@pytest.mark.case("C22")
async def test_two_at_once_and_only_one_decides(cautious: Floor) -> None:
    prompt = await cluster(cautious)
    hosting.reaction(cautious.room, CLEO, prompt.event_id, "✅", cautious.now)
    hosting.reaction(cautious.room, BEA, prompt.event_id, "❌", cautious.now)
    hosting.reaction(cautious.room, ANNA, prompt.event_id, "✅", cautious.now)
    await cautious.step()
    acts = [row["act"] for row in await cautious.rows(tables.audit)]
    assert acts == ["approve_cluster"]


@pytest.mark.case("C23")
async def test_an_old_command_is_asked_again(floor: Floor) -> None:
    hosting.command(floor.room, CLEO, "!pause", floor.now)
    await floor.passes(minutes=11)
    before = len(floor.room.said)
    await floor.step()
    (asked,) = list(floor.room.said.values())[before:]
    assert "more than ten minutes ago" in asked.plain
    assert not await paused(floor)
    await floor.reacts(CLEO, asked, "✅")
    assert await paused(floor)
    await floor.says(CLEO, "!resume")
    await floor.reacts(CLEO, asked, "✅")
    assert not await paused(floor)


@pytest.mark.case("C22", "C23")
async def test_a_reader_agrees_to_old_looks_and_to_nothing_more(floor: Floor) -> None:
    for who, text in ((DORA, "!status"), (CLEO, "!pause")):
        hosting.command(floor.room, who, text, floor.now)
    await floor.passes(minutes=11)
    await floor.step()
    look, halt = [one for one in floor.room.shown if "ten minutes ago" in one.plain]
    (shown,) = await floor.reacts(DORA, look, "✅")
    assert "Status" in shown.plain
    (told,) = await floor.reacts(DORA, halt, "✅")
    assert "role moderator" in told.plain
    assert not await paused(floor)
    # Nor did that use the question up.
    await floor.reacts(BEA, halt, "✅")
    assert await paused(floor)


@pytest.mark.case("C23")
async def test_a_clock_ahead_makes_nothing_fresh(floor: Floor) -> None:
    # The network's clock says that it is from tomorrow; it lay here for a quarter of an hour.
    hosting.command(floor.room, CLEO, "!pause", floor.now + dt.timedelta(days=1))
    floor.room.away = True
    await floor.step()
    await floor.passes(minutes=15)
    floor.room.away = False
    await floor.step()
    assert not await paused(floor)


@pytest.mark.case("C23")
async def test_old_reactions_and_old_agreements_are_not_carried_out(cautious: Floor) -> None:
    prompt = await cluster(cautious)
    hosting.reaction(cautious.room, CLEO, prompt.event_id, "✅", cautious.now)
    code = prompt.plain.split("!yes ")[1][:5]
    hosting.command(cautious.room, CLEO, f"!yes {code}", cautious.now)
    await cautious.passes(minutes=11)
    await cautious.step()
    assert await state(cautious) == ["held"]


ALONE = {ANNA: Role.ADMIN, DORA: Role.READER}


@pytest.mark.case("C46")
@pytest.mark.parametrize("text", ["!text set fr Bonjour. Non. STOP", "!budget day 19"])
async def test_one_account_alone_changes_no_text_and_no_cap(floor: Floor, text: str) -> None:
    prompt = await floor.ask(ANNA, text)
    assert "Another moderator agrees" in prompt.plain
    for _ in range(3):
        (told,) = await floor.reacts(ANNA, prompt, "✅")
        assert "Another moderator must agree" in told.plain
    code = prompt.plain.split("!yes ")[1][:5]
    await floor.says(ANNA, f"!yes {code}")
    assert await floor.store.read(events.controls) == {}
    # Nor by sending everybody else away, nor by making them readers.
    for one in (BEA, CLEO):
        floor.room.members[one] = room.Member(account=one, joined=False)
    await floor.reacts(ANNA, prompt, "✅")
    assert await floor.store.read(events.controls) == {}
    floor.room.members[CLEO] = room.Member(account=CLEO, joined=True, power=50)
    await floor.reacts(CLEO, prompt, "✅")
    assert len(await floor.store.read(events.controls)) == 1


@pytest.mark.case("C46")
async def test_one_account_alone_reveals_nobody(cautious: Floor) -> None:
    await cautious.writes(1)
    code = await code_of(cautious)
    prompt = await cautious.ask(ANNA, f"!reveal {code}")
    await cautious.reacts(ANNA, prompt, "✅")
    await cautious.reacts(DORA, prompt, "✅")
    assert "+33639" not in cautious.room.texts
    (shown,) = await cautious.reacts(CLEO, prompt, "✅")
    assert "+33639980001" in shown.plain
    await cautious.passes(minutes=6)
    await cautious.step()
    assert shown.withdrawn
    acts = [row["act"] for row in await cautious.rows(tables.audit)]
    assert acts[-2:] == ["reveal_asked", "reveal"]


@pytest.mark.case("C46")
async def test_where_there_is_one_moderator_they_agree_with_themselves(floor: Floor) -> None:
    floor.host.roster = ALONE
    prompt = await floor.ask(ANNA, "!text set fr Bonjour. Non. STOP")
    await floor.reacts(ANNA, prompt, "✅")
    assert "text:fr" in await floor.store.read(events.controls)


@pytest.mark.case("C22", "C46")
async def test_whoever_asked_must_still_be_allowed_when_it_is_agreed_to(floor: Floor) -> None:
    prompt = await floor.ask(BEA, "!budget day 19")
    floor.room.members[BEA] = room.Member(account=BEA, joined=True, power=0)
    await floor.reacts(CLEO, prompt, "✅")
    assert await floor.store.read(events.controls) == {}


@pytest.mark.case("C22", "C25")
async def test_in_an_encrypted_room_no_reaction_changes_a_text(floor: Floor) -> None:
    prompt = await floor.ask(ANNA, "!text set fr Bonjour. Non. STOP", trust=TRUSTED)
    assert prompt.reactions == ()
    code = prompt.plain.split("!yes ")[1][:5]
    (told,) = await floor.reacts(CLEO, prompt, "✅")
    assert f"!yes {code}" in told.plain
    assert await floor.store.read(events.controls) == {}
    await floor.says(CLEO, f"!yes {code}", trust=TRUSTED)
    assert "text:fr" in await floor.store.read(events.controls)


async def test_the_operator_bounds_what_the_room_may_spend(floor: Floor) -> None:
    assert "at most 20.00 EUR" in (await floor.ask(BEA, "!budget day 20.01")).plain


@pytest.mark.case("C46")
async def test_a_changed_trail_is_told(floor: Floor) -> None:
    for text in ("!pause", "!resume", "!pause sms"):
        await floor.says(CLEO, text)
    assert "chain of 3 acts holds" in (await floor.ask(DORA, "!log")).plain
    forged = sa.update(tables.audit).where(tables.audit.c.id == 2).values(who=BEA)

    def forge(tx: sa.Connection) -> None:
        tx.execute(forged)

    await floor.store.write(forge)
    assert "BROKEN at act 2" in (await floor.ask(DORA, "!log")).plain


async def code_of(floor: Floor) -> str:
    """The code of whoever wrote last, from the room itself."""
    shown = (await floor.ask(CLEO, "!read release")).plain
    return shown[shown.rindex("#") :][:5]


async def test_an_address_is_never_typed_and_never_repeated(floor: Floor) -> None:
    answer = await floor.ask(ANNA, "!block +33639980001")
    assert "never typed" in answer.plain
    assert "33639980001" not in floor.room.texts


@pytest.mark.case("C22")
@pytest.mark.parametrize(
    "text",
    [
        "!pa\u200buse",
        "!\u202epause",
        "!p\u0430use",  # a Cyrillic a
        "!pause\u2066",
        "!" + "pause" * 10_000,
        "!" + "1 " * 20_000,
        "!pause " + "x" * 4_000,
        "! ",
        "!!pause",
        "!pause\n!resume",
        "!resume\n\n!pause",
    ],
)
async def test_odd_spellings_do_nothing_and_are_answered(floor: Floor, text: str) -> None:
    answer = await floor.ask(CLEO, text)
    assert answer.plain
    assert len(answer.plain) < 500
    assert await floor.store.read(events.controls) == {}
