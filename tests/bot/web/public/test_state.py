"""What the page shows that changes: the pool, pauses, and the one figure."""

from __future__ import annotations

import asyncio
import datetime as dt
import zoneinfo
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from bot.contract import address, bridge, clock
from bot.store import database, events, pool
from bot.web.public import state
from tests.fakes import databases, world

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
NOW_MS = clock.to_ms(NOW)


def ms(*day: int) -> int:
    return clock.to_ms(dt.datetime(*day, tzinfo=PARIS))  # type: ignore[arg-type,misc]


def enter(tx: sa.Connection, channel: str, value: str, state_: bridge.State) -> None:
    own = bridge.OwnAddress(address=address.Address(channel, value), state=state_)
    pool.enter(tx, channel, [own], NOW_MS)


def look(tx: sa.Connection, now_ms: int = NOW_MS) -> state.Seen:
    return state.look(tx, channels=("sms", "signal"), zone=PARIS, now_ms=now_ms)


async def store_with_both() -> database.Store:
    store = await databases.fresh()

    def work(tx: sa.Connection) -> None:
        enter(tx, "sms", "+33639980000", bridge.State.OFFERED)
        enter(tx, "sms", "+33639980002", bridge.State.ANSWERING)
        enter(tx, "sms", "+33639980003", bridge.State.RETIRED)
        enter(tx, "signal", "+33639980001", bridge.State.OFFERED)
        enter(tx, "gone", "+33639980004", bridge.State.OFFERED)

    await store.write(work)
    return store


async def test_only_what_is_offered_by_a_channel_of_today_is_shown() -> None:
    seen = await (await store_with_both()).read(look)
    assert seen.offered == (("sms", "+33639980000"), ("signal", "+33639980001"))
    assert seen.going is state.Going.OPEN


@pytest.mark.parametrize(
    ("control", "going"),
    [
        ({"paused": "forever"}, state.Going.PAUSED),
        ({"paused:sms": "forever"}, state.Going.PARTLY),
        ({"challenge:signal": "token"}, state.Going.PARTLY),
        ({"stopped:sms": "forever", "paused:signal": str(NOW_MS + 1)}, state.Going.PAUSED),
        ({"paused": str(NOW_MS - 1)}, state.Going.OPEN),
        ({"paused:gone": "forever"}, state.Going.OPEN),
    ],
)
async def test_a_pause_is_told(control: dict[str, str], going: state.Going) -> None:
    store = await store_with_both()

    def work(tx: sa.Connection) -> None:
        for key, value in control.items():
            events.control(tx, NOW_MS, key, value)

    await store.write(work)
    assert (await store.read(look)).going is going


async def figure(counts: dict[int, int], now_ms: int = NOW_MS) -> state.Figure:
    store = await databases.fresh()

    def work(tx: sa.Connection) -> None:
        for at_ms, n in counts.items():
            events.count(tx, at_ms, {"sent": n, "messages": 1_000_000})

    await store.write(work)
    found = (await store.read(lambda tx: look(tx, now_ms))).figure
    assert found is not None
    return found


OCTOBER = dt.date(2026, 10, 1)


@pytest.mark.case("C40")
async def test_small_months_are_all_told_alike() -> None:
    told = [await figure({ms(2026, 10, 5): n} if n else {}) for n in (0, 1, 2, 9, 49)]
    assert told == [state.Figure(month=OCTOBER, about=None)] * 5
    assert (await figure({ms(2026, 10, 5): 50})).about == 50
    assert (await figure({ms(2026, 10, 5): 59})).about == 50


@pytest.mark.case("C40")
async def test_what_was_sent_today_or_this_month_changes_nothing() -> None:
    before = await figure({ms(2026, 10, 31, 23): 123})
    after = await figure({ms(2026, 10, 31, 23): 123, NOW_MS: 500, ms(2026, 11, 1): 500})
    assert before == after == state.Figure(month=OCTOBER, about=120)


@pytest.mark.case("C40")
async def test_a_month_is_told_a_whole_day_after_its_end() -> None:
    counts = {ms(2026, 9, 30, 23): 60, ms(2026, 10, 31, 23): 80}
    first, second = ms(2026, 11, 1), ms(2026, 11, 2)
    assert await figure(counts, first) == state.Figure(month=dt.date(2026, 9, 1), about=60)
    assert await figure(counts, second - 1) == state.Figure(month=dt.date(2026, 9, 1), about=60)
    assert await figure(counts, second) == state.Figure(month=OCTOBER, about=80)


class Away(database.Store):
    """A database that can be away, and counts its reads."""

    reads = 0
    away = False
    gate: asyncio.Event | None = None

    async def read(self, work: Callable[[sa.Connection], Any], *, short: bool = False) -> Any:  # noqa: ANN401 (as its parent)
        self.reads += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise database.StoreAwayError("gone")
        return state.Seen(offered=(("sms", f"{self.reads}"),))


async def test_a_look_is_shared_and_kept_for_a_moment() -> None:
    store, now = Away(None), [0.0]
    live = state.Live(
        store, channels=["sms"], zone=PARIS, moment=world.Clock(), tick=lambda: now[0]
    )
    assert live.fresh() is None
    first = await live()
    assert (first.offered, store.reads) == ((("sms", "1"),), 1)
    assert live.fresh() == first
    now[0] = live.AGE_S
    store.gate = asyncio.Event()
    assert live.fresh() is None
    asking = asyncio.create_task(live())
    await asyncio.sleep(0)
    # One looks; the others get what was so a moment ago.
    assert await live() == first
    store.gate.set()
    assert (await asking).offered == (("sms", "2"),)
    assert store.reads == 2


async def test_a_database_that_is_away_is_told_as_not_known() -> None:
    store, now = Away(None), [0.0]
    live = state.Live(
        store, channels=["sms"], zone=PARIS, moment=world.Clock(), tick=lambda: now[0]
    )
    first = await live()
    assert first.going is state.Going.OPEN
    store.away, now[0] = True, live.AGE_S
    seen = await live()
    assert (seen.going, seen.offered) == (state.Going.UNKNOWN, first.offered)
    store.away, now[0] = False, 2 * live.AGE_S
    assert (await live()).going is state.Going.OPEN
