"""What a merge leaves of each person, reply and window, to the millisecond (C48)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from bot import outbox
from bot.inbox import load, merge, state
from bot.policy import lifecycle
from bot.store import database, events, tables
from tests.bot.store import rows

AT_MS = rows.NOW_MS + 500_000
LATER_MS = rows.WINDOW_MS + 1_000
BYSTANDER = 9

Row = dict[str, object]


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


def hashed(person_id: int) -> bytes:
    return person_id.to_bytes(16, "big")


def person(person_id: int, window_ms: int = rows.WINDOW_MS, **changes: object) -> Row:
    """The higher the id, the younger."""
    told: Row = {"created_ms": rows.NOW_MS + person_id, "blocked_until_ms": window_ms}
    return rows.person(person_id, **(told | changes))


def reply(
    person_id: int,
    reply_state: str = "scheduled",
    first_ms: int = rows.NOW_MS,
    window_ms: int = rows.WINDOW_MS,
    retry_of: int | None = None,
    **changes: object,
) -> Row:
    """Its number is ten times that of its person."""
    told: Row = {"person_id": person_id, "first_ms": first_ms, "window_ms": window_ms}
    made = rows.reply(10 * person_id, reply_state, **(told | changes))
    return made | {"retry_of": retry_of}


def owners_of(tx: sa.Connection, ids: Sequence[int]) -> list[state.Person]:
    message = rows.message()
    item = state.Item(
        message=message,
        at_ms=AT_MS,
        seen=(),
        fresh=(),
        hashes=tuple((hashed(one),) for one in ids),
    )
    return load.known(tx, [item]).owners(item)


async def joined(
    store: database.Store, persons: Sequence[Row], replies: Sequence[Row] = ()
) -> dict[int, dict[str, Any]]:
    """Merge these (and nobody else); every person afterwards, by id."""
    everybody = [*persons, person(BYSTANDER)]
    await rows.put(store, tables.persons, *everybody)
    known = [{"hash": hashed(one["id"]), "person_id": one["id"]} for one in everybody]  # type: ignore[arg-type]
    await rows.put(store, tables.identities, *known)
    await rows.put(store, tables.replies, *replies, reply(BYSTANDER))
    before = await rows.one(store, tables.replies, 10 * BYSTANDER)
    ids = [int(str(one["id"])) for one in persons]
    await store.write(lambda tx: merge.join(tx, owners_of(tx, ids), AT_MS))
    found = {row["id"]: row for row in await rows.rows(store, tables.persons)}
    assert found[BYSTANDER] == person(BYSTANDER)
    assert await rows.one(store, tables.replies, 10 * BYSTANDER) == before
    (told,) = await rows.rows(store, tables.events)
    assert (told["at_ms"], told["kind"]) == (AT_MS, "merged")
    assert json.loads(told["data"]) == {"persons": len(persons)}
    return found


async def replies(store: database.Store) -> dict[int, tuple[int, str, str]]:
    """Reply -> whose it is, its state and its reason; without the bystander's."""
    found = await rows.rows(store, tables.replies)
    return {
        row["id"]: (row["person_id"], row["state"], row["reason"])
        for row in found
        if row["id"] != 10 * BYSTANDER
    }


WAITS = "first_contact"


@pytest.mark.case("C48")
async def test_the_oldest_survives_and_every_address_leads_to_it(store: database.Store) -> None:
    found = await joined(store, [person(2, 5), person(1, 7), person(3, 6)])
    assert {one: row["merged_into"] for one, row in found.items()} == {
        1: None,
        2: 1,
        3: 1,
        BYSTANDER: None,
    }
    # Nobody of them was answered: the window of each is over, as it was.
    assert found[1]["blocked_until_ms"] == 7
    assert (found[2]["blocked_until_ms"], found[3]["blocked_until_ms"]) == (5, 6)
    owners = {row["hash"]: row["person_id"] for row in await rows.rows(store, tables.identities)}
    assert owners == {hashed(1): 1, hashed(2): 1, hashed(3): 1, hashed(BYSTANDER): BYSTANDER}


@pytest.mark.case("C48", "C15")
async def test_the_first_wish_and_the_first_block_are_kept(store: database.Store) -> None:
    found = await joined(
        store,
        [
            person(1, 0, opted_out_ms=None, blocked_ms=60),
            person(2, 0, opted_out_ms=30, blocked_ms=None),
            person(3, 0, opted_out_ms=20, blocked_ms=50),
        ],
    )
    assert (found[1]["opted_out_ms"], found[1]["blocked_ms"]) == (20, 50)


