"""Nobody gets two answers by hand, whoever writes them and whoever turns out to be whom."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from bot.contract import address
from bot.policy import handwords
from bot.policy.distress import Lane
from bot.policy.lifecycle import State
from bot.store import database, tables
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import BEA, CLEO
from tests.fakes import world

DISTRESS = "je veux mourir"


async def code(floor: Floor) -> str:
    """The one person's."""
    text = (await floor.ask(CLEO, "!read release")).plain
    return text[text.index("#") :][:5]


async def of_all(floor: Floor) -> list[str]:
    text = (await floor.ask(CLEO, "!read release")).plain
    return [word for word in text.replace("\n", " ").split() if word.startswith("#")]


async def sent(floor: Floor, **span: float) -> list[str]:
    """Texts that left after this time."""
    await floor.passes(**span)
    await floor.sends()
    return [one.text for one in floor.phones.sent]


def lanes(floor: Floor) -> list[hosting.Seen]:
    return [one for one in floor.room.shown if "1️⃣" in one.reactions]


@pytest.mark.case("C22")
async def test_two_who_answer_at_once_are_one_answer(cautious: Floor) -> None:
    await cautious.writes(1)
    who = await code(cautious)
    first = await cautious.ask(CLEO, f"!reply {who} De Cleo.")
    second = await cautious.ask(BEA, f"!reply {who} De Bea.")
    await cautious.reacts(BEA, second, "✅")
    (told,) = await cautious.reacts(CLEO, first, "✅")
    assert "Somebody answered by hand meanwhile" in told.plain
    assert await sent(cautious, hours=2) == ["De Bea."]


async def test_what_has_not_left_yet_can_be_replaced(cautious: Floor) -> None:
    await cautious.writes(1)
    who = await code(cautious)
    await cautious.passes(minutes=20)
    await cautious.reacts(CLEO, await cautious.ask(CLEO, f"!reply {who} Avec une faote."), "✅")
    await cautious.passes(minutes=10)
    again = await cautious.ask(BEA, f"!reply {who} Sans faute.")
    assert "replaces" in again.plain
    assert "« Avec une faote. »" in again.plain
    await cautious.reacts(BEA, again, "✅")
    # It leaves when the first one would have: an hour after they wrote, not after we did.
    assert await sent(cautious, minutes=29) == []
    assert await sent(cautious, minutes=2) == ["Sans faute."]
    assert await sent(cautious, hours=30) == ["Sans faute."]


async def test_an_answer_of_before_the_question_is_not_replaced_unseen(cautious: Floor) -> None:
    await cautious.writes(1)
    who = await code(cautious)
    await cautious.reacts(CLEO, await cautious.ask(CLEO, f"!reply {who} Un."), "✅")
    shown = await cautious.ask(CLEO, f"!reply {who} Deux.")
    other = await cautious.ask(BEA, f"!reply {who} Trois.")
    await cautious.reacts(BEA, other, "✅")
    (told,) = await cautious.reacts(CLEO, shown, "✅")
    assert "Ask again to replace it" in told.plain
    assert await sent(cautious, hours=2) == ["Trois."]


async def test_a_ready_answer_does_not_take_the_place_of_somebodys_words(floor: Floor) -> None:
    await floor.writes(1, DISTRESS)
    await floor.step()
    (prompt,) = lanes(floor)
    who = prompt.plain[prompt.plain.index("#") :][:5]
    await floor.reacts(CLEO, await floor.ask(CLEO, f"!reply {who} Je vous écris moi-même."), "✅")
    (told,) = await floor.reacts(BEA, prompt, "1️⃣")
    assert "Somebody answered by hand meanwhile" in told.plain
    assert await sent(floor, hours=2) == ["Je vous écris moi-même."]


async def test_nothing_means_nothing_but_what_was_written(floor: Floor) -> None:
    await floor.writes(1, DISTRESS)
    await floor.step()
    (prompt,) = lanes(floor)
    who = prompt.plain[prompt.plain.index("#") :][:5]
    await floor.reacts(CLEO, await floor.ask(CLEO, f"!reply {who} Courage."), "✅")
    (told,) = await floor.reacts(BEA, prompt, "❌")
    assert told.plain == "Nothing more will be sent; what somebody wrote by hand still leaves."
    assert await sent(floor, hours=2) == ["Courage."]


async def test_nobody_is_written_to_while_an_answer_is_on_its_way(floor: Floor) -> None:
    await floor.writes(1, DISTRESS)
    await floor.step()
    (prompt,) = lanes(floor)
    await floor.reacts(CLEO, prompt, "1️⃣")
    await stands(floor, State.SENDING)
    # Distress again, while the answer is being sent: a moderator is told, and has to wait.
    await floor.writes(1, DISTRESS + " vraiment")
    await floor.step()
    later = lanes(floor)[-1]
    (told,) = await floor.reacts(CLEO, later, "1️⃣")
    assert "Too late" in told.plain
    await stands(floor, State.SENT)
    who = later.plain[later.plain.index("#") :][:5]
    asking = await floor.ask(CLEO, f"!reply {who} Toujours là.")
    assert "✅" in asking.plain


