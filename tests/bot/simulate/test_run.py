from __future__ import annotations

import dataclasses
import datetime as dt
import zoneinfo
from collections import Counter
from decimal import Decimal
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from bot import simulate
from bot.policy import settings
from bot.simulate import clock, made, trace, world
from tests.bot.simulate import recordings
from tests.bot.simulate.recordings import HOUR, film

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
MIDNIGHT = 16 * HOUR
OPEN = settings.Core(budget=settings.Budget(cap_day_micros=None, cap_month_micros=None))


def capped(micros: int) -> settings.Core:
    budget = dataclasses.replace(OPEN.budget, cap_day_micros=micros)
    return dataclasses.replace(OPEN, budget=budget)


def play(
    tmp_path: Path, said: list[recordings.Said], core: settings.Core = OPEN
) -> tuple[simulate.Report, list[dict[str, object]]]:
    """Run a small recording; its report and the lines of its replies."""
    goal = tmp_path / "replies.jsonl"
    path = recordings.write(tmp_path / "t.jsonl", sorted(said))
    report = simulate.run(path, core, replies=goal)
    assert report.faults == []
    assert sum(report.fates.values()) == report.messages == len(said)
    return report, recordings.replies(goal)


@pytest.mark.case("C16")
def test_one_person_gets_one_reply_an_hour_and_some_later(tmp_path: Path) -> None:
    report, lines = play(tmp_path, [(10.0, film(1), "Salut")])
    (one,) = lines
    assert one["to"] == film(1)
    assert 10 + 3600 <= float(str(one["at"])) <= 10 + 6300
    assert (one["network"], one["segments"], one["cost"]) == ("sms", 1, "0.08")
    assert report.fates == {"answered": 1}
    assert report.pending_at_end == {"scheduled": 1}
    assert (report.twice, report.early, report.on_time) == (0, 0, 1.0)


@pytest.mark.case("C08")
def test_ten_thousand_messages_of_one_sender_cost_one_reply(tmp_path: Path) -> None:
    said = [(i * 7.0, film(1), f"encore {i}") for i in range(10_000)]
    report, lines = play(tmp_path, said)
    assert len(lines) == 1
    assert report.bill_micros == 80_000
    assert report.naive_2017_micros == 10_000 * 160_000
    assert set(report.fates) == {"answered", "silenced:pending", "silenced:answered"}


@pytest.mark.case("C12", "C13", "C15")
def test_robots_landlines_and_stops_get_nothing(tmp_path: Path) -> None:
    landline = "+" + "33" + "199001234"
    said = [
        (1.0, "36180", "Votre colis arrive"),
        (2.0, "Banque", "Code: 482913. Ne le partagez pas."),
        (3.0, landline, "Salut"),
        (4.0, "", "Salut"),
        (5.0, film(2), "Salut"),
        (6.0, film(2), "STOP"),
        (7.0, film(3), "Code: 482913. Ne le partagez pas."),
        (8.0, recordings.OWN, "Salut"),
        (9.0, film(4), "Salut"),
    ]
    report, lines = play(tmp_path, said)
    assert [one["to"] for one in lines] == [film(4)]
    assert report.fates["opted_out"] == 1
    assert report.fates["cancelled:opted_out"] == 1
    assert report.fates["silenced:own_number"] == 1
    assert sum(n for fate, n in report.fates.items() if fate.startswith("silenced:")) == 6


def test_a_message_told_twice_is_counted_as_such(tmp_path: Path) -> None:
    twin = recordings.line(5.0, film(1), "Salut", id="same")
    path = recordings.write(tmp_path / "t.jsonl", [twin, {**twin, "at": 6.0}])
    report = simulate.run(path, OPEN)
    assert report.fates == {"answered": 1, "duplicate": 1}
    assert report.faults == []


def test_a_stop_in_the_last_second_is_heeded(tmp_path: Path) -> None:
    _, (one,) = play(tmp_path, [(0.0, film(1), "Salut")])
    at = float(str(one["at"]))
    _, lines = play(tmp_path, [(0.0, film(1), "Salut"), (at - 0.001, film(1), "STOP")])
    assert lines == []
    report, lines = play(tmp_path, [(0.0, film(1), "Salut"), (at + 0.001, film(1), "STOP")])
    assert len(lines) == 1
    assert report.fates == {"answered": 1, "opted_out": 1}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.gz"
    made.write(path, made.Plan(people=300, pests=3, pest_messages=50), 5)
    goals = [tmp_path / name for name in ("one", "two", "other")]
    for goal, seed in zip(goals, (1, 1, 2), strict=True):
        simulate.run(path, OPEN, replies=goal, seed=seed)
    one, two, other = (goal.read_bytes() for goal in goals)
    assert one == two
    assert one != other
    assert {line["to"] for line in recordings.replies(goals[0])} == {
        line["to"] for line in recordings.replies(goals[2])
    }


def _spent_by_day(lines: list[dict[str, object]], start: str) -> Counter[str]:
    begin = dt.datetime.fromisoformat(start)
    spent: Counter[str] = Counter()
    for one in lines:
        moment = begin + dt.timedelta(seconds=float(str(one["at"])))
        spent[moment.astimezone(PARIS).date().isoformat()] += int(
            Decimal(str(one["cost"])) * 1_000_000
        )
    return spent


