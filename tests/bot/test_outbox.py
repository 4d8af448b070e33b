from collections.abc import AsyncIterator, Callable

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot import outbox
from bot.policy import lifecycle
from bot.policy.lifecycle import State
from bot.store import database, tables, vault
from tests.bot.store import rows

NOW_MS = rows.NOW_MS


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


def row(reply_id: int, after: State) -> dict[str, object]:
    change: dict[str, object] = {"id": reply_id, "reason": "x"}
    if after in lifecycle.GIVES_BACK:
        change |= {"person_id": reply_id, "window_ms": rows.WINDOW_MS}
    return change


@pytest.mark.sqlite_only("81 moves, which the lifecycle refuses and not the database")
@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", list(State))
async def test_only_legal_moves(store: database.Store, before: State, after: State) -> None:
    await rows.put_replies(store, rows.reply(1, before))
    change = [row(1, after)]
    if after not in lifecycle.MOVES[before]:
        with pytest.raises(lifecycle.IllegalMoveError):
            await store.write(lambda tx: outbox.move(tx, before, after, change))
        assert (await rows.one(store, tables.replies, 1))["state"] == before
        return
    await store.write(lambda tx: outbox.move(tx, before, after, change))
    assert (await rows.one(store, tables.replies, 1))["state"] == after
    given_back = (await rows.one(store, tables.persons, 1))["blocked_until_ms"] == 0
    assert given_back == (after in lifecycle.GIVES_BACK)


async def test_a_lost_race_moves_nothing(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "held"), rows.reply(2, "cancelled"))
    changes = [row(1, State.CANCELLED), row(2, State.CANCELLED)]
    with pytest.raises(database.StoreAwayError, match="conflict"):
        await store.write(lambda tx: outbox.move(tx, State.HELD, State.CANCELLED, changes))
    assert (await rows.one(store, tables.replies, 1))["state"] == "held"
    assert (await rows.one(store, tables.persons, 1))["blocked_until_ms"] == rows.WINDOW_MS


async def test_a_window_that_is_another_replys_is_not_given_back(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "held"))
    change = [{"id": 1, "person_id": 1, "window_ms": rows.WINDOW_MS - 1, "reason": "x"}]
    await store.write(lambda tx: outbox.move(tx, State.HELD, State.EXPIRED, change))
    assert (await rows.one(store, tables.persons, 1))["blocked_until_ms"] == rows.WINDOW_MS


async def test_windows_are_taken_by_who_holds_them(store: database.Store) -> None:
    await rows.put(store, tables.persons, rows.person(1))
    later = rows.WINDOW_MS + 5
    await store.write(lambda tx: outbox.take_windows(tx, [(1, rows.WINDOW_MS, later)]))
    assert (await rows.one(store, tables.persons, 1))["blocked_until_ms"] == later
    with pytest.raises(database.StoreAwayError, match="conflict"):
        await store.write(lambda tx: outbox.take_windows(tx, [(1, rows.WINDOW_MS, later)]))


@pytest.mark.case("C08")
@pytest.mark.parametrize("first", ["held", "scheduled", "sending"])
@pytest.mark.parametrize("second", ["held", "scheduled", "sending"])
async def test_the_index_refuses_a_persons_second_active_reply(
    store: database.Store, first: str, second: str
) -> None:
    await rows.put_replies(store, rows.reply(1, first))
    again = rows.reply(2, second, person_id=1)
    with pytest.raises(database.StoreAwayError, match="IntegrityError"):
        await rows.put(store, tables.replies, again)
    # A hand reply neither takes nor needs the window; one that is over is none.
    await rows.put(store, tables.replies, again | {"automatic": False})
    await rows.put(store, tables.replies, rows.reply(3, "sent", person_id=1))


async def test_what_is_due_comes_in_order_with_its_person(store: database.Store) -> None:
    await rows.put_replies(
        store,
        rows.reply(1, "scheduled", due_ms=NOW_MS),
        rows.reply(2, "scheduled", due_ms=NOW_MS - 5),
        rows.reply(3, "scheduled", due_ms=NOW_MS + 1),
        rows.reply(4, "held", due_ms=NOW_MS - 9),
        rows.reply(5, "scheduled", due_ms=NOW_MS),
    )
    opted = sa.update(tables.persons).where(tables.persons.c.id == 2).values(opted_out_ms=4)
    await rows.run(store, opted)
    due = await store.write(lambda tx: outbox.load_due(tx, NOW_MS, 2))
    assert [(one.id, one.opted_out_ms) for one in due] == [(2, 4), (1, None)]
    assert await store.read(outbox.next_due) == NOW_MS - 5


QUERIES: dict[str, Callable[[sa.Connection], object]] = {
    "replies_due": lambda tx: outbox.load_due(tx, NOW_MS, 9),
    " replies_due": outbox.next_due,
    "replies_held": lambda tx: outbox.in_state(tx, State.HELD, 9),
    "replies_sending": lambda tx: outbox.in_state(tx, State.SENDING, 9),
    "replies_unknown": lambda tx: outbox.in_state(tx, State.UNKNOWN, 9),
}


@pytest.mark.sqlite_only("asks SQLite's planner; PostgreSQL's is asked in test_postgres.py")
@pytest.mark.parametrize("index", list(QUERIES))
async def test_the_partial_indexes_are_used(store: database.Store, index: str) -> None:
    def plan(tx: sa.Connection) -> str:
        driver = tx.connection.driver_connection
        assert driver is not None
        seen: list[str] = []
        driver.set_trace_callback(seen.append)
        QUERIES[index](tx)
        driver.set_trace_callback(None)
        sql = next(one for one in seen if one.startswith("SELECT"))
        return str(driver.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall())

    assert f"INDEX {index.strip()}" in await store.read(plan)


async def test_counts_name_every_state(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(1, "held"), rows.reply(2, "held"))
    counts = await store.read(outbox.counts)
    assert counts == {state.value: 2 * (state is State.HELD) for state in State}


@given(st.integers(0, (1 << 63) - 1))
def test_outside_names_are_read_back(reply_id: int) -> None:
    name = outbox.key(rows.KEYS, reply_id)
    assert len(name) == 32
    assert outbox.read_key(rows.KEYS, name) == reply_id
    assert outbox.read_key(vault.throwaway(8), name) is None


@given(st.one_of(st.text(max_size=40), st.text("0123456789abcdefABCDEF_ +x", min_size=32)))
def test_made_up_names_are_nobodys(text: str) -> None:
    assert outbox.read_key(rows.KEYS, text) is None
