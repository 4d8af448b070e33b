"""More comes than can be stored: who is turned away first, and who never waits behind it."""

import asyncio
import pathlib
from collections.abc import AsyncIterator, Callable

import pytest
import sqlalchemy as sa

from bot import build
from bot.contract import intake, messages
from bot.inbox import door, heard
from bot.policy import distress, machine
from bot.store import database, events, gather, tables
from tests.bot.store import rows
from tests.fakes import databases

LIMIT_S = 60


@pytest.fixture
async def store(database_kind: str, tmp_path: pathlib.Path) -> AsyncIterator[database.Store]:
    """On a file: in memory nothing ever waits."""
    opened = rows.on_file(tmp_path) if database_kind == "sqlite" else databases.opened()
    async with opened as made:
        yield made


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A raid that fits into a test."""
    for name, value in (("BATCH", 10), ("REPEATS", 20), ("ALONE", 40), ("QUEUE", 60)):
        monkeypatch.setattr(door, name, value)


def intake_of(store: database.Store) -> build.Intake:
    return build.Intake(store, rows.context(), rows.StillClock())


def first(n: int) -> messages.InboundMessage:
    return rows.message(f"first{n}", sender=rows.phone(n))


def again(n: int, text: str = "tu es là ?", name: str = "again") -> messages.InboundMessage:
    return rows.message(f"{name}{n}", text, sender=rows.phone(n))


async def taken(
    one: build.Intake, batch: list[messages.InboundMessage]
) -> dict[str, BaseException | None]:
    """Each by itself and all at once: id -> None if it was taken."""
    async with asyncio.timeout(LIMIT_S):
        ends = await asyncio.gather(*(one.accept([m]) for m in batch), return_exceptions=True)
    return {m.provider_id: end for m, end in zip(batch, ends, strict=True)}


def refused(ends: dict[str, BaseException | None]) -> list[str]:
    return [name for name, end in ends.items() if isinstance(end, intake.NotStoredError)]


@pytest.mark.case("C11")
async def test_repeats_are_turned_away_before_anybody_new(store: database.Store) -> None:
    one = intake_of(store)
    assert refused(await taken(one, [first(n) for n in range(10)])) == []
    raid = [first(n) for n in range(100, 120)]
    worth_less = [again(n) for n in range(4)]
    worth_more = [
        *(first(n) for n in range(200, 210)),
        again(5, "STOP"),
        again(6, "start"),
        again(7, "je vais me tuer"),
        # The same words of somebody new.
        rows.message("new", "tu es là ?", sender=rows.phone(300)),
    ]
    assert distress.lane("je vais me tuer") is not None
    ends = await taken(one, [*raid, *worth_less, *worth_more])
    assert refused(ends) == [m.provider_id for m in worth_less]
    assert len(await rows.rows(store, tables.inbound)) == 10 + len(raid) + len(worth_more)
    # They come again, as 503 asks for, and nobody's message is lost.
    assert refused(await taken(one, worth_less)) == []
    assert len(await rows.rows(store, tables.inbound)) == 48


@pytest.mark.case("C11")
async def test_places_are_left_for_what_is_no_message(store: database.Store) -> None:
    one = intake_of(store)
    ends = await taken(one, [first(n) for n in range(45)])
    assert refused(ends) == [f"first{n}" for n in range(40, 45)]
    assert len(await rows.rows(store, tables.inbound)) == 40
    assert one.waiting == 0


async def test_what_comes_with_a_cursor_or_by_the_dozen_has_the_whole_queue(
    store: database.Store,
) -> None:
    """A sweep is not sent again by anybody."""
    one = intake_of(store)
    await taken(one, [first(0)])
    async with asyncio.timeout(LIMIT_S):
        crowd = asyncio.gather(*(one.accept([first(n)]) for n in range(1, 40)))
        await asyncio.sleep(0)
        await asyncio.gather(
            one.accept([again(0)], channel="sms", cursor="1"),
            one.accept([again(0, name="dozen"), again(0, name="more")]),
        )
        await crowd
    assert len(await rows.rows(store, tables.inbound)) == 43


@pytest.mark.case("C11")
async def test_receipts_and_the_room_do_not_wait_behind_messages(store: database.Store) -> None:
    one = intake_of(store)
    left: list[int] = []

    async def timed(work: Callable[[], object]) -> None:
        await work()  # type: ignore[misc]
        left.append(one.waiting)

    receipt = messages.DeliveryReceipt(
        channel="sms", at=rows.NOW, provider_id="P1", delivery=messages.Delivery.SENT
    )
    async with asyncio.timeout(LIMIT_S):
        raid = asyncio.gather(*(one.accept([first(n)]) for n in range(40)))
        await asyncio.sleep(0)
        await asyncio.gather(
            timed(lambda: one.receipts([receipt])),
            timed(lambda: store.write(lambda tx: events.append(tx, rows.NOW_MS, "act", {}))),
            timed(lambda: store.read(events.controls)),
        )
        await raid
    assert len(left) == 3
    # One batch of ten may be under way when they come, and another one's turn before theirs.
    assert min(left) >= 20
    assert len(await rows.rows(store, tables.receipts)) == 1


async def test_a_flood_of_receipts_is_a_few_transactions(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, writes = intake_of(store), 0
    real = store.write

    async def counted(work: Callable[[sa.Connection], object], **how: bool) -> object:
        nonlocal writes
        writes += 1
        return await real(work, **how)

    monkeypatch.setattr(store, "write", counted)
    news = [
        messages.DeliveryReceipt(
            channel="sms", at=rows.NOW, provider_id=f"P{n}", delivery=messages.Delivery.SENT
        )
        for n in range(300)
    ]
    async with asyncio.timeout(LIMIT_S):
        ends = await asyncio.gather(*(one.receipts([n]) for n in news), return_exceptions=True)
    assert set(ends) == {None}
    # One for the first, a few for all others, and those that fetch ids.
    assert writes <= 12
    assert len(await rows.rows(store, tables.receipts)) == 300


async def test_what_is_told_again_later_is_the_fault_of_one(store: database.Store) -> None:
    """A queue whose writing fails tells each who waited, and goes on."""
    fails = True

    async def write(items: list[str]) -> None:
        if fails or "bad" in items:
            raise intake.NotStoredError("away") if fails else ValueError("bad")

    queue: gather.Queue[str] = gather.Queue(write, batch=4, name="test")
    ends = await asyncio.gather(*(queue.put(n, 1, 9) for n in "abcdefghij"), return_exceptions=True)
    assert [type(end) for end in ends] == [intake.NotStoredError] * 10
    assert str(ends[-1]) == "too many messages wait to be stored"
    assert queue.size == 0
    fails = False
    ends = await asyncio.gather(
        *(queue.put(n, 1, 9) for n in ("a", "b", "bad", "c")), return_exceptions=True
    )
    assert [type(end) for end in ends] == [type(None), type(None), ValueError, type(None)]


def test_the_memory_of_who_wrote_has_one_size() -> None:
    known = heard.Heard(places=64)
    hashes = [rows.KEYS.hash("address", str(n)) for n in range(1_000)]
    for one in hashes:
        known.note(one)
    assert known.knows(hashes[-1])
    assert sum(map(known.knows, hashes)) <= 64
    assert not known.knows(rows.KEYS.hash("address", "nobody"))


@pytest.mark.parametrize("wish", ["STOP", "block"])
async def test_nothing_is_read_of_whom_nothing_is_sent_to(
    store: database.Store, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    """Known silences are the cheapest; what is recorded of them is what it was."""
    one = intake_of(store)
    await one.accept([rows.message("a", "STOP" if wish == "STOP" else "salut")])
    if wish == "block":
        person = tables.persons
        await store.write(lambda tx: tx.execute(sa.update(person).values(blocked_ms=1)))
    read: list[str] = []
    monkeypatch.setattr(machine, "kind", read.append)
    monkeypatch.setattr(distress, "lane", read.append)
    await one.accept([rows.message("b", "je vais me tuer")])
    assert read == []
    reasons = [row["reason"] for row in await rows.rows(store, tables.inbound)]
    assert reasons[-1] == ("opted_out" if wish == "STOP" else "blocked")
    await one.accept([rows.message("c", "salut", sender=rows.phone(7))])
    assert len(read) == 2