@pytest.mark.case("C06")
def test_the_cap_is_never_passed_and_the_next_day_answers_who_was_held(tmp_path: Path) -> None:
    said = [(MIDNIGHT - 6 * HOUR + i, film(i), "Salut") for i in range(1, 21)]
    report, lines = play(tmp_path, said, capped(1_000_000))
    spent = _spent_by_day(lines, recordings.WORLD["start"])
    # Twelve replies of eight cents fit into a euro.
    assert all(micros <= 960_000 for micros in spent.values())
    assert spent["2017-10-27"] + spent["2017-10-28"] == report.bill_micros
    assert spent["2017-10-28"] > 0
    assert report.reserved_day_max_micros == max(spent.values())
    assert sum(report.fates.values()) == 20


@pytest.mark.case("C06")
def test_what_finds_no_money_expires_and_is_told(tmp_path: Path) -> None:
    said = [(float(i), film(i), "Salut") for i in range(1, 101)]
    report, lines = play(tmp_path, said, capped(800_000))
    assert 0 < len(lines) <= 20
    assert report.fates == {"answered": len(lines), "expired:expired": 100 - len(lines)}
    assert all(0 < day.reserved_micros <= 800_000 for day in report.days)


def test_waiting_at_the_end_is_told_although_it_goes_out_later(tmp_path: Path) -> None:
    said = [(0.0, film(1), "Salut"), (3 * HOUR, film(2), "Salut")]
    report, _ = play(tmp_path, said)
    assert report.pending_at_end == {"scheduled": 1}
    assert report.fates == {"answered": 2}


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    count = made.write(path, made.Plan(people=50, pests=0), 1)
    told: list[tuple[int, int]] = []
    simulate.run(path, OPEN, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (count, count)
    assert told == sorted(told)


def test_a_recording_without_messages(tmp_path: Path) -> None:
    report, lines = play(tmp_path, [])
    assert (report.messages, report.replies, lines, report.on_time) == (0, 0, [], None)


WRITERS = st.sampled_from([film(1), film(2), film(3), film(4), "36180", "Banque", ""])
TEXTS = st.sampled_from(["Salut", "allo ?", "STOP", "START", "stop tu me plais", "Code: 123456"])
MOMENTS = st.integers(min_value=0, max_value=4 * 86_400_000).map(lambda ms: ms / 1000)


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    said=st.lists(st.tuples(MOMENTS, WRITERS, TEXTS), max_size=40, unique_by=lambda s: s[:2]),
    cap=st.sampled_from([None, 0, 80_000, 160_000, 10_000_000]),
)
def test_whatever_is_said_nobody_is_answered_twice_or_early_or_over_the_cap(
    tmp_path_factory: pytest.TempPathFactory,
    said: list[recordings.Said],
    cap: int | None,
) -> None:
    core = OPEN if cap is None else capped(cap)
    report, lines = play(tmp_path_factory.mktemp("run"), said, core)
    assert (report.twice, report.early) == (0, 0)
    answered = [str(one["to"]) for one in lines]
    assert len(answered) == len(set(answered))
    assert set(answered) <= {film(i) for i in (1, 2, 3, 4)}
    first: dict[str, float] = {}
    for at, sender, _ in sorted(said):
        first.setdefault(sender, at)
    for one in lines:
        assert float(str(one["at"])) >= first[str(one["to"])] + 3600
    if cap is not None:
        spent = _spent_by_day(lines, recordings.WORLD["start"])
        assert all(micros <= cap for micros in spent.values())


def _priced(tmp_path: Path, prices: dict[str, str]) -> world.Outside:
    table = {"currency": "EUR", **prices}
    path = recordings.write(tmp_path / "t.jsonl", [], sms_price_per_segment=table)
    return world.Outside(trace.measure(path).world, clock.VirtualClock(0))


def test_prices_go_by_the_country_of_the_number(tmp_path: Path) -> None:
    outside = _priced(tmp_path, {"FR": "0.08", "GB": "0.045", "default": "0.12"})
    assert outside.price(film(1)) == 80_000
    assert outside.price("+447700900123") == 45_000
    assert outside.price("+12025550123") == 120_000
    assert outside.price("Banque") == 120_000


def test_no_price_means_no_quote(tmp_path: Path) -> None:
    outside = _priced(tmp_path, {"FR": "0.08"})
    assert outside.price("+12025550123") is None


def test_virtual_time_does_not_go_back() -> None:
    moment = clock.VirtualClock(1_000)
    moment.move_to(2_500)
    assert (moment.now_ms, moment.monotonic()) == (2_500, 1.5)
    with pytest.raises(ValueError, match="back"):
        moment.move_to(2_499)


def test_replies_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "t.jsonl", [(1.0, film(1), "Salut")])
    goal = tmp_path / "folder"
    goal.mkdir()
    with pytest.raises(OSError, match="directory"):
        simulate.run(path, OPEN, replies=goal)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "t.jsonl"]
