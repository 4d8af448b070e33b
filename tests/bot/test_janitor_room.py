"""Many that wait must not hide the one whose turn it is."""

import dataclasses
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from bot.janitor import stuck, unsure
from bot.policy import settings
from bot.store import database
from tests.bot.store import rows
from tests.bot.store.houses import house

NOW_MS = rows.NOW_MS
CORE = rows.CORE


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


async def plan(store: database.Store, query: sa.Select[tuple[object]]) -> str:
    """How SQLite goes about it."""
    text = str(query.compile(compile_kwargs={"render_postcompile": True}))

    def work(tx: sa.Connection) -> str:
        names = query.compile().params
        found = tx.execute(sa.text(f"EXPLAIN QUERY PLAN {text}"), dict.fromkeys(names, 1))
        return " / ".join(row[3] for row in found)

    return await store.read(work)


async def test_an_exhausted_channel_or_country_hides_nobody(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stuck, "SLICE", 20)
    budget = settings.Budget(
        quotas={"sms": settings.Quota(parts_per_day=0)},
        country_cap_day_micros={"BE": 0},
    )
    here = house(store, core=dataclasses.replace(CORE, budget=budget))
    old_ms = NOW_MS - 2 * rows.HOUR_MS
    young = {"first_ms": old_ms + 1, "reason": "money", "quoted_micros": 80_000}
    await rows.put_replies(
        store,
        *(rows.reply(n, "held", reason="quota", first_ms=old_ms) for n in range(1, 31)),
        *(
            rows.reply(n, "held", **young | {"first_ms": old_ms}, channel="other", country="BE")
            for n in range(31, 61)
        ),
        rows.reply(61, "held", **young, channel="other", country="FR"),
        rows.reply(62, "held", **young, channel="other", country=None),
    )
    assert (await here.janitor.step("tidy"))["released"] == 2
    released = [n for n in range(1, 63) if (await here.reply(n))["state"] == "scheduled"]
    assert released == [61, 62]


async def test_the_share_that_one_leaves_is_the_others(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stuck, "SLICE", 20)
    here = house(store)
    held = {"reason": "money", "quoted_micros": 1}
    await rows.put_replies(
        store,
        *(rows.reply(n, "held", **held) for n in range(1, 31)),
        rows.reply(31, "held", **held, channel="other"),
    )
    assert (await here.janitor.step("tidy"))["released"] == 20


@pytest.mark.sqlite_only("asks SQLite's planner")
async def test_who_waits_for_room_is_found_by_an_index(store: database.Store) -> None:
    for query in (
        stuck._CHANNEL_AFTER,
        stuck._COUNTRY_AFTER,
        stuck._FOR_ROOM,
        stuck._FOR_ROOM_NOWHERE,
    ):
        found = await plan(store, query)
        assert "replies_for_room" in found
        assert "TEMP B-TREE" not in found
    assert "replies_unpaid" in await plan(store, unsure._UNPAID)


@pytest.mark.case("C03", "C04")
async def test_unknown_sends_that_count_as_paid_hide_no_other(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsure, "WATCHED", 5)
    here = house(store)
    paid = {"price_micros": 80_000, "started_ms": NOW_MS - 90 * rows.DAY_MS}
    await rows.put_replies(
        store,
        *(rows.reply(n, "unknown", **paid) for n in range(1, 11)),
        *(rows.reply(n, "unknown", started_ms=NOW_MS - rows.HOUR_MS) for n in range(11, 14)),
        rows.reply(14, "unknown", channel="deaf", started_ms=NOW_MS - rows.HOUR_MS),
    )
    assert (await here.janitor.step("ask"))["asked"] == 3
    assert len(here.way.asked) == 3


async def test_who_was_never_asked_comes_before_who_was(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsure, "PER_RUN", 2)
    here = house(store)
    await rows.put_replies(
        store, *(rows.reply(n, "unknown", started_ms=NOW_MS - 60_000 - n) for n in range(1, 5))
    )
    for _ in range(2):
        await here.janitor.step("ask")
    assert len({one.reply_id for one in here.way.asked}) == 4
