"""What is held, made, told and kept of words that somebody should read first."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot.contract import messages
from bot.inbox import state
from bot.policy import settings
from bot.policy.flood import snapshot
from bot.store import database, people, tables
from tests.bot.inbox import taking
from tests.bot.store import rows

HELP, HELP_EN = "je veux mourir", "please, i want to die, would you call me"
TOPIC = "canari"
SAYING_NOTHING = "vert bleu noir gris rose brun"
PLAIN = tuple(SAYING_NOTHING.split())


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


take = taking.take


async def either_way(
    store: database.Store,
    together: bool,
    *batch: messages.InboundMessage,
    context: state.Context | None = None,
) -> None:
    """In one batch, or one by one."""
    for some in [batch] if together else [[one] for one in batch]:
        await take(store, *some, context=context)


async def told(store: database.Store) -> list[dict[str, Any]]:
    found = await rows.rows(store, tables.events)
    return [json.loads(row["data"]) for row in found if row["kind"] == "priority"]


async def kept(store: database.Store) -> list[str | None]:
    """Of each message in its order: the words that are kept, opened at their place."""
    found = await rows.rows(store, tables.inbound)
    return [
        rows.KEYS.open(row["text_enc"], people.text_place(row["person_id"], row["received_ms"]))
        if row["text_enc"] is not None
        else None
        for row in found
    ]


async def become(store: database.Store, reply_state: str) -> None:
    """Every reply so far is in this state."""
    await rows.run(store, sa.update(tables.replies).values(state=reply_state))


def flagged(**seen: Any) -> state.Context:  # noqa: ANN401 (any field of a snapshot)
    """The flood's leader saw a new topic of one word."""
    context = rows.context()
    fields = {"flagged": {context.hashed(TOPIC): rows.NOW_MS}} | seen
    saw = snapshot.Snapshot(**fields)
    return dataclasses.replace(context, flood=lambda: saw)


@pytest.mark.parametrize(
    ("text", "allowed", "language"),
    [
        ("bonjour, merci", {"en"}, "fr"),
        ("hello, thanks, what would you like", {"en"}, "en"),
        ("hello, thanks, what would you like", {"de"}, "fr"),
        ("", {"en"}, "fr"),
    ],
)
async def test_a_reply_is_all_that_is_known_of_its_first_message(
    store: database.Store, text: str, allowed: set[str], language: str
) -> None:
    rules = settings.Reply(language="fr", languages=frozenset(allowed))
    context = rows.context(settings.Core(reply=rules))
    await take(store, rows.message("a", text, channel="sms2"), context=context)
    (reply,) = await rows.rows(store, tables.replies)
    (person,) = await rows.rows(store, tables.persons)
    due_ms = reply["due_ms"]
    sealed = rows.KEYS.open(reply.pop("address_enc"), f"replies/{reply['id']}")
    assert sealed == "+33639981234"
    assert reply.pop("words") is not None
    assert {name: value for name, value in reply.items() if value is not None} == {
        "id": reply["id"],
        "person_id": person["id"],
        "automatic": True,
        "state": "scheduled",
        "reason": "first_contact",
        "network": "sms",
        "channel": "sms2",
        "own_address": rows.OURS,
        "country": "FR",
        "language": language,
        "first_ms": rows.NOW_MS,
        "due_ms": due_ms,
        "window_ms": due_ms + rules.window_days * rows.DAY_MS,
        "attempts": 0,
        "approved": False,
    }


async def test_a_first_message_in_distress_is_held_and_told_once(store: database.Store) -> None:
    first = rows.message("a", HELP_EN)
    await take(store, first, rows.message("b", HELP, at_s=1))
    (reply,) = await rows.rows(store, tables.replies)
    assert (reply["state"], reply["reason"], reply["language"]) == ("held", "priority", "en")
    wanted = {"person": reply["person_id"], "reply": reply["id"], "language": "en"}
    assert await told(store) == [{"lane": "distress", **wanted}]
    assert await kept(store) == [HELP_EN, HELP]


