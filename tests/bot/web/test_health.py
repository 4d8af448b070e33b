"""What a monitor is told of chores that fail while their worker beats."""

from collections.abc import Mapping

import pytest
import sqlalchemy as sa

from bot.contract import clock
from bot.store import events
from bot.web import gauges, health
from tests.bot.store import rows
from tests.fakes import world


async def fine() -> Mapping[str, object]:
    return {"ok": True, "workers": {}}


async def made() -> tuple[health.Report, world.Clock]:
    moment = world.Clock()
    house = await world.rooms(world.World(), moment=moment)
    report = health.Report(
        supervised=fine,
        beats=lambda: {"dispatcher": 1.0},
        chores=house.janitor,
        flood=house.flood,
        moment=moment,
    )
    await house.janitor.round()
    await house.flood.look()
    return report, moment


@pytest.mark.case("C38")
async def test_a_chore_that_is_late_makes_health_ill() -> None:
    report, moment = await made()
    assert (await report.tell())["ok"] is True
    # Three periods of the quickest chores, and less than the flood's minute.
    await moment.advance(16)
    told = await report.tell()
    assert (told["ok"], told["late"]) == (False, ["checkpoint", "early_receipts"])
    await moment.advance(60)
    late = (await report.tell())["late"]
    assert isinstance(late, list)
    assert {"tidy", health.LOOK} <= set(late)
    assert "forget" not in late


@pytest.mark.case("C38")
async def test_every_worker_and_chore_has_an_age_in_the_metrics() -> None:
    report, moment = await made()
    await moment.advance(7)
    text = gauges.Gauges(report.ages).render().decode()
    for name, age in (("dispatcher", 1), ("tidy", 7), ("forget", 7), (health.LOOK, 7)):
        assert f'antirelou_last_run_seconds{{name="{name}"}} {age}.0' in text


async def test_states_are_counted_by_the_indexes_of_those_that_wait() -> None:
    async with rows.memory() as store:
        await rows.put_replies(
            store, rows.reply(1, "held"), rows.reply(2, "unknown"), rows.reply(3, "sent")
        )
        shown = gauges.Gauges()
        seen: list[str] = []

        def work(tx: sa.Connection) -> None:
            events.count(tx, rows.NOW_MS, {"sent": 1})
            shown.refresh(tx)
            for query in gauges._WAITING.values():
                found = tx.execute(sa.text(f"EXPLAIN QUERY PLAN {query}"))
                seen.extend(row[3] for row in found)

        await store.write(work)
        assert len(seen) == 4
        assert all("INDEX replies_" in step for step in seen), seen
        text = shown.render().decode()
        assert 'antirelou_replies{state="held"} 1.0' in text
        assert 'antirelou_replies{state="scheduled"} 0.0' in text
        assert 'state="sent"' not in text
        assert 'antirelou_events_total{name="sent"} 1.0' in text


class _Slow:
    """A watch on which every count takes its time. `asked`: how many were begun."""

    def __init__(self, count_s: float) -> None:
        self.now_s, self.asked = 0.0, 0
        self.count_s = count_s

    def __call__(self) -> float:
        return self.now_s

    def watch(self, engine: sa.Engine) -> None:
        @sa.event.listens_for(engine, "before_cursor_execute")
        def _counted(_c: object, _d: object, text: str, *_: object) -> None:
            if "count(*)" in text and "FROM replies" in text:
                self.asked += 1
                self.now_s += self.count_s


async def test_counting_what_waits_takes_a_small_share_of_the_time() -> None:
    """Ten million are counted in four seconds of a thread, every ten seconds."""
    async with rows.memory() as store:
        slow = _Slow(4.0)
        shown = gauges.Gauges(timer=slow)
        slow.watch(store._open.engine)
        await rows.put_replies(store, rows.reply(1, "held"))
        await store.read(shown.refresh)
        assert slow.asked == 4
        await rows.put_replies(store, rows.reply(2, "held"))
        began_s, slow.asked = slow.now_s, 0
        while slow.now_s < began_s + 3_600:
            await store.read(shown.refresh)
            slow.now_s += 10
        assert 0 < slow.asked * slow.count_s <= len(gauges._WAITING) * 3_600 / gauges.RESTS
        assert 'antirelou_replies{state="held"} 2.0' in shown.render().decode()


async def test_a_count_that_costs_nothing_is_taken_each_time() -> None:
    async with rows.memory() as store:
        slow = _Slow(0.001)
        shown = gauges.Gauges(timer=slow)
        for number in range(1, 4):
            await rows.put_replies(store, rows.reply(number, "unknown"))
            await store.read(shown.refresh)
            assert f'antirelou_replies{{state="unknown"}} {number}.0' in shown.render().decode()
            slow.now_s += 10


@pytest.mark.case("C33")
async def test_labels_are_of_a_closed_set_however_many_write_and_pay() -> None:
    sms = world.World()
    rooms = await world.rooms(sms)
    shown = gauges.Gauges(
        budget=rooms.core.budget,
        channels=tuple(rooms.bridges),
        now_ms=lambda: clock.to_ms(rooms.clock.now()),
    )

    async def series() -> dict[str, float]:
        await rooms.store.read(shown.refresh)
        lines = shown.render().decode().splitlines()
        told = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
        return {name: float(value) for name, value in told}

    await rooms.intake.accept([world.message(n) for n in range(3)])
    await world.lapse(rooms, 2)
    few = await series()
    assert few['antirelou_spent{account="replies_day"}'] == 0.24
    assert few['antirelou_cap{account="replies_day"}'] == 20.0
    assert few['antirelou_mode{mode="normal"}'] == 1.0
    assert few["antirelou_late_seconds"] == 0.0
    await rooms.intake.accept([world.message(n) for n in range(50, 60)])
    assert isinstance(rooms.clock, world.Clock)
    await rooms.clock.advance(2 * 3600)
    await rooms.store.write(
        lambda tx: events.control(tx, clock.to_ms(rooms.clock.now()), "paused:sms", "forever")
    )
    many = await series()
    assert many.keys() == few.keys()
    assert many["antirelou_late_seconds"] > 0
    assert many['antirelou_paused{channel="sms"}'] == 1.0
    assert many['antirelou_paused{channel="all"}'] == 0.0
    assert not any(world.phone(n)[1:] in name for name in many for n in range(60))
