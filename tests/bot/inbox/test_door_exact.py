"""At the door: who is turned away, what is told of a database that is away, where work is done."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import threading
from collections.abc import AsyncIterator

import pytest

from bot.contract import address, intake, messages, money
from bot.inbox import door
from bot.policy.flood import snapshot
from bot.store import database, events, tables, vault
from tests.bot.store import rows

LIMIT_S = 60
PHONE = "+33639981231"


@pytest.fixture
async def store(tmp_path: pathlib.Path) -> AsyncIterator[database.Store]:
    """On a file: in memory nothing ever waits."""
    async with rows.on_file(tmp_path) as opened:
        yield opened


def first(n: int) -> messages.InboundMessage:
    return rows.message(f"first{n}", sender=rows.phone(n))


def both(provider_id: str, at_s: float = 0) -> messages.InboundMessage:
    """From a Signal account that shows its number."""
    alias = address.Address(address.SMS, PHONE)
    return rows.message(provider_id, sender="aci-1", network="signal", at_s=at_s, aliases=(alias,))


@pytest.mark.case("C48", "C49")
@pytest.mark.parametrize("together", [True, False])
async def test_a_batch_goes_on_after_a_merge_and_merges_again(together: bool) -> None:
    batch = [
        rows.message("a", sender=PHONE),
        rows.message("b", sender="aci-1", network="signal", at_s=1),
        rows.message("c", sender=rows.phone(9), at_s=2),
        both("d", at_s=3),
        rows.message("e", sender="aci-2", network="signal", at_s=4),
        rows.message("f", sender=PHONE, at_s=5),
        dataclasses.replace(
            both("g", at_s=6), sender=address.Address("signal", "aci-2"), fingerprint="f"
        ),
        rows.message("h", sender=rows.phone(9), at_s=7, cost=money.Money(5, "EUR")),
    ]
    async with rows.memory() as store:
        one = door.Inbox(store, rows.context(), rows.StillClock())
        for some in [batch] if together else [[each] for each in batch]:
            await one.accept(some)
        merged = [row["merged_into"] for row in await rows.rows(store, tables.persons)]
        states = [row["state"] for row in await rows.rows(store, tables.replies)]
        assert await rows.kinds(store) == ["merged", "merged"]
        found = await rows.rows(store, tables.inbound)
        (cost,) = await rows.rows(store, tables.postings)
    assert cost["amount_micros"] == 5
    assert merged == [None, 1, None, 1]
    assert states == ["scheduled", "cancelled", "scheduled", "cancelled"]
    assert [row["person_id"] for row in found] == [1, 2, 3, 1, 4, 1, 1, 3]


@pytest.mark.case("C02")
async def test_what_was_seen_before_is_counted_in_the_hour_it_came_again() -> None:
    batch = [first(1), first(2), first(1)]
    async with rows.memory() as store:
        one = door.Inbox(store, rows.context(), rows.StillClock())
        await one.accept([first(1)])
        assert "duplicates" not in await store.read(events.totals)
        await one.accept(batch)
        found = await rows.rows(store, tables.counters)
    (again,) = [row for row in found if row["name"] == "duplicates"]
    assert (again["n"], again["hour_ms"]) == (2, rows.NOW_MS - rows.NOW_MS % rows.HOUR_MS)


async def test_a_channel_without_a_cursor_is_only_its_messages() -> None:
    async with rows.memory() as store:
        one = door.Inbox(store, rows.context(), rows.StillClock())
        await one.accept([first(1)], channel="sms")
        await one.accept([first(2)], cursor="7")
        assert await one.cursor("sms") is None
        await one.accept([], channel="sms", cursor="")
        assert await one.cursor("sms") == ""
        assert len(await rows.rows(store, tables.inbound)) == 2
        assert len(await rows.rows(store, tables.cursors)) == 1


@pytest.mark.case("C11")
@pytest.mark.parametrize("told", [{}, {"channel": "sms"}, {"cursor": "7"}])
async def test_half_a_cursor_makes_no_sweep(
    store: database.Store, monkeypatch: pytest.MonkeyPatch, told: dict[str, str]
) -> None:
    """Only what comes with a whole one has the whole queue."""
    monkeypatch.setattr(door, "ALONE", 3)
    one = door.Inbox(store, rows.context(), rows.StillClock())
    async with asyncio.timeout(LIMIT_S):
        ends = await asyncio.gather(
            *(one.accept([first(n)], **told) for n in range(5)), return_exceptions=True
        )
    assert [type(end) for end in ends[3:]] == [intake.NotStoredError] * 2
    assert ends[:3] == [None, None, None]


@pytest.mark.case("C11")
async def test_the_fuller_the_queue_the_more_a_message_must_be_worth(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("REPEATS", 2), ("ALONE", 4), ("QUEUE", 8)):
        monkeypatch.setattr(door, name, value)
    one = door.Inbox(store, rows.context(), rows.StillClock())
    await one.accept([first(0)])

    def again(name: str) -> messages.InboundMessage:
        return rows.message(name, sender=rows.phone(0))

    sweep = one.accept([again("sweep")], channel="sms", cursor="1")
    async with asyncio.timeout(LIMIT_S):
        ends = await asyncio.gather(
            one.accept([first(1)]),
            one.accept([again("early")]),
            one.accept([again("repeat")]),
            one.accept([first(2)]),
            one.accept([first(3)]),
            one.accept([first(4)]),
            one.accept([again("pair"), again("other")]),
            sweep,
            one.accept([first(5), first(6)]),
            return_exceptions=True,
        )
    refused = [n for n, end in enumerate(ends) if isinstance(end, intake.NotStoredError)]
    assert refused == [2, 5, 8]
    assert sum(end is None for end in ends) == 6
    assert one.waiting == 0


@pytest.mark.case("C11")
async def test_who_is_turned_away_costs_nothing(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His address is not even hashed."""
    monkeypatch.setattr(door, "ALONE", 2)
    context = dataclasses.replace(rows.context(), keys=vault.throwaway(11))
    one = door.Inbox(store, context, rows.StillClock())
    async with asyncio.timeout(LIMIT_S):
        ends = await asyncio.gather(
            *(one.accept([first(n)]) for n in range(9)), return_exceptions=True
        )
    assert sum(isinstance(end, intake.NotStoredError) for end in ends) == 7
    assert context.keys.hash_address.cache_info().misses == 2


