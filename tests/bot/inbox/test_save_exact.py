"""What one batch leaves in the database besides its messages, and what it leaves alone."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot.contract import messages, money
from bot.inbox import fold, heard, load, save, state
from bot.policy import delay, proof, settings
from bot.policy.flood import snapshot, words
from bot.store import database, events, tables
from tests.bot.inbox import taking
from tests.bot.store import rows

NOW_MS = rows.NOW_MS + 777
"""Of the transaction; no message came at this very moment."""
HELP = "je veux mourir"


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


take = functools.partial(taking.take, now_ms=NOW_MS)


async def told(store: database.Store, kind: str) -> list[dict[str, Any]]:
    """What the events of a kind say, all of them of the transaction's moment."""
    found = [row for row in await rows.rows(store, tables.events) if row["kind"] == kind]
    assert {row["at_ms"] for row in found} <= {NOW_MS}
    return [json.loads(row["data"]) for row in found]


async def by_hand(store: database.Store) -> list[int]:
    """People for whom a reply waits that a moderator must write."""
    found = await rows.rows(store, tables.replies)
    return [row["person_id"] for row in found if not row["automatic"]]


def due_ms(provider_id: str, at_ms: int) -> int:
    """When a first contact of that id on SMS falls due."""
    seen = rows.KEYS.ring("seen", f"sms\x00{provider_id}")[0]
    return delay.first(at_ms, rows.CORE.reply, rows.KEYS.draw("delay", seen.hex()))


async def sent(store: database.Store) -> None:
    """Every reply so far went out."""
    await rows.run(store, sa.update(tables.replies).values(state="sent"))


async def test_a_new_person_is_all_new(store: database.Store) -> None:
    await take(store, rows.message("a"), rows.message("b", at_s=3))
    (person,) = await rows.rows(store, tables.persons)
    (reply,) = await rows.rows(store, tables.replies)
    assert person == {
        "id": reply["person_id"],
        "created_ms": rows.NOW_MS,
        "last_ms": rows.NOW_MS + 3_000,
        "messages": 2,
        "blocked_until_ms": reply["window_ms"],
        "opted_out_ms": None,
        "blocked_ms": None,
        "merged_into": None,
    }
    await take(store, rows.message("c", at_s=2), rows.message("d", "STOP", at_s=9))
    (after,) = await rows.rows(store, tables.persons)
    changed = {"messages": 4, "last_ms": rows.NOW_MS + 9_000, "blocked_until_ms": 0}
    assert after == person | changed | {"opted_out_ms": rows.NOW_MS + 9_000}


async def test_ids_are_remembered_from_the_moment_they_were_stored(store: database.Store) -> None:
    await take(store, rows.message("a", fingerprint="g"), rows.message("b"))
    found = await rows.rows(store, tables.seen)
    names = ("sms\x00a", "sms\x00\x00g", "sms\x00b")
    assert {row["hash"] for row in found} == {rows.KEYS.hash("seen", name) for name in names}
    assert {row["at_ms"] for row in found} == {NOW_MS}


async def test_nobody_who_wrote_nothing_is_written(store: database.Store) -> None:
    """Two share a number's words, one writes: the other's row is as it was."""
    await take(store, rows.message("a", sender=rows.phone(1)))
    await take(store, rows.message("b", sender=rows.phone(2)))
    before, _ = await rows.rows(store, tables.persons)
    await take(store, rows.message("c", sender=rows.phone(2), at_s=60))
    after, other = await rows.rows(store, tables.persons)
    assert after == before
    assert other["messages"] == 2


async def test_the_hour_counts_what_became_of_messages(store: database.Store) -> None:
    await take(
        store,
        rows.message("a", sender=rows.phone(1)),
        rows.message("b", sender=rows.phone(2)),
        rows.message("c", "STOP", sender=rows.phone(2), at_s=1),
        rows.message("c", "STOP", sender=rows.phone(2), at_s=1),
    )
    found = await rows.rows(store, tables.counters)
    assert {row["hour_ms"] for row in found} == {NOW_MS - NOW_MS % rows.HOUR_MS}
    assert {row["name"]: row["n"] for row in found} == {
        "duplicates": 1,
        "messages": 3,
        "reply:first_contact": 2,
        "opt_out:stop": 1,
    }


async def test_wishes_of_a_batch_are_one_event(store: database.Store) -> None:
    stops = [rows.message(f"n{n}", "STOP", sender=rows.phone(n)) for n in (1, 2, 3)]
    await take(store, *stops, rows.message("again", "STOP", sender=rows.phone(1), at_s=1))
    assert await told(store, "opt_outs") == [{"n": 3}]
    await take(store, rows.message("b", "STOP", sender=rows.phone(3), at_s=2))
    assert await told(store, "opt_outs") == [{"n": 3}]


