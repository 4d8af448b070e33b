from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from bot.contract import address, bridge
from bot.store import pool as kept
from bot.store import tables
from tests.bot.cli.conftest import Place
from tests.bot.console.house import ANNA, CARL, OURS, START_MS, House


def control(place: Place) -> dict[str, str]:
    rows = place.fill(lambda house: house.rows(tables.control))
    return {row["key"]: row["value"] for row in rows}


def held(place: Place) -> list[str]:
    groups = place.json("review")["groups"]
    return [reply["reply"] for group in groups for reply in group["replies"]]


def replies(place: Place) -> list[dict[str, Any]]:
    return place.fill(lambda house: house.rows(tables.replies))


def test_pause_and_resume(installed: Place) -> None:
    result = installed.run("pause")
    assert (result.exit_code, result.stdout) == (0, "Nothing is sent any more.\n")
    assert control(installed) == {"paused": "forever"}
    assert installed.json("status")["paused"]
    assert installed.json("resume")["ok"]
    assert control(installed) == {}


def test_pause_of_a_channel_for_a_while(installed: Place) -> None:
    before_ms = installed.json("status")["now_ms"]
    assert installed.run("pause", "sms", "--for", "1h30m").exit_code == 0
    until_ms = int(control(installed)["paused:sms"])
    assert 0 <= until_ms - before_ms - 5_400_000 < 60_000
    (halt,) = installed.json("status")["halts"]
    assert (halt["what"], halt["until_ms"]) == ("sms", until_ms)


@pytest.mark.parametrize("span", ["", "2", "h", "-1h", "0s", "1h2h", "99999d", "2 Stunden"])
def test_a_span_that_is_none_pauses_nothing(installed: Place, span: str) -> None:
    result = installed.run("pause", "--for", span)
    assert result.exit_code == 2
    assert "--for" in result.stderr
    assert control(installed) == {}


def test_a_channel_that_does_not_exist(installed: Place) -> None:
    result = installed.run("pause", "smss")
    assert result.exit_code == 1
    assert "there are: sms, signal" in result.stderr
    assert control(installed) == {}


def test_review_then_approve_one(installed: Place) -> None:
    first, second = held(installed)
    assert installed.run("approve", first).stdout == "1 released.\n"
    assert held(installed) == [second]
    again = installed.run("approve", first)
    assert again.exit_code == 1
    assert "waits for nobody" in again.stderr


def test_approve_all_and_drop_by_number(installed: Place) -> None:
    assert len(installed.json("approve", "--all")["replies"]) == 2
    number = replies(installed)[0]["id"]
    assert installed.run("drop", str(number)).exit_code == 0
    assert sorted(row["state"] for row in replies(installed)) == ["cancelled", "scheduled"]
    assert installed.run("approve", "--all").stdout == "0 released.\n"


@pytest.mark.parametrize("words", [["approve"], ["drop"], ["approve", "--all", "1"]])
def test_say_which_replies(installed: Place, words: list[str]) -> None:
    result = installed.run(*words)
    assert result.exit_code == 2
    assert "--all" in result.stderr


def test_an_unreadable_reply_is_counted_not_repeated(installed: Place) -> None:
    result = installed.run("approve", held(installed)[0], ANNA)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("REPLY 2 is no reply")
    assert ANNA not in result.output
    assert len(held(installed)) == 2


def test_block_and_unblock_by_an_address(installed: Place) -> None:
    result = installed.run("block", "-", stdin=f"{ANNA}\n")
    assert result.exit_code == 0
    assert ANNA not in result.output
    assert sorted(row["state"] for row in replies(installed)) == ["cancelled", "held"]
    assert installed.run("unblock", ANNA).exit_code == 0


def test_block_by_a_reply(installed: Place) -> None:
    assert installed.run("block", held(installed)[0]).exit_code == 0
    assert len(held(installed)) == 1


@pytest.mark.parametrize("typed", [CARL, "0639980001", "987654321098"])
def test_block_somebody_unknown_repeats_nothing(installed: Place, typed: str) -> None:
    result = installed.run("block", typed)
    assert result.exit_code == 1
    assert typed not in result.output
    assert len(held(installed)) == 2


def test_donate_and_ledger(installed: Place) -> None:
    assert "25.00 EUR booked" in installed.run("donate", "25").stdout
    assert installed.run("donate", "--", "-5.50").exit_code == 0
    found = installed.json("ledger")
    assert (found["donated"], found["balance"], found["currency"]) == ("19.50", "19.50", "EUR")
    assert "19.50" in installed.run("ledger", "--days", "1").stdout


@pytest.mark.parametrize("amount", ["much", "1e99", "nan", "0.0000001", "9999999999"])
def test_amounts_that_are_none(installed: Place, amount: str) -> None:
    assert installed.run("donate", amount).exit_code == 2
    assert installed.json("ledger")["days"] == []


def test_addresses_are_offered_rested_retired(installed: Place) -> None:
    own = [bridge.OwnAddress(address=address.Address(address.SMS, OURS))]

    async def enter(house: House) -> None:
        await house.store.write(lambda tx: kept.enter(tx, "sms", own, START_MS))

    installed.fill(enter)
    for act, state in (("rest", "answering"), ("retire", "retired"), ("offer", "offered")):
        assert installed.run("addresses", act, OURS).exit_code == 0
        (found,) = installed.json("addresses")
        assert found["state"] == state
    assert OURS in installed.run("addresses").stdout
    assert installed.run("addresses", "rest", ANNA).exit_code == 1
    assert installed.run("addresses", "burn", OURS).exit_code == 2
    assert installed.run("addresses", "rest").exit_code == 2


def test_who_acted_is_kept(installed: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "zoe")
    installed.run("pause")
    events = installed.fill(lambda house: house.rows(tables.events))
    told = [json.loads(row["data"]) for row in events if row["kind"] == "act"]
    assert told == [{"act": "pause", "who": "cli:zoe"}]


def test_a_locked_database_is_away_after_a_while(installed: Place) -> None:
    holder = sqlite3.connect(installed.folder / "antirelou.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        result = installed.run("pause")
    finally:
        holder.close()
    assert result.exit_code == 3
    assert "database is away" in result.stderr
    assert control(installed) == {}
