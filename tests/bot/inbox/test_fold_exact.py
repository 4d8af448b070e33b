"""To the millisecond and the row: what the fold writes for one message after another."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.contract import messages
from bot.policy import delay, proof, settings
from bot.policy.flood import words
from bot.store import database, events, people, ratios, tables
from tests.bot.inbox import taking
from tests.bot.store import rows

WORD = "PROOF-ABCDEFGH23"


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


take = taking.take


async def told(store: database.Store, kind: str) -> list[dict[str, Any]]:
    found = await rows.rows(store, tables.events)
    return [json.loads(row["data"]) for row in found if row["kind"] == kind]


def due_ms(provider_id: str, at_ms: int) -> int:
    """When a first contact of that id on SMS falls due."""
    seen = rows.KEYS.ring("seen", f"sms\x00{provider_id}")[0]
    return delay.first(at_ms, rows.CORE.reply, rows.KEYS.draw("delay", seen.hex()))


async def test_each_reply_is_due_by_the_draw_of_its_own_message(store: database.Store) -> None:
    await take(store, *(rows.message(f"n{n}", sender=rows.phone(n)) for n in range(1, 5)))
    found = [row["due_ms"] for row in await rows.rows(store, tables.replies)]
    assert found == [due_ms(f"n{n}", rows.NOW_MS) for n in range(1, 5)]
    assert len(set(found)) > 1


async def test_who_writes_as_his_window_ends_waits_by_a_draw_as_well(
    store: database.Store,
) -> None:
    await take(store, rows.message("a"))
    sent = tables.replies.update().values(state="sent")
    await rows.run(store, sent)
    (first,) = await rows.rows(store, tables.replies)
    end_ms = first["window_ms"]
    await take(store, rows.message("b", at_s=(end_ms - rows.NOW_MS) / 1000))
    second = (await rows.rows(store, tables.replies))[-1]
    assert second["due_ms"] == due_ms("b", end_ms)


async def test_a_channel_that_is_released_by_hand_holds_only_its_own(
    store: database.Store,
) -> None:
    rules = settings.Reply(release_channels=frozenset({"sms2"}))
    context = rows.context(settings.Core(reply=rules))
    other = rows.message("b", sender=rows.phone(2), channel="sms2")
    await take(store, rows.message("a", sender=rows.phone(1)), other, context=context)
    found = await rows.rows(store, tables.replies)
    assert {(row["channel"], row["state"]) for row in found} == {
        ("sms", "scheduled"),
        ("sms2", "held"),
    }


async def test_a_word_we_asked_for_is_told_with_its_person_and_nothing_else_is(
    store: database.Store,
) -> None:
    await take(
        store,
        rows.message("a", sender=rows.phone(1)),
        rows.message("b", WORD, sender=rows.phone(2), at_s=1),
        rows.message("c", "", sender=rows.phone(1), kind=messages.Kind.CALL, at_s=2),
    )
    letters = proof.read(WORD)
    assert letters
    found = await rows.rows(store, tables.inbound)
    assert [row["reason"] for row in found] == ["first_contact", "proof", "call"]
    word = rows.KEYS.lasting("proof", letters).hex()
    assert await told(store, "proof") == [{"person": found[1]["person_id"], "word": word}]


async def test_a_start_of_the_same_moment_as_the_stop_undoes_nothing(
    store: database.Store,
) -> None:
    await take(store, rows.message("a", "STOP"), rows.message("b", "START"))
    (person,) = await rows.rows(store, tables.persons)
    assert person["opted_out_ms"] == rows.NOW_MS
    await take(store, rows.message("c", "START", at_s=0.001))
    (person,) = await rows.rows(store, tables.persons)
    assert person["opted_out_ms"] is None


@pytest.mark.parametrize("together", [True, False])
async def test_writing_on_moves_the_reply_and_a_call_does_not(
    store: database.Store, together: bool
) -> None:
    due = due_ms("a", rows.NOW_MS)
    late_s = (due - rows.NOW_MS) / 1000 - 1
    call = rows.message("b", "", kind=messages.Kind.CALL, at_s=late_s)
    text = rows.message("c", "tu dors ?", at_s=late_s)
    if together:
        await take(store, rows.message("a"), call)
    else:
        await take(store, rows.message("a"))
        await take(store, call)
    (reply,) = await rows.rows(store, tables.replies)
    assert reply["due_ms"] == due
    await take(store, text)
    (reply,) = await rows.rows(store, tables.replies)
    at_ms = rows.NOW_MS + round(late_s * 1000)
    assert reply["due_ms"] == delay.again(rows.NOW_MS, due, at_ms, rows.CORE.reply) > due


async def test_writing_on_at_once_moves_the_reply_as_well(store: database.Store) -> None:
    due = due_ms("a", rows.NOW_MS)
    late_s = (due - rows.NOW_MS) / 1000 - 1
    await take(store, rows.message("a"), rows.message("b", "tu dors ?", at_s=late_s))
    (reply,) = await rows.rows(store, tables.replies)
    at_ms = rows.NOW_MS + round(late_s * 1000)
    assert reply["due_ms"] == delay.again(rows.NOW_MS, due, at_ms, rows.CORE.reply) > due


async def test_somebody_answered_before_gets_a_row_for_a_hand_written_answer(
    store: database.Store,
) -> None:
    await take(store, rows.message("a"))
    sent = tables.replies.update().values(state="sent")
    await rows.run(store, sent)
    await take(store, rows.message("b", "je veux mourir", at_s=60))
    first, made = await rows.rows(store, tables.replies)
    assert made["id"] > first["id"]
    assert (made["state"], made["reason"], made["automatic"]) == ("held", "priority", False)
    assert (made["country"], made["due_ms"]) == ("FR", rows.NOW_MS + 60_000)
    (event,) = await told(store, "priority")
    assert (event["person"], event["reply"]) == (made["person_id"], made["id"])
    assert event["lane"]
    assert event["language"] == made["language"]
    # He who reads it first reads the words; of the one before nothing is kept.
    none, kept = await rows.rows(store, tables.inbound)
    place = people.text_place(made["person_id"], rows.NOW_MS + 60_000)
    assert (none["text_enc"], rows.KEYS.open(kept["text_enc"], place)) == (None, "je veux mourir")


async def test_a_reply_keeps_the_words_that_it_answers(store: database.Store) -> None:
    told = rows.context()
    await take(store, rows.message("a", "gare centrale", sender=rows.phone(1)), context=told)
    (reply,) = await rows.rows(store, tables.replies)
    spoken = (rows.phone(1)[:-4], *words.of("gare centrale"))
    assert words.unpack(reply["words"]) == tuple(map(told.hashed, spoken))


async def test_each_person_who_opts_out_is_told_once(store: database.Store) -> None:
    batch = [rows.message(f"n{n}", "STOP", sender=rows.phone(1 + n % 2), at_s=n) for n in range(4)]
    await take(store, *batch)
    assert await told(store, "opt_outs") == [{"n": 2}]


async def test_a_stop_gives_back_the_window_of_what_it_cancels_and_no_other(
    store: database.Store,
) -> None:
    """A later attempt's window is of the one that went out, another window of another reply."""
    waits = {"window_ms": rows.WINDOW_MS, "address_enc": None}
    await rows.put_replies(
        store,
        rows.reply(1, "failed", retry_of=None, **waits),
        *(rows.reply(n, "scheduled", retry_of=1 if n == 2 else None, **waits) for n in (2, 3, 4)),
    )
    later = tables.persons.update().where(tables.persons.c.id == 3)
    await rows.run(store, later.values(blocked_until_ms=rows.WINDOW_MS + 1))
    for n in (2, 3, 4):
        found = rows.KEYS.hash_address("sms", rows.phone(n))[0]
        await rows.put(store, tables.identities, {"hash": found, "person_id": n})
    await take(store, *(rows.message(f"n{n}", "STOP", sender=rows.phone(n)) for n in (2, 3, 4)))
    persons = await rows.rows(store, tables.persons)
    assert {row["id"]: row["blocked_until_ms"] for row in persons} == {
        1: rows.WINDOW_MS,
        2: rows.WINDOW_MS,
        3: rows.WINDOW_MS + 1,
        4: 0,
    }
    states = [row["state"] for row in await rows.rows(store, tables.replies)]
    assert states == ["failed", *["cancelled"] * 3]