@pytest.mark.case("C42")
async def test_what_receiving_cost_is_posted_at_the_moment_of_storing(
    store: database.Store,
) -> None:
    await take(store, rows.message("a"))
    assert await rows.rows(store, tables.postings) == []
    await take(store, rows.message("b", cost=money.Money(7_500, "EUR"), at_s=1))
    (posting,) = await rows.rows(store, tables.postings)
    assert (posting["at_ms"], posting["amount_micros"]) == (NOW_MS, 7_500)


async def test_made_up_words_do_not_fill_the_events(store: database.Store) -> None:
    letters = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
    texts = [f"PROOF-ABCDEFG{a}{b}{c}" for a in "AB" for b in letters[:17] for c in "CDE"]
    batch = [rows.message(f"n{n:03}", text, at_s=n / 100) for n, text in enumerate(texts)]
    assert len(batch) == 102
    assert all(proof.read(text) for text in texts)
    await take(store, *batch)
    found = await told(store, "proof")
    (person,) = await rows.rows(store, tables.persons)
    named = [rows.KEYS.lasting("proof", proof.read(text) or "").hex() for text in texts]
    assert found == [{"person": person["id"], "word": word} for word in named[:100]]


@pytest.mark.case("C11")
async def test_words_of_first_contacts_are_added_to_the_floods_counts(
    store: database.Store,
) -> None:
    context = rows.context()
    later_s = snapshot.BUCKET_MS / 1000
    await take(store, rows.message("a", "coucou", sender=rows.phone(1)), context=context)
    await take(
        store,
        rows.message("b", "coucou", sender=rows.phone(2)),
        # A second one of his does not count.
        rows.message("c", "coucou", sender=rows.phone(1)),
        rows.message("d", "coucou", sender=rows.phone(3), at_s=later_s),
        context=context,
    )
    found = await rows.rows(store, tables.flood)
    counts = {(row["bucket_ms"], row["word"]): row["n"] for row in found}
    now_ms = snapshot.bucket_ms(rows.NOW_MS)
    for word in (words.SENDERS, context.hashed("coucou")):
        assert counts[now_ms, word] == 2
        assert counts[now_ms + snapshot.BUCKET_MS, word] == 1


@pytest.mark.parametrize("before", ["scheduled", "held"])
async def test_a_wish_cancels_what_waits_where_it_was_moved_to(
    store: database.Store, before: str
) -> None:
    """He went on writing first, in the same batch; somebody else's reply goes on waiting."""
    if before == "held":
        rules = settings.Reply(release_channels=frozenset({"sms"}))
        context = rows.context(settings.Core(reply=rules))
    else:
        context = rows.context()
    await take(store, rows.message("other", sender=rows.phone(2)), context=context)
    await take(store, rows.message("a"), context=context)
    due = due_ms("a", rows.NOW_MS)
    late_s = (due - rows.NOW_MS) / 1000 - 1
    writes_on = rows.message("b", "tu dors ?", at_s=late_s)
    stops = rows.message("c", "STOP", at_s=late_s + 0.5)
    await take(store, writes_on, stops, context=context)
    other, reply = await rows.rows(store, tables.replies)
    at_ms = rows.NOW_MS + round(late_s * 1000)
    assert reply["due_ms"] == delay.again(rows.NOW_MS, due, at_ms, rows.CORE.reply) > due
    assert (reply["state"], reply["reason"]) == ("cancelled", "opted_out")
    assert reply["address_enc"] is None
    assert (other["state"], other["due_ms"]) == (before, due_ms("other", rows.NOW_MS))
    persons = await rows.rows(store, tables.persons)
    assert [row["blocked_until_ms"] for row in persons] == [other["window_ms"], 0]


@pytest.mark.case("C15", "C44", "C49")
async def test_a_cancelled_reply_does_not_take_the_next_ones_window(
    store: database.Store,
) -> None:
    """STOP, START and a word again, in one batch; both replies would end at the same moment."""
    await take(store, rows.message("a"))
    (first,) = await rows.rows(store, tables.replies)
    second_ms = rows.NOW_MS + 2_000
    window_ms = due_ms("d", second_ms) + rows.CORE.reply.window_days * rows.DAY_MS
    await rows.run(store, sa.update(tables.replies).values(window_ms=window_ms))
    await rows.run(store, sa.update(tables.persons).values(blocked_until_ms=window_ms))
    await take(
        store,
        rows.message("b", "STOP", at_s=1),
        rows.message("c", "START", at_s=1.5),
        rows.message("d", at_s=2),
    )
    before, made = await rows.rows(store, tables.replies)
    assert (before["id"], before["state"]) == (first["id"], "cancelled")
    assert (made["state"], made["window_ms"]) == ("scheduled", window_ms)
    (person,) = await rows.rows(store, tables.persons)
    assert person["blocked_until_ms"] == window_ms


