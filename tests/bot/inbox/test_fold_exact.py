"""To the millisecond and the row: what the fold writes for one message after another."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.contract import messages
from bot.inbox import door, state
from bot.policy import delay, proof, settings
from bot.store import database, tables
from tests.bot.store import rows

WORD = "PROOF-ABCDEFGH23"


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


async def take(
    store: database.Store,
    *batch: messages.InboundMessage,
    context: state.Context | None = None,
) -> None:
    told = context or rows.context()
    await told.ids.top_up(store, 4 * len(batch))
    work = functools.partial(door.take_in, context=told, batch=batch, now_ms=rows.NOW_MS)
    await store.write(work)


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