async def test_who_was_never_to_be_answered_has_no_window(store: database.Store) -> None:
    call = rows.message("a", "", kind=messages.Kind.CALL)
    await take(store, call, rows.message("b", "STOP", sender=rows.phone(1)))
    persons = await rows.rows(store, tables.persons)
    assert [row["blocked_until_ms"] for row in persons] == [0, 0]


async def test_what_is_kept_of_a_message_is_what_later_decisions_need(
    store: database.Store,
) -> None:
    phone = rows.phone(1)
    await take(
        store,
        rows.message("a", "salut", sender=phone, parts=2),
        rows.message("b", "re", sender=phone, at_s=1),
        rows.message("c", "allo", sender="aci-1", network="signal", at_s=2),
        rows.message("d", "moi", sender=rows.OURS, at_s=3),
        rows.message("e", "info", sender="36180", at_s=4),
    )
    replies = await rows.rows(store, tables.replies)
    persons = [row["id"] for row in await rows.rows(store, tables.persons)]
    assert (len(replies), len(persons)) == (2, 4)
    block = rows.KEYS.hash("prefix", phone[:-4])
    number = {"country": "FR", "number_type": "fiction", "prefix": block}
    none = {"country": None, "number_type": None, "prefix": None}
    usual = {"channel": "sms", "network": "sms", "kind": "text", "parts": 1, "text_enc": None}
    signal = usual | {"channel": "signal", "network": "signal"}
    first = {"decision": "reply", "reason": "first_contact", "first": True}
    again = {"decision": "silence", "reason": "pending", "first": False}
    silent = {"decision": "silence", "reply_id": None, "first": True}
    own, short = {"reason": "own_number"}, {"reason": "short_code"}
    expected = [
        usual | first | number | {"reply_id": replies[0]["id"], "length": 5, "parts": 2},
        usual | again | number | {"reply_id": replies[0]["id"], "length": 2},
        signal | first | none | {"reply_id": replies[1]["id"], "length": 4},
        usual | silent | none | own | {"length": 3},
        usual | silent | none | short | {"length": 4, "number_type": "short_code"},
    ]
    of = [persons[0], persons[0], *persons[1:]]
    found = await rows.rows(store, tables.inbound)
    for n, (row, want, person) in enumerate(zip(found, expected, of, strict=True)):
        fixed = want | {"person_id": person, "received_ms": rows.NOW_MS + 1_000 * n}
        assert {name: row[name] for name in fixed} == fixed
        assert set(row) - set(fixed) == {"id"}


async def test_every_message_is_counted_by_what_became_of_it(store: database.Store) -> None:
    quotas = {
        "sms": settings.Quota(sent_per_received=2.0),
        "sms2": settings.Quota(parts_per_day=9),
    }
    context = rows.context(settings.Core(budget=settings.Budget(quotas=quotas)))
    await take(
        store,
        *(rows.message(f"n{n}", sender=rows.phone(10 + n)) for n in range(3)),
        *(rows.message(f"n{n}", sender=rows.phone(10), at_s=n) for n in (3, 4)),
        rows.message("a", "STOP", sender=rows.phone(5)),
        *(rows.message(f"b{n}", sender=rows.phone(7), channel="sms2", at_s=n) for n in (6, 7)),
        rows.message("d", sender="aci-1", network="signal"),
        context=context,
    )
    assert await store.read(events.totals) == {
        "messages": 9,
        "reply:first_contact": 5,
        "silence:pending": 3,
        "opt_out:stop": 1,
        # Only where a ratio is asked for.
        ratios.received("sms"): 6,
    }
