"""`antirelou press`: in tens, a day old, nothing under ten, nobody called anything."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import re
import sys

import pytest
import sqlalchemy as sa

from bot.console import press_kit
from bot.store import events, tables
from tests.bot.cli.conftest import Place
from tests.bot.console import house as building
from tests.bot.console.house import HOUR_MS, House

DAY_MS = 24 * HOUR_MS


def grown(place: Place, counts: dict[int, dict[str, int]], stops: int = 0) -> None:
    """Days ago -> what was counted; persons who said STOP three days ago."""

    def work(tx: sa.Connection) -> None:
        for days, told in counts.items():
            events.count(tx, building.now_ms() - days * DAY_MS, told)
        for number in range(stops):
            at_ms = building.now_ms() - 3 * DAY_MS
            row = {"id": 1000 + number, "created_ms": at_ms, "last_ms": at_ms, "messages": 1}
            tx.execute(
                sa.insert(tables.persons), row | {"blocked_until_ms": 0, "opted_out_ms": at_ms}
            )

    async def fill(house: House) -> None:
        await house.store.write(work)

    place.fill(fill)


@pytest.mark.case("C40")
def test_tens_and_nothing_under_ten_or_younger_than_a_day(place: Place) -> None:
    grown(
        place,
        {
            0: {"messages": 5000, "sent": 5000},
            3: {"messages": 1234, "sent": 404},
            4: {"messages": 9, "sent": 3},
        },
        stops=26,
    )
    found = place.json("press")["figures"]
    assert (found["messages"], found["replies"], found["complaints"]) == (1240, 410, 30)
    assert found["complaints_percent"] == round(100 * 30 / 410, 1)
    assert found["spent"] is None
    by_day = {one["day"]: one for one in found["days"]}
    assert len(by_day) == 30
    assert sorted({one["messages"] for one in by_day.values()} - {None}) == [1230]
    page = (place.folder / "press" / "press.html").read_text()
    assert "fewer than 10" in page
    assert "5,000" not in page
    for number in ("1234", "404", "26 ", ">9<"):
        assert number not in page
    newest = dt.date.fromisoformat(found["last"])
    assert dt.datetime.now(dt.UTC).date() - newest >= dt.timedelta(days=2)


def test_few_complaints_are_told_as_a_bound(place: Place) -> None:
    grown(place, {3: {"messages": 900, "sent": 400}}, stops=4)
    found = place.json("press")["figures"]
    assert (found["complaints"], found["complaints_percent"]) == (None, None)
    assert found["complaints_below"] == 2.5
    assert "below 2.5 %" in (place.folder / "press" / "press.html").read_text()


@pytest.mark.parametrize("language", press_kit.LANGUAGES)
def test_senders_are_called_senders(place: Place, language: str) -> None:
    grown(place, {3: {"messages": 100}})
    assert place.run("press", "--lang", language).exit_code == 0
    page = (place.folder / "press" / "press.html").read_text().lower()
    # The one sentence that says that nobody is called so.
    page = re.sub(r"nobody is called a harasser|traité\s+de\s+harceleur|antirelou\[", "", page)
    page = re.sub(r"base64,[^\"]+", "", page)
    for word in ("harass", "pest", "troll", "relou", "harcel", "victim"):
        assert word not in page, word


def test_the_kit_needs_nothing_else(place: Place) -> None:
    grown(place, {3: {"messages": 120, "sent": 50}})
    told = place.json("press", "--lang", "fr", "--out", "kit")
    assert told["files"] == ["days.csv", "days.png", "figures.csv", "press.html"]
    page = (place.folder / "kit" / "press.html").read_text()
    assert re.search(r"""(?:src|href)=["'](?!data:)""", page) is None
    (picture,) = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert base64.b64decode(picture) == (place.folder / "kit" / "days.png").read_bytes()
    with (place.folder / "kit" / "days.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {one["messages"] for one in lines} == {"120", "<10"}


def test_without_matplotlib_it_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    grown(place, {3: {"messages": 120}})
    assert place.run("press").exit_code == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = place.run("press")
    assert result.exit_code == 0
    assert "matplotlib is missing" in result.stderr
    page = (place.folder / "press" / "press.html").read_text()
    assert "matplotlib is not installed" in page
    # That of the older kit is gone too.
    assert not (place.folder / "press" / "days.png").exists()


def test_money_is_told_in_tens_and_what_was_taken_back_is_not(place: Place) -> None:
    def work(tx: sa.Connection) -> None:
        for account, units in (("replies", 44), ("inbound", 9), ("donations", -126)):
            row = {"at_ms": building.now_ms() - 3 * DAY_MS, "account": account, "kind": "post"}
            row |= {"amount_micros": units * 1_000_000, "day": "2026-11-01"}
            tx.execute(sa.insert(tables.postings), row)

    async def fill(house: House) -> None:
        await house.store.write(work)

    place.fill(fill)
    found = place.json("press")["figures"]
    assert (found["spent"], found["received_cost"], found["donated"]) == (40, None, 130)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", dt.datetime.now(dt.UTC).date().isoformat()], "a day old"),
        (["--from", "2026-11-05", "--to", "2026-11-01"], "is after"),
        (["--from", "yesterday"], "write a day as"),
        (["--lang", "xx"], "--lang is one of"),
    ],
)
def test_what_may_not_be_told(installed: Place, words: list[str], said: str) -> None:
    result = installed.run("press", *words)
    assert (result.exit_code, said in result.stderr) == (2, True)
    assert not (installed.folder / "press").exists()


def test_senders_are_counted_once_and_only_while_facts_are_kept(place: Place) -> None:
    now_ms = building.now_ms()

    async def write(house: House) -> None:
        for number in range(14):
            for minute in range(2):
                sender, at_ms = f"+{33639980100 + number}", now_ms - 9 * DAY_MS + minute
                await house.write_in(sender, f"salut {minute}", at_ms=at_ms)

    place.fill(write)
    first = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=15)).isoformat()
    found = place.json("press", "--from", first)["figures"]
    assert (found["senders"], found["messages"], found["senders_known"]) == (10, 30, True)
    short = ("--set", "retention.inbound_days=10")
    forgotten = place.json("press", "--from", first, *short)["figures"]
    assert (forgotten["senders"], forgotten["senders_known"]) == (None, False)
    assert "forgotten after some weeks" in (place.folder / "press" / "press.html").read_text()
