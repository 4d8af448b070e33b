"""Words that somebody should read first, and answers by hand."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from bot.console import holding, results
from bot.contract import clock
from bot.policy import handwords, settings
from bot.policy.distress import Lane
from bot.store import tables
from tests.bot.console.room import floor as building
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import ANNA, BEA, CLEO

CANARY = "je veux mourir canarikanari"


def asked(floor: Floor) -> hosting.Seen:
    return next(one for one in reversed(floor.room.shown) if "1️⃣" in one.reactions)


async def states(floor: Floor) -> list[tuple[bool, str]]:
    rows = await floor.rows(tables.replies)
    return [(row["automatic"], row["state"]) for row in rows]


async def test_distress_wakes_whoever_is_on_call_and_waits_for_them() -> None:
    core = dataclasses.replace(
        building.CORE, room=settings.Room(language="en", on_call={CLEO: (8, 20), BEA: (20, 8)})
    )
    floor = await building.opened(core)
    await floor.writes(1, CANARY)
    await floor.step()
    prompt = asked(floor)
    assert "words of distress" in prompt.plain
    assert prompt.mentions == (CLEO,)
    assert "canarikanari" not in floor.room.texts
    await floor.passes(minutes=110)
    await floor.sends()
    assert floor.phones.sent == []
    await floor.store.close()


async def test_one_gesture_answers_distress_at_once_in_its_language(floor: Floor) -> None:
    await floor.writes(1, CANARY)
    await floor.step()
    (told,) = await floor.reacts(CLEO, asked(floor), "1️⃣")
    assert "on the way" in told.plain
    await floor.sends()
    (sent,) = floor.phones.sent
    assert sent.text == handwords.ready(Lane.DISTRESS, "fr")
    assert await states(floor) == [(True, "cancelled"), (False, "sent")]
    # He had his answer: no automatic one ever follows.
    await floor.passes(hours=3)
    await floor.writes(1, "merci")
    await floor.passes(hours=3)
    await floor.sends()
    assert len(floor.phones.sent) == 1


async def test_what_the_gesture_sends_is_what_was_shown(floor: Floor) -> None:
    """The language is that of the reply that waits, whatever he writes later."""
    await floor.writes(1, "bonjour, merci")
    await floor.writes(1, "please, i want to die, would you call me")
    await floor.step()
    prompt = asked(floor)
    await floor.reacts(CLEO, prompt, "1️⃣")
    await floor.sends()
    (sent,) = floor.phones.sent
    assert sent.text == handwords.ready(Lane.DISTRESS, "fr")
    assert sent.text[:40] in prompt.plain


@pytest.mark.parametrize("later", ["sent", "unknown"])
async def test_distress_while_the_reply_is_being_sent_is_answered_by_hand(
    floor: Floor, later: str
) -> None:
    await floor.writes(1, "salut")
    await moved(floor, "sending")
    await floor.writes(1, CANARY)
    assert await states(floor) == [(True, "sending"), (False, "held")]
    await moved(floor, later)
    await floor.step()
    await floor.reacts(CLEO, asked(floor), "1️⃣")
    await floor.sends()
    assert [one.text for one in floor.phones.sent] == [handwords.ready(Lane.DISTRESS, "fr")]


async def moved(floor: Floor, state: str) -> None:
    """The usual reply is in this state now."""
    usual = sa.update(tables.replies).where(tables.replies.c.automatic)

    def work(tx: sa.Connection) -> None:
        tx.execute(usual.values(state=state))

    await floor.store.write(work)


@pytest.mark.case("C16")
async def test_a_wrong_number_is_answered_when_the_delay_is_over(floor: Floor) -> None:
    await floor.writes(1, "désolé, mauvais numéro")
    await floor.step()
    prompt = asked(floor)
    assert prompt.mentions == ()
    await floor.reacts(CLEO, prompt, "1️⃣")
    await floor.passes(minutes=59)
    await floor.sends()
    assert floor.phones.sent == []
    await floor.passes(minutes=2)
    await floor.sends()
    assert [one.text for one in floor.phones.sent] == [handwords.ready(Lane.WRONG_NUMBER, "fr")]


async def test_a_threat_can_get_the_usual_reply_or_none(floor: Floor) -> None:
    for number in (1, 2):
        await floor.writes(number, "je vais te tuer")
    await floor.step()
    first, second = [one for one in floor.room.shown if "a threat" in one.plain]
    await floor.reacts(CLEO, first, "✅")
    await floor.reacts(BEA, second, "❌")
    await floor.passes(minutes=110)
    await floor.sends()
    assert len(floor.phones.sent) == 1
    await floor.passes(hours=5)
    await floor.writes(2, "alors ?")
    await floor.passes(minutes=110)
    await floor.sends()
    assert len(floor.phones.sent) == 1


async def test_a_waiting_reply_is_held_when_distress_comes_later(floor: Floor) -> None:
    await floor.writes(1, "salut")
    assert await states(floor) == [(True, "scheduled")]
    await floor.writes(1, CANARY)
    await floor.writes(1, CANARY + " encore")
    assert await states(floor) == [(True, "held")]
    await floor.step()
    assert len([one for one in floor.room.shown if "1️⃣" in one.reactions]) == 1


async def test_somebody_who_was_answered_before_can_be_answered_by_hand(floor: Floor) -> None:
    await floor.writes(1, "salut")
    await floor.passes(minutes=110)
    await floor.sends()
    for n in range(3):
        await floor.writes(1, f"{CANARY} {n}")
    assert await states(floor) == [(True, "sent"), (False, "held")]
    await floor.step()
    prompt = asked(floor)
    (told,) = await floor.reacts(CLEO, prompt, "✅")
    assert "had the usual reply" in told.plain
    # Not even by the heap, nor by name: what says nothing yet is never sent.
    await floor.says(CLEO, "!approve priority")
    await floor.sends()
    assert len(floor.phones.sent) == 1
    (waiting,) = [r["id"] for r in await floor.rows(tables.replies) if r["state"] == "held"]

    def release(tx: sa.Connection) -> results.Done:
        keys, rules = floor.keys, floor.core.reply
        now_ms = clock.to_ms(floor.now)
        return holding.approve(tx, [waiting], keys=keys, rules=rules, now_ms=now_ms, who="cli")

    assert not (await floor.store.write(release)).ok
    code = prompt.plain[prompt.plain.index("#") :][:5]
    asking = await floor.ask(CLEO, f"!reply {code} Courage, appelez le 3114.")
    assert "0.08 EUR" in asking.plain
    await floor.reacts(CLEO, asking, "✅")
    await floor.passes(minutes=61)
    await floor.sends()
    assert floor.phones.sent[-1].text == "Courage, appelez le 3114."


async def test_a_flood_of_distress_is_merged(floor: Floor) -> None:
    for number in range(40):
        await floor.writes(number, CANARY)
    await floor.step()
    assert len([one for one in floor.room.shown if "1️⃣" in one.reactions]) == 5
    (more,) = [one for one in floor.room.shown if "more messages should be read" in one.plain]
    assert more.plain.startswith("35 ")


async def test_words_are_read_on_request_only_defused_and_taken_back(floor: Floor) -> None:
    text = CANARY + " @room https://evil.example <b>\u202egras</b>"
    await floor.writes(1, text, provider_id="odd")
    await floor.step()
    code = asked(floor).plain
    code = code[code.index("#") :][:5]
    shown = await floor.ask(CLEO, f"!read {code}")
    assert "canarikanari" in shown.plain
    assert "@room" not in shown.plain
    assert "://" not in shown.plain
    assert "\u202e" not in shown.plain
    assert "<b>" not in shown.html
    await floor.passes(minutes=6)
    await floor.step()
    assert shown.withdrawn


async def test_a_reply_by_hand_to_many_takes_two(cautious: Floor) -> None:
    for number in (1, 2, 3):
        await cautious.writes(number)
    text = (await cautious.ask(CLEO, "!read release")).plain
    codes = [word for word in text.replace("\n", " ").split() if word.startswith("#")]
    prompt = await cautious.ask(CLEO, f"!reply {' '.join(codes)} Pardon, une erreur.")
    assert "0.24 EUR" in prompt.plain
    await cautious.reacts(CLEO, prompt, "✅")
    await cautious.passes(hours=2)
    await cautious.sends()
    assert cautious.phones.sent == []
    # The price and the people are looked at again when it is agreed to.
    await cautious.reacts(ANNA, prompt, "✅")
    await cautious.sends()
    assert [one.text for one in cautious.phones.sent] == ["Pardon, une erreur."] * 3
    await cautious.reacts(BEA, prompt, "✅")
    await cautious.sends()
    assert len(cautious.phones.sent) == 3


async def test_what_costs_more_by_now_is_asked_again(cautious: Floor) -> None:
    await cautious.writes(1)
    text = (await cautious.ask(CLEO, "!read release")).plain
    prompt = await cautious.ask(CLEO, f"!reply {text[text.index('#') :][:5]} Pardon.")
    cautious.phones.dear = True
    (told,) = await cautious.reacts(CLEO, prompt, "✅")
    assert "ask again" in told.plain
    assert await states(cautious) == [(True, "held")]


async def test_texts_are_forgotten_when_nothing_is_held_or_after_three_days(
    cautious: Floor,
) -> None:
    for number in (1, 2):
        await cautious.writes(number, "coucou toi")
    assert all(row["text_enc"] for row in await cautious.rows(tables.inbound))
    text = (await cautious.ask(CLEO, "!read release")).plain
    await cautious.says(CLEO, f"!drop {text[text.index('#') :][:5]}")
    await cautious.rooms.janitor.step("room")
    kept = [bool(row["text_enc"]) for row in await cautious.rows(tables.inbound)]
    assert sorted(kept) == [False, True]
    await cautious.passes(hours=73)
    await cautious.rooms.janitor.step("room")
    assert not any(row["text_enc"] for row in await cautious.rows(tables.inbound))


@pytest.mark.case("C13")
async def test_a_machines_words_are_never_kept(cautious: Floor) -> None:
    await cautious.writes(1, "coucou")
    await cautious.writes(1, "Votre code de vérification est 482913")
    rows = await cautious.rows(tables.inbound)
    assert [bool(row["text_enc"]) for row in rows] == [True, False]
