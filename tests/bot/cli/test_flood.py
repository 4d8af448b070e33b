"""The commands of a flood as people type them: mode, review, forecast, clusters."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import sqlalchemy as sa

from bot.store import tables
from tests.bot.cli.conftest import Place
from tests.bot.console.house import ANNA, BERT, House

WAVE = 4711


def on_a_topic(place: Place) -> str:
    """Both held replies belong to one new topic; its code."""

    async def work(house: House) -> None:
        change = sa.update(tables.replies).values(reason="new_topic", topic=WAVE)
        await house.store.write(functools.partial(sa.Connection.execute, statement=change))

    place.fill(work)
    (cluster,) = place.json("review")["clusters"]
    code: str = cluster["code"]
    return code


def states(place: Place) -> set[str]:
    rows: list[dict[str, Any]] = place.fill(lambda house: house.rows(tables.replies))
    return {row["state"] for row in rows}


@pytest.mark.case("C17")
def test_a_mode_for_a_while_and_back(installed: Place) -> None:
    assert "normal: Replies go out when they fall due" in installed.run("mode").stdout
    result = installed.run("mode", "review", "--for", "2h")
    assert result.stdout == "Mode review. Every reply waits for a moderator.\n"
    now = installed.json("mode")["now"]
    assert (now["mode"], now["by_hand"]) == ("review", True)
    assert now["until_ms"] - now["since_ms"] == 7_200_000
    shown = installed.run("status").stdout
    assert "review. Set by hand by cli:" in shown
    assert installed.json("status")["mode"] == "review"
    assert installed.run("mode", "normal").exit_code == 0
    assert installed.json("mode")["now"]["mode"] == "normal"


@pytest.mark.parametrize(
    "words", [["mode", "panic"], ["mode", "--for", "2h"], ["mode", "tight", "--for", "soon"]]
)
def test_an_odd_mode_changes_nothing(installed: Place, words: list[str]) -> None:
    result = installed.run(*words)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) <= 2
    assert installed.json("mode")["now"]["mode"] == "normal"


@pytest.mark.case("C17", "C41")
@pytest.mark.parametrize(("word", "after"), [("approve", "scheduled"), ("drop", "cancelled")])
def test_a_cluster_by_its_code(installed: Place, word: str, after: str) -> None:
    code = on_a_topic(installed)
    shown = installed.run("review").stdout
    assert code in shown
    assert "2 people wrote about the same" in " ".join(shown.split())
    assert installed.run(word, code.upper()).exit_code == 0
    assert states(installed) == {after}
    again = installed.run(word, code)
    assert again.exit_code == 1
    assert "no cluster" in again.stderr


def test_all_of_a_reason(installed: Place) -> None:
    assert installed.run("approve", "--reason", "pace").exit_code == 1
    assert installed.json("approve", "--reason", "release")["ok"]
    assert states(installed) == {"scheduled"}


@pytest.mark.parametrize(
    "words",
    [["approve"], ["drop", "--all", "--reason", "pace"], ["approve", "1", "--reason", "release"]],
)
def test_one_way_of_naming_at_a_time(installed: Place, words: list[str]) -> None:
    assert installed.run(*words).exit_code == 2
    assert states(installed) == {"held"}


def test_replies_and_clusters_are_not_mixed(installed: Place) -> None:
    code = on_a_topic(installed)
    reply = installed.json("review")["groups"][0]["replies"][0]["reply"]
    assert installed.run("approve", code, reply).exit_code == 2
    assert states(installed) == {"held"}


def test_review_lists_few_replies_and_many_only_when_told(
    installed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = installed.json("review")["groups"][0]["replies"][0]["reply"]
    half = reply[16:]
    assert half in installed.run("review").stdout
    monkeypatch.setattr("bot.cli.looking._FEW", 1)
    assert half not in installed.run("review").stdout
    assert half in installed.run("review", "--replies").stdout


@pytest.mark.case("C33")
def test_no_command_of_a_flood_shows_who_or_what(installed: Place) -> None:
    code = on_a_topic(installed)
    for words in (["review"], ["mode"], ["forecast"], ["approve", code]):
        for more in ([], ["--json"]):
            output = installed.run(*words, *more).output
            for secret in (ANNA, BERT, ANNA[1:], str(WAVE), "salut"):
                assert secret not in output


def test_a_forecast_that_knows_nothing_says_so(installed: Place) -> None:
    shown = installed.run("forecast").stdout
    assert "no usual day is known yet" in shown
    assert "not known yet" in shown
    found = installed.json("forecast")
    assert [one["name"] for one in found["limits"]] == ["day", "month"]
    assert found["limits"][0]["left"] == "20.00"
    assert found["expected_people"] is None
    assert installed.json("status")["forecast"]["limits"] == found["limits"]


def test_why_tells_the_floods_part(installed: Place) -> None:
    on_a_topic(installed)
    result = installed.run("why", "--address", "-", stdin=f"{ANNA}\n")
    assert "Held: 2 people wrote about the same new thing within 1 minute." in result.stdout
    (found,) = installed.json("why", "--address", ANNA)
    assert found["replies"][0]["flood"]["fr"].startswith("Retenue : 2 personnes")