@pytest.mark.case("C48")
async def test_who_wished_and_was_blocked_for_nothing_stays_so(store: database.Store) -> None:
    found = await joined(store, [person(1, 0), person(2, 0)])
    assert (found[1]["opted_out_ms"], found[1]["blocked_ms"]) == (None, None)
    assert found[1]["messages"] == 1


@pytest.mark.case("C48")
@pytest.mark.parametrize("earlier", [1, 2])
@pytest.mark.parametrize("other_state", ["scheduled", "held"])
async def test_of_two_that_wait_the_earlier_stays(
    store: database.Store, earlier: int, other_state: str
) -> None:
    later = 3 - earlier
    found = await joined(
        store,
        [
            person(earlier, LATER_MS if earlier == 1 else rows.WINDOW_MS),
            person(later, LATER_MS if later == 1 else rows.WINDOW_MS),
        ],
        [
            reply(
                earlier,
                first_ms=rows.NOW_MS - 1,
                window_ms=LATER_MS if earlier == 1 else rows.WINDOW_MS,
            ),
            reply(
                later,
                other_state,
                window_ms=LATER_MS if later == 1 else rows.WINDOW_MS,
            ),
        ],
    )
    assert await replies(store) == {
        10 * earlier: (1, "scheduled", WAITS),
        10 * later: (later, "cancelled", "merged"),
    }
    dropped = await rows.one(store, tables.replies, 10 * later)
    assert dropped["address_enc"] is None
    kept = await rows.one(store, tables.replies, 10 * earlier)
    assert kept["address_enc"] is not None
    assert found[1]["blocked_until_ms"] == kept["window_ms"]


@pytest.mark.case("C48")
async def test_of_the_same_moment_the_first_made_stays(store: database.Store) -> None:
    await joined(
        store,
        [person(1), person(2)],
        [reply(1, id=30), reply(2, id=20)],
    )
    assert await replies(store) == {
        20: (1, "scheduled", WAITS),
        30: (1, "cancelled", "merged"),
    }


@pytest.mark.case("C48")
async def test_one_that_is_being_sent_stays_before_an_earlier_one(store: database.Store) -> None:
    found = await joined(
        store,
        [person(1), person(2, LATER_MS), person(3)],
        [
            reply(1, first_ms=rows.NOW_MS - 5),
            reply(2, "sending", window_ms=LATER_MS),
            reply(3, "held", first_ms=rows.NOW_MS - 9),
        ],
    )
    assert await replies(store) == {
        10: (1, "cancelled", "merged"),
        20: (1, "sending", WAITS),
        30: (3, "cancelled", "merged"),
    }
    # He may still be told later that nothing went out; then his window goes by this reply.
    assert found[1]["blocked_until_ms"] == LATER_MS


@pytest.mark.case("C48")
@pytest.mark.parametrize("survivor_sends", [True, False])
async def test_two_that_are_being_sent_cannot_be_called_back(
    store: database.Store, survivor_sends: bool
) -> None:
    """A person has one active reply: the survivor's own, else the earlier; the other stays his."""
    found = await joined(
        store,
        [person(1), person(2, LATER_MS), person(3, LATER_MS + 1)],
        [
            reply(1, "sending" if survivor_sends else "held", first_ms=rows.NOW_MS - 9),
            reply(2, "sending", first_ms=rows.NOW_MS - 19, window_ms=LATER_MS),
            reply(
                3,
                "scheduled" if survivor_sends else "sending",
                first_ms=rows.NOW_MS - 29,
                window_ms=LATER_MS + 1,
            ),
        ],
    )
    kept, other, gone = (1, 2, 3) if survivor_sends else (3, 2, 1)
    assert await replies(store) == {
        10 * kept: (1, "sending", WAITS),
        10 * other: (other, "sending", WAITS),
        10 * gone: (gone, "cancelled", "merged"),
    }
    window_ms = {1: rows.WINDOW_MS, 3: LATER_MS + 1}[kept]
    assert found[1]["blocked_until_ms"] == window_ms