async def stands(floor: Floor, state: State) -> None:
    """The answer by hand is in that state now."""
    worded = sa.and_(~tables.replies.c.automatic, tables.replies.c.text_enc.is_not(None))
    change = sa.update(tables.replies).where(worded).values(state=state)
    await floor.store.write(lambda tx: tx.execute(change).rowcount)


def alias(number: int) -> dict[str, Any]:
    """What shows that its sender is this phone too."""
    return {"aliases": (address.Address(address.SMS, world.phone(number)),)}


@pytest.mark.case("C48")
async def test_two_who_are_one_get_the_answer_that_was_due_first(cautious: Floor) -> None:
    await cautious.writes(1)
    await cautious.passes(minutes=10)
    await cautious.writes(2)
    for who, words in zip(await of_all(cautious), ("Un.", "Deux."), strict=True):
        await cautious.reacts(CLEO, await cautious.ask(CLEO, f"!reply {who} {words}"), "✅")
    await cautious.writes(1, "c'est moi", **alias(2))
    rows = [row for row in await cautious.rows(tables.replies) if not row["automatic"]]
    kept, dropped = sorted(rows, key=lambda row: row["state"] == State.CANCELLED)
    assert (kept["state"], dropped["state"], dropped["reason"]) == (
        State.SCHEDULED,
        State.CANCELLED,
        "merged",
    )
    assert kept["due_ms"] < dropped["due_ms"]
    assert (dropped["address_enc"], dropped["text_enc"]) == (None, None)
    assert await sent(cautious, hours=2) == ["Un."]


@pytest.mark.case("C48", "C13")
async def test_an_answer_follows_its_person_and_their_wish(cautious: Floor) -> None:
    await cautious.writes(1)
    await cautious.passes(minutes=1)
    await cautious.writes(2)
    who = (await of_all(cautious))[1]
    await cautious.reacts(CLEO, await cautious.ask(CLEO, f"!reply {who} Pour le deux."), "✅")
    await cautious.writes(1, "c'est moi", **alias(2))
    # A STOP of the one they were merged into holds for what was written to the other.
    await cautious.writes(1, "STOP")
    assert await sent(cautious, hours=2) == []


@pytest.mark.case("C48")
async def test_distress_is_answered_though_its_person_became_another(floor: Floor) -> None:
    for number in (1, 2):
        await floor.writes(number)
    await floor.passes(minutes=110)
    await floor.sends()
    assert len(floor.phones.sent) == 2
    await floor.writes(2, DISTRESS)
    await floor.step()
    (prompt,) = lanes(floor)
    await floor.writes(1, "c'est moi", **alias(2))
    (told,) = await floor.reacts(CLEO, prompt, "1️⃣")
    assert "on the way" in told.plain
    assert (await sent(floor))[2:] == [handwords.ready(Lane.DISTRESS, "fr")]


@pytest.mark.case("C48")
@pytest.mark.parametrize("sending", [(1,), (2,), (1, 2)])
async def test_a_merge_leaves_alone_what_is_being_sent(
    cautious: Floor, sending: tuple[int, ...]
) -> None:
    for number in (1, 2):
        await cautious.writes(number)
        await cautious.passes(minutes=1)
    for who in await of_all(cautious):
        await cautious.reacts(CLEO, await cautious.ask(CLEO, f"!reply {who} Bonjour."), "✅")
    hands = [row for row in await cautious.rows(tables.replies) if not row["automatic"]]
    ids = {number: row["id"] for number, row in enumerate(hands, start=1)}
    on_their_way = [ids[number] for number in sending]
    replies = tables.replies
    moved = sa.update(replies).where(replies.c.id.in_(on_their_way)).values(state=State.SENDING)
    # The younger one's was due first: that does not make it the survivor's.
    sooner = sa.update(replies).where(replies.c.id == ids[2]).values(due_ms=1)
    await cautious.store.write(lambda tx: tx.execute(moved).rowcount)
    await cautious.store.write(lambda tx: tx.execute(sooner).rowcount)
    await cautious.writes(1, "c'est moi", **alias(2))
    rows = {row["id"]: row for row in await cautious.rows(replies)}
    assert all(rows[one]["state"] == State.SENDING for one in on_their_way)
    others = [rows[one]["state"] for one in ids.values() if one not in on_their_way]
    assert others == [State.CANCELLED] * len(others)
    (survivor,) = [p["id"] for p in await cautious.rows(tables.persons) if p["merged_into"] is None]
    assert rows[on_their_way[0]]["person_id"] == survivor


@pytest.mark.parametrize("text", [b"words", None])
async def test_the_table_itself_refuses_a_second_one(cautious: Floor, text: bytes | None) -> None:
    await cautious.writes(1)
    (row,) = await cautious.rows(tables.replies)
    by_hand = {**row, "automatic": False, "state": State.HELD, "text_enc": text}
    first, second = ({**by_hand, "id": row["id"] + n} for n in (1, 2))
    await cautious.store.write(lambda tx: tx.execute(sa.insert(tables.replies), first).rowcount)
    with pytest.raises(database.AgainstError, match="IntegrityError"):
        await cautious.store.write(
            lambda tx: tx.execute(sa.insert(tables.replies), second).rowcount
        )