@pytest.mark.case("C49")
@pytest.mark.parametrize("together", [True, False])
async def test_what_is_told_is_in_the_language_of_the_reply_that_waits(
    store: database.Store, together: bool
) -> None:
    """The moderator is shown what the one gesture sends."""
    batch = [
        rows.message("a", "bonjour, merci"),
        rows.message("b", HELP_EN, at_s=1),
        rows.message("c", HELP_EN, at_s=2),
    ]
    await either_way(store, together, *batch)
    (reply,) = await rows.rows(store, tables.replies)
    assert (reply["state"], reply["reason"], reply["language"]) == ("held", "priority", "fr")
    assert reply["address_enc"] is not None
    wanted = {"person": reply["person_id"], "reply": reply["id"], "language": "fr"}
    assert await told(store) == [{"lane": "distress", **wanted}]
    # What he wrote before was nothing to keep.
    assert await kept(store) == [None, HELP_EN, HELP_EN]


@pytest.mark.case("C49")
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("before", ["sent", "sending", "unknown"])
async def test_whose_reply_went_out_or_is_on_its_way_can_be_answered_by_hand(
    store: database.Store, before: str, together: bool
) -> None:
    await take(store, rows.message("a"))
    await become(store, before)
    batch = [
        rows.message("b", "tu dors ?", at_s=1),
        rows.message("c", HELP_EN, at_s=2),
        rows.message("d", HELP_EN, at_s=3),
    ]
    await either_way(store, together, *batch)
    usual, made = await rows.rows(store, tables.replies)
    assert usual["state"] == before
    assert rows.KEYS.open(made.pop("address_enc"), f"replies/{made['id']}") == "+33639981234"
    at_ms = rows.NOW_MS + 2_000
    assert {name: value for name, value in made.items() if value is not None} == {
        "id": made["id"],
        "person_id": usual["person_id"],
        "automatic": False,
        "state": "held",
        "reason": "priority",
        "network": "sms",
        "channel": "sms",
        "own_address": rows.OURS,
        "country": "FR",
        "language": "en",
        "first_ms": at_ms,
        "due_ms": at_ms,
        "window_ms": 0,
        "attempts": 0,
        "approved": False,
    }
    wanted = {"person": made["person_id"], "reply": made["id"], "language": "en"}
    assert await told(store) == [{"lane": "distress", **wanted}]
    assert await kept(store) == [None, None, HELP_EN, HELP_EN]
    (person,) = await rows.rows(store, tables.persons)
    assert person["blocked_until_ms"] == usual["window_ms"]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("STOP", {}),
        ("Votre code de confirmation est 482913", {}),
        ("", {"kind": messages.Kind.ATTACHMENT}),
        ("canari", {"kind": messages.Kind.CALL}),
        (HELP, {"wish": messages.Wish.STOP}),
        ("PROOF-ABCDEFGH23", {}),
    ],
)
@pytest.mark.parametrize("before", ["none", "waits"])
async def test_what_is_no_word_to_anybody_is_told_and_kept_nowhere(
    store: database.Store, text: str, changes: dict[str, Any], before: str
) -> None:
    context = rows.context(settings.Core(reply=settings.Reply(release_by_hand=True)))
    if before == "waits":
        await take(store, rows.message("a"), context=context)
    await take(store, rows.message("b", text, at_s=1, **changes), context=context)
    assert await told(store) == []
    assert (await kept(store))[-1] is None


async def test_distress_of_a_number_that_is_not_answered_is_left_alone(
    store: database.Store,
) -> None:
    await take(store, rows.message("a", HELP, sender="+12025550123"))
    assert await rows.rows(store, tables.replies) == []
    assert await told(store) == []
    assert await kept(store) == [None]


@pytest.mark.case("C15", "C49")
@pytest.mark.parametrize("together", [True, False])
async def test_what_was_set_aside_is_held_for_what_comes_after_it(
    store: database.Store, together: bool
) -> None:
    await take(store, rows.message("a"))
    batch = [
        rows.message("b", HELP, at_s=1),
        rows.message("c", "tu es la", at_s=2),
        rows.message("d", "STOP", at_s=3),
    ]
    await either_way(store, together, *batch)
    assert await kept(store) == [None, HELP, "tu es la", None]
    (reply,) = await rows.rows(store, tables.replies)
    assert (reply["state"], reply["reason"], reply["address_enc"]) == (
        "cancelled",
        "opted_out",
        None,
    )