@pytest.mark.case("C48")
@pytest.mark.parametrize("waits", ["scheduled", "held"])
async def test_after_an_answer_nothing_waits(store: database.Store, waits: str) -> None:
    found = await joined(
        store,
        [person(1, LATER_MS), person(2)],
        [reply(1, waits, window_ms=LATER_MS)],
    )
    assert await replies(store) == {10: (1, "cancelled", "merged")}
    # The window is the answered one's, though the other's would have been longer.
    assert found[1]["blocked_until_ms"] == rows.WINDOW_MS


@pytest.mark.case("C48")
@pytest.mark.parametrize("over", [True, False])
async def test_an_answer_counts_until_its_window_is_over(store: database.Store, over: bool) -> None:
    end_ms = AT_MS if over else AT_MS + 1
    found = await joined(store, [person(1, end_ms), person(2)], [reply(2)])
    kept = {20: (1, "scheduled", WAITS)} if over else {20: (2, "cancelled", "merged")}
    assert await replies(store) == kept
    assert found[1]["blocked_until_ms"] == (rows.WINDOW_MS if over else end_ms)


@pytest.mark.case("C48")
async def test_a_later_attempt_is_of_somebody_who_was_answered(store: database.Store) -> None:
    """The first attempt may have gone out: its window stays when the later one is dropped."""
    found = await joined(
        store,
        [person(1), person(2, LATER_MS)],
        [reply(1), reply(2, retry_of=5, window_ms=LATER_MS)],
    )
    assert await replies(store) == {
        10: (1, "cancelled", "merged"),
        20: (2, "cancelled", "merged"),
    }
    assert found[1]["blocked_until_ms"] == LATER_MS


@pytest.mark.case("C48")
async def test_one_being_sent_beside_an_answer_is_superseded_if_it_comes_back(
    store: database.Store,
) -> None:
    found = await joined(
        store,
        [person(1, LATER_MS), person(2)],
        [reply(2, "sending")],
    )
    assert await replies(store) == {20: (1, "sending", WAITS)}
    # Later than both windows, and neither's: the end of neither reply gives it back.
    assert found[1]["blocked_until_ms"] == LATER_MS + 1

    def come_back(tx: sa.Connection) -> list[outbox.DueReply]:
        outbox.move(tx, lifecycle.State.SENDING, lifecycle.State.SCHEDULED, [{"id": 20}])
        due = outbox.load_due(tx, AT_MS + rows.HOUR_MS, 9)
        return [one for one in due if one.id == 20]

    (again,) = await store.write(come_back)
    assert again.superseded


@pytest.mark.case("C48")
async def test_who_was_answered_twice_keeps_the_longer_window(store: database.Store) -> None:
    found = await joined(store, [person(1), person(2, LATER_MS), person(3)])
    assert found[1]["blocked_until_ms"] == LATER_MS
    assert await store.read(events.totals) == {}


@pytest.mark.case("C48")
async def test_what_waits_by_hand_is_the_survivors_once(store: database.Store) -> None:
    """It takes no window and gives none back."""
    asked: dict[str, Any] = {"automatic": False, "reason": "priority"}
    found = await joined(
        store,
        [person(1), person(2, LATER_MS)],
        [
            reply(1, "held", due_ms=rows.NOW_MS, **asked),
            reply(2, "held", due_ms=rows.NOW_MS - 1, **asked),
        ],
    )
    assert await replies(store) == {
        10: (1, "cancelled", "merged"),
        20: (1, "held", "priority"),
    }
    assert found[1]["blocked_until_ms"] == LATER_MS


@pytest.mark.case("C48", "C49")
@pytest.mark.parametrize("wish", [None, 0, 30])
async def test_nobody_is_joined_who_wishes_something_else_by_now(
    store: database.Store, wish: int | None
) -> None:
    other = 31 if wish == 30 else 30
    await rows.put(store, tables.persons, person(1, opted_out_ms=other), person(2))
    owners = [
        state.Person(
            id=one,
            created_ms=rows.NOW_MS + one,
            new=False,
            last_ms=rows.NOW_MS,
            blocked_until_ms=rows.WINDOW_MS,
            opted_out_ms=wish if one == 1 else None,
            blocked_ms=None,
        )
        for one in (1, 2)
    ]
    ends: list[str] = []

    def work(tx: sa.Connection) -> None:
        try:
            merge.join(tx, owners, AT_MS)
        except database.ConflictError as error:
            ends.append(str(error))

    await store.write(work)
    assert ends == ["a person changed meanwhile"]
    found = await rows.rows(store, tables.persons)
    assert [row["merged_into"] for row in found] == [None, None]