async def test_a_closed_database_is_named_whatever_is_asked(tmp_path: pathlib.Path) -> None:
    async with rows.on_file(tmp_path) as opened:
        one = door.Inbox(opened, rows.context(), rows.StillClock())
        await one.accept([first(1)])
    said = "the database is not open"
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(intake.NotStoredError, match=said):
            await one.cursor("sms")
        with pytest.raises(intake.NotStoredError, match=said):
            await one.delay_over(address.Address(address.SMS, rows.phone(1)))
        with pytest.raises(intake.NotStoredError, match=said) as caught:
            await one.accept([first(2)])
    # By its cause the queue tells a database that is away from a batch that is at fault.
    assert isinstance(caught.value.__cause__, database.StoreAwayError)


async def test_rows_are_written_in_the_loops_own_thread(store: database.Store) -> None:
    """Two threads that take turns for each row hold each other up (docs/decisions/0010)."""
    where: set[int] = set()

    def flood() -> snapshot.Snapshot:
        where.add(threading.get_ident())
        return snapshot.CALM

    context = dataclasses.replace(rows.context(), flood=flood)
    one = door.Inbox(store, context, rows.StillClock())
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*(one.accept([first(n)]) for n in range(4)))
    assert where == {threading.get_ident()}
    assert (await store.read(events.totals))["messages"] == 4


async def test_a_door_that_hangs_is_told_by_the_name_of_its_task(store: database.Store) -> None:
    one = door.Inbox(store, rows.context(), rows.StillClock())
    async with asyncio.timeout(LIMIT_S):
        coming = asyncio.create_task(one.accept([first(1)]))
        for _ in range(5):
            await asyncio.sleep(0)
        names = {task.get_name() for task in asyncio.all_tasks()}
        await coming
    assert "intake" in names
    assert one.waiting == 0