@pytest.mark.parametrize("together", [True, False])
async def test_of_what_is_held_all_words_are_kept_and_nothing_else(
    store: database.Store, together: bool
) -> None:
    context = rows.context(settings.Core(reply=settings.Reply(release_by_hand=True)))
    attachment = rows.message("b", "d.jpg", kind=messages.Kind.ATTACHMENT, at_s=1)
    batch = [
        rows.message("a"),
        attachment,
        rows.message("c", "", at_s=2),
        rows.message("d", "tu dors ?", at_s=3),
        rows.message("e", "START", at_s=4),
    ]
    await either_way(store, together, *batch, context=context)
    assert await kept(store) == ["salut", None, None, "tu dors ?", None]


async def test_of_what_is_scheduled_or_was_answered_nothing_is_kept(
    store: database.Store,
) -> None:
    await take(store, rows.message("a"), rows.message("b", "tu dors ?", at_s=1))
    await become(store, "sent")
    await take(store, rows.message("c", "alors ?", at_s=2))
    assert await kept(store) == [None, None, None]


@pytest.mark.case("C49")
@pytest.mark.parametrize("together", [True, False])
async def test_a_first_message_on_a_new_topic_is_kept_for_whoever_decides(
    store: database.Store, together: bool
) -> None:
    """It will be held when it is due; what comes after it meanwhile is not."""
    batch = [
        rows.message("a", TOPIC, sender=rows.phone(1)),
        rows.message("b", TOPIC, sender=rows.phone(1), at_s=1),
        rows.message("c", "salut", sender=rows.phone(2), at_s=2),
    ]
    await either_way(store, together, *batch, context=flagged())
    assert await kept(store) == [TOPIC, None, None]
    replies = await rows.rows(store, tables.replies)
    assert [row["state"] for row in replies] == ["scheduled", "scheduled"]


@pytest.mark.parametrize(
    ("seen", "of_topic"),
    [
        ({}, True),
        ({"flagged": {}}, False),
        # One word among four: enough if it is strong, or if enough of the others say nothing.
        ({"text": "canari rouge vert bleu"}, False),
        ({"text": "canari rouge vert bleu", "strong": True}, True),
        ({"text": "canari rouge vert bleu", "plain": ("rouge", "vert", "bleu")}, False),
        ({"text": "canari rouge vert bleu", "also": "rouge", "plain": ("vert", "bleu")}, True),
        ({"text": f"canari rouge {SAYING_NOTHING}", "also": "rouge"}, False),
        ({"text": f"canari rouge {SAYING_NOTHING}", "also": "rouge", "plain": PLAIN}, True),
    ],
)
async def test_a_topic_is_known_by_what_the_leader_saw(
    store: database.Store, seen: dict[str, Any], of_topic: bool
) -> None:
    hashed = rows.context().hashed
    words = [TOPIC, *([seen["also"]] if "also" in seen else [])]
    fields: dict[str, Any] = {
        "flagged": seen.get("flagged", {hashed(word): rows.NOW_MS for word in words}),
        "strong": frozenset({hashed(TOPIC)} if seen.get("strong") else ()),
        "plain": frozenset(map(hashed, seen.get("plain", ()))),
    }
    text = seen.get("text", TOPIC)
    await take(store, rows.message("a", text), context=flagged(**fields))
    assert await kept(store) == [text if of_topic else None]


@pytest.mark.case("C49")
@pytest.mark.parametrize(
    "texts",
    list(itertools.permutations(["bonjour, merci", HELP_EN, "mauvais numéro"])),
)
async def test_what_is_told_is_the_same_one_by_one(texts: tuple[str, ...]) -> None:
    batch = [rows.message(f"n{n}", text, at_s=n) for n, text in enumerate(texts)]
    found = []
    for together in (True, False):
        async with rows.memory() as store:
            await either_way(store, together, *batch)
            (reply,) = await rows.rows(store, tables.replies)
            found.append((await told(store), await kept(store), reply["reason"]))
    assert found[0] == found[1]