async def test_what_is_held_for_somebody_to_read_is_told_once(store: database.Store) -> None:
    await take(store, rows.message("a"))
    await take(store, rows.message("b", HELP, at_s=1))
    (reply,) = await rows.rows(store, tables.replies)
    assert (reply["state"], reply["reason"]) == ("held", "priority")
    wanted = {
        "lane": "distress",
        "person": reply["person_id"],
        "reply": reply["id"],
        "language": reply["language"],
    }
    assert await told(store, "priority") == [wanted]
    await take(store, rows.message("c", HELP, at_s=2))
    assert await told(store, "priority") == [wanted]
    # Somebody new beside him is told all the same.
    batch = [rows.message("d", HELP, at_s=3), rows.message("e", HELP, sender=rows.phone(2), at_s=4)]
    await take(store, *batch)
    made = (await rows.rows(store, tables.replies))[-1]
    assert [one["reply"] for one in await told(store, "priority")] == [reply["id"], made["id"]]


async def test_one_row_a_person_waits_for_words_by_hand(store: database.Store) -> None:
    people = [rows.phone(n) for n in (1, 2)]
    await take(store, *(rows.message(f"a{n}", sender=n) for n in people))
    await sent(store)
    # Twice in one batch, then again beside somebody for whom it is news.
    await take(
        store,
        rows.message("b", HELP, sender=people[0], at_s=1),
        rows.message("c", HELP, sender=people[0], at_s=2),
    )
    first, second = [row["id"] for row in await rows.rows(store, tables.persons)]
    assert await by_hand(store) == [first]
    await take(
        store,
        rows.message("d", HELP, sender=people[0], at_s=3),
        rows.message("e", HELP, sender=people[1], at_s=4),
    )
    assert await by_hand(store) == [first, second]
    assert [one["person"] for one in await told(store, "priority")] == [first, second]


@pytest.mark.case("C06", "C49")
@pytest.mark.parametrize("wish", [None, 0])
async def test_a_wish_that_changed_meanwhile_is_a_conflict(
    store: database.Store, wish: int | None
) -> None:
    context = rows.context()
    await take(store, rows.message("a"), context=context)
    await rows.run(store, sa.update(tables.persons).values(opted_out_ms=wish))
    items = load.items(context, [rows.message("b", at_s=5)], NOW_MS)
    await context.ids.top_up(store, 4)
    ends: list[str] = []

    def work(tx: sa.Connection, now: int | None) -> None:
        known = load.known(tx, items)
        written, _ = fold.fold(context, items, known, context.ids.take)
        tx.execute(sa.update(tables.persons).values(opted_out_ms=now))
        try:
            save.folded(tx, context, known, written, NOW_MS)
        except database.ConflictError as error:
            ends.append(str(error))

    await store.write(functools.partial(work, now=0 if wish is None else None))
    assert ends == ["a person changed meanwhile"]
    assert await store.read(events.totals) == {"messages": 1, "reply:first_contact": 1}


def number(n: int) -> bytes:
    """A hash that begins with this number."""
    return n.to_bytes(8, "big") + b"\xff" * 8


@pytest.mark.case("C11")
def test_so_many_have_a_place_each_and_a_newcomer_takes_one() -> None:
    known = heard.Heard(places=64)
    for n in range(64):
        known.note(number(n))
    assert all(known.knows(number(n)) for n in range(64))
    known.note(number(64 + 5))
    assert known.knows(number(64 + 5))
    assert [n for n in range(64) if not known.knows(number(n))] == [5]


def item(context: state.Context, text: str, **changes: Any) -> state.Item:  # noqa: ANN401 (any field of a message)
    """A message as the door has read it."""
    late = rows.NOW + dt.timedelta(seconds=1)
    message = rows.message("a", text, received_at=late, **changes)
    (found,) = load.items(context, [message], NOW_MS)
    return found


@pytest.mark.case("C11")
@pytest.mark.parametrize(
    ("text", "changes", "repeat"),
    [
        ("salut", {}, True),
        ("", {}, True),
        ("STOP", {}, False),
        ("START", {}, False),
        ("salut", {"wish": messages.Wish.STOP}, False),
        ("PROOF-ABCDEFGH23", {}, False),
        (HELP, {}, False),
        ("salut", {"sender": ""}, False),
        ("salut", {"sender": rows.phone(2)}, False),
    ],
)
def test_only_a_plain_second_message_may_wait(
    text: str, changes: dict[str, Any], repeat: bool
) -> None:
    context = rows.context()
    known = heard.Heard()
    for sender in ({}, {"sender": ""}):
        known.note(item(context, "salut", **sender).hashes[0][0])
    if changes.get("sender") != rows.phone(2):
        known.note(item(context, text, **changes).hashes[0][0])
    assert known.is_repeat(item(context, text, **changes)) is repeat
