"""Every row and every refusal of the queue: what generated mutants changed and nobody saw."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot import outbox
from bot.policy import lifecycle
from bot.policy.lifecycle import State
from bot.store import database, tables
from tests.bot.store import rows

NOW_MS = rows.NOW_MS


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


async def whole(store: database.Store, *columns: str) -> dict[int, tuple[Any, ...]]:
    found = await rows.rows(store, tables.replies)
    return {row["id"]: tuple(row[name] for name in columns) for row in found}


def test_outside_names_are_the_same_in_every_version() -> None:
    # Providers quote them weeks later: the number, and what only the key's owner can add.
    assert outbox.key(rows.KEYS, 5) == "00000000000000052928c1c7eb89c9b6"
    assert outbox.key(rows.KEYS, 6) == "000000000000000600b0d324b4f1f17f"
    most = (1 << 63) - 1
    assert outbox.read_key(rows.KEYS, outbox.key(rows.KEYS, most)) == most
    # What no column holds is nobody's, even under the right key.
    assert outbox.read_key(rows.KEYS, outbox.key(rows.KEYS, most + 1)) is None
    assert outbox.place(5) == "replies/5"


async def test_a_move_sets_what_it_is_told_and_nothing_else(store: database.Store) -> None:
    await rows.put_replies(store, *(rows.reply(n, "scheduled") for n in (1, 2, 3)))
    moved = [
        {"id": 1, "reason": "a", "due_ms": NOW_MS + 1},
        {"id": 3, "reason": "c", "due_ms": NOW_MS + 3},
    ]
    await store.write(lambda tx: outbox.move(tx, State.SCHEDULED, State.HELD, moved))
    await store.write(lambda tx: outbox.move(tx, State.SCHEDULED, State.HELD, []))
    (untouched,) = {rows.reply(2, "scheduled")["due_ms"]}
    assert await whole(store, "state", "reason", "due_ms") == {
        1: ("held", "a", NOW_MS + 1),
        2: ("scheduled", "first_contact", untouched),
        3: ("held", "c", NOW_MS + 3),
    }
    # Of another shape it is another statement.
    await store.write(lambda tx: outbox.move(tx, State.HELD, State.SCHEDULED, [{"id": 3}]))
    assert (await whole(store, "state", "reason"))[3] == ("scheduled", "c")


async def test_whose_window_it_was_is_told_and_not_written(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "held"), rows.reply(2, "held"))
    told = [{"id": 1, "person_id": 2, "window_ms": 5, "reason": "x"}]
    await store.write(lambda tx: outbox.move(tx, State.HELD, State.EXPIRED, told))
    assert await whole(store, "state", "person_id", "window_ms", "reason") == {
        1: ("expired", 1, rows.WINDOW_MS, "x"),
        2: ("held", 2, rows.WINDOW_MS, "first_contact"),
    }
    assert (await rows.one(store, tables.persons, 2))["blocked_until_ms"] == rows.WINDOW_MS


async def test_windows_go_back_only_where_they_may(store: database.Store) -> None:
    await rows.put_replies(
        store,
        *(rows.reply(n, "held", retry_of=None if n < 4 else 1) for n in (1, 2, 3, 4)),
    )

    async def over(reply_id: int, after: State, **how: bool) -> int:
        change = [{"id": reply_id, "person_id": reply_id, "window_ms": rows.WINDOW_MS}]
        await store.write(lambda tx: outbox.move(tx, State.HELD, after, change, **how))
        left: int = (await rows.one(store, tables.persons, reply_id))["blocked_until_ms"]
        return left

    assert await over(1, State.CANCELLED) == 0
    assert await over(2, State.CANCELLED, gives_back=False) == rows.WINDOW_MS
    await store.write(lambda tx: outbox.keep_windows(tx, [3]))
    assert await over(3, State.EXPIRED) == rows.WINDOW_MS
    assert await over(4, State.CANCELLED) == rows.WINDOW_MS
    assert await whole(store, "retry_of") == {1: (None,), 2: (None,), 3: (3,), 4: (1,)}


async def test_who_lost_a_race_is_told_how_many(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "scheduled"), rows.reply(2, "held"))
    both = [{"id": 1}, {"id": 2}, {"id": 9}]

    def lost(tx: Any) -> str:  # noqa: ANN401 (a connection)
        with pytest.raises(database.ConflictError) as caught:
            outbox.move(tx, State.SCHEDULED, State.SENDING, both)
        with pytest.raises(database.ConflictError, match=r"^a person's window changed hands$"):
            outbox.take_windows(tx, [(1, rows.WINDOW_MS, 5), (2, rows.WINDOW_MS - 1, 5)])
        with pytest.raises(lifecycle.IllegalMoveError):
            outbox.move(tx, State.SENT, State.SENDING, [{"id": 1}])
        return str(caught.value)

    assert await store.write(lost) == "2 replies are no longer scheduled"
    await store.write(lambda tx: outbox.take_windows(tx, []))


async def test_what_waits_is_set_aside_once(store: database.Store) -> None:
    waits = {"topic": 7, "approved": True}
    await rows.put_replies(
        store,
        rows.reply(1, "scheduled", **waits),
        rows.reply(2, "held", language="en", **waits),
        rows.reply(3, "held", reason="raid", **waits),
        rows.reply(4, "sending", **waits),
        rows.reply(5, "scheduled", **waits),
    )

    async def aside(*ids: int) -> dict[int, str]:
        return await store.write(lambda tx: outbox.set_aside(tx, ids, "raid"))

    assert await aside() == {}
    assert await aside(1, 2, 3, 4) == {1: "fr", 2: "en"}
    assert await aside(1, 2, 3, 4) == {}
    assert await whole(store, "state", "reason", "topic", "approved") == {
        1: ("held", "raid", None, False),
        2: ("held", "raid", None, False),
        3: ("held", "raid", 7, True),
        4: ("sending", "first_contact", 7, True),
        5: ("scheduled", "first_contact", 7, True),
    }


async def test_for_whom_a_reply_by_hand_waits(store: database.Store) -> None:
    await rows.put_replies(
        store,
        rows.reply(1, "held", automatic=False),
        rows.reply(2, "held"),
        rows.reply(3, "scheduled", automatic=False),
        rows.reply(4, "held", automatic=False),
    )
    assert await store.read(lambda tx: outbox.by_hand(tx, iter([1, 2, 3]))) == {1}


async def test_whether_and_when_it_goes_on(store: database.Store) -> None:
    async def ask() -> tuple[int | None, bool]:
        return await store.read(outbox.next_due), await store.read(outbox.goes_on)

    assert await ask() == (None, False)
    await rows.put_replies(store, *(rows.reply(n, s) for n, s in ((1, "sent"), (2, "unknown"))))
    assert await ask() == (None, False)
    for n, state in enumerate(("held", "sending"), start=3):
        await rows.put_replies(store, rows.reply(n, state))
        assert await ask() == (None, True)
        gone = [{"id": n, "person_id": n, "window_ms": 0}]
        after = State.FAILED if state == "sending" else State.CANCELLED
        await store.write(lambda tx, s=state, a=after, g=gone: outbox.move(tx, State(s), a, g))  # type: ignore[misc]  # a loop's variables
        assert await ask() == (None, False)
    await rows.put_replies(store, rows.reply(5, "scheduled", due_ms=NOW_MS + 9))
    assert await ask() == (NOW_MS + 9, True)


async def test_rows_are_read_whole_and_in_order(store: database.Store) -> None:
    await rows.put_replies(
        store,
        rows.reply(1, "held", due_ms=NOW_MS + 5),
        rows.reply(2, "held", due_ms=NOW_MS),
        rows.reply(3, "held", due_ms=NOW_MS),
        rows.reply(4, "sent", due_ms=NOW_MS),
    )
    for held in (False, True):
        found = await store.write(lambda tx, h=held: outbox.load(tx, [4, 1, 9], held=h))  # type: ignore[misc]  # a loop's variable
        assert {n: (row["id"], row["state"]) for n, row in found.items()} == {
            1: (1, "held"),
            4: (4, "sent"),
        }
        assert set(found[1]) == set(tables.replies.c.keys())
    assert await store.read(lambda tx: outbox.load(tx, [])) == {}
    waiting = await store.read(lambda tx: outbox.in_state(tx, State.HELD, 2))
    assert [row["id"] for row in waiting] == [2, 3]
    assert set(waiting[0]) == set(tables.replies.c.keys())
    assert await store.read(lambda tx: outbox.states(tx, [1, 4, 9])) == {1: "held", 4: "sent"}
    counted = await store.read(outbox.counts)
    assert counted == {state.value: 0 for state in State} | {"held": 3, "sent": 1}


async def test_a_due_reply_carries_what_decides_about_it(store: database.Store) -> None:
    for one in (
        rows.reply(1, "scheduled", written_channel="signal", written_address="us"),
        rows.reply(2, "scheduled", refused_by="sim twilio"),
        rows.reply(3, "scheduled", window_ms=rows.WINDOW_MS - 1),
        rows.reply(4, "scheduled", window_ms=rows.WINDOW_MS - 1, automatic=False),
    ):
        await rows.put_replies(store, one)
    late = NOW_MS + 100 * rows.DAY_MS
    due = {one.id: one for one in await store.write(lambda tx: outbox.load_due(tx, late, 9))}
    assert [due[n].written_to for n in (1, 2)] == [("signal", "us"), ("sms", rows.OURS)]
    assert due[1].refused == frozenset()
    assert due[2].refused == {"sim", "twilio"}
    assert [due[n].superseded for n in (1, 2, 3, 4)] == [False, False, True, False]
    assert due[1]._replace(merged_into=7).superseded
    assert not due[4]._replace(merged_into=7).superseded
