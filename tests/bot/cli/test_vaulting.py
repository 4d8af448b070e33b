"""`antirelou erase` and `export`: a word from that very address, or a reason that stays."""

from __future__ import annotations

import json

import pytest

from bot.store import tables
from tests.bot.cli.conftest import Place
from tests.bot.console import house as building
from tests.bot.console.house import ANNA, BERT, CARL, House


def says(place: Place, who: str, text: str) -> None:
    async def work(house: House) -> None:
        await house.write_in(who, text, at_ms=building.now_ms(), provider_id=f"{who} {text}")

    place.fill(work)


def word_for(place: Place, act: str, who: str) -> str:
    result = place.run(act, stdin=f"{who}\n")
    assert result.exit_code == 0, result.stderr
    assert "from their own address" in result.stderr
    return result.stdout.strip()


def people(place: Place) -> list[int]:
    return [row["id"] for row in place.fill(lambda house: house.rows(tables.persons))]


@pytest.mark.case("C34")
def test_forgotten_after_a_word_from_their_own_address(installed: Place) -> None:
    word = word_for(installed, "erase", ANNA)
    assert word.startswith("PROOF-")
    waiting = installed.run("erase", "-", stdin=f"{ANNA}\n")
    assert waiting.exit_code == 1
    assert "has not come yet" in waiting.stderr
    says(installed, BERT, word)
    # It was another one who sent it.
    assert installed.run("erase", "-", stdin=f"{ANNA}\n").exit_code == 1
    says(installed, ANNA, word)
    done = installed.run("erase", "-", stdin=f"{ANNA}\n")
    assert done.exit_code == 0
    assert done.stdout.startswith("Forgotten: 2 messages, 1 replies.")
    assert "Backups made before still hold it" in done.stdout
    assert people(installed) == [2]
    again = installed.run("erase", "-", stdin=f"{ANNA}\n")
    assert again.exit_code == 1
    assert "nothing is kept of this address" in again.stderr
    for result in (waiting, done, again):
        assert ANNA not in result.output
    assert installed.fill(lambda house: house.rows(tables.proofs)) == []


@pytest.mark.case("C34", "C44")
def test_who_opted_out_stays_a_hash_that_forbids(installed: Place) -> None:
    says(installed, ANNA, "STOP")
    says(installed, ANNA, word_for(installed, "erase", ANNA))
    done = installed.json("erase", ANNA)
    assert done["erased"] == [
        {"messages": 3, "replies": 1, "left": 0, "at_provider": 0, "kept": True}
    ]
    says(installed, ANNA, "salut encore")
    newest = installed.fill(lambda house: house.rows(tables.inbound))[-1]
    assert (newest["decision"], newest["reason"]) == ("silence", "opted_out")


@pytest.mark.case("C34")
def test_told_what_is_kept_after_a_word(installed: Place) -> None:
    says(installed, ANNA, word_for(installed, "export", ANNA))
    # It was handed out for that and nothing else.
    assert installed.run("erase", ANNA).stdout.startswith("PROOF-")
    shown = installed.run("export", ANNA)
    assert f"to: {ANNA}" in shown.stdout
    assert BERT not in shown.stdout
    says(installed, ANNA, word_for(installed, "export", ANNA))
    (one,) = installed.json("export", ANNA)["persons"]
    assert [message["words"] for message in one["messages"]] == ["salut", None, None]
    assert [reply["to"] for reply in one["replies"]] == [ANNA]
    assert people(installed) == [1, 2]


@pytest.mark.case("C34")
def test_proved_otherwise_leaves_its_reason_in_the_trail(installed: Place) -> None:
    result = installed.run("erase", ANNA, "--proved-otherwise", "order of a court, file 2026/14")
    assert result.exit_code == 0
    (act,) = installed.fill(lambda house: house.rows(tables.audit))
    assert json.loads(act["data"]) == {"persons": [1], "why": "order of a court, file 2026/14"}
    assert act["who"].startswith("cli:")


@pytest.mark.parametrize(
    "reason", ["", " ", f"asked by {ANNA}", "her: @eve:example.org", "x" * 201]
)
def test_a_reason_that_gives_somebody_away_is_refused(installed: Place, reason: str) -> None:
    result = installed.run("export", ANNA, "--proved-otherwise", reason)
    assert result.exit_code == 2
    assert "--proved-otherwise" in result.stderr
    assert installed.fill(lambda house: house.rows(tables.audit)) == []


@pytest.mark.parametrize("act", ["erase", "export"])
@pytest.mark.parametrize("typed", [CARL, "0639980001", "", "nobody"])
def test_nobody_of_that_address(installed: Place, act: str, typed: str) -> None:
    result = installed.run(act, "-", stdin=f"{typed}\n")
    assert result.exit_code == 1
    assert not typed or typed not in result.output
    assert people(installed) == [1, 2]


def test_another_word_is_handed_out_on_request_and_both_count(installed: Place) -> None:
    first = word_for(installed, "erase", ANNA)
    second = installed.json("erase", ANNA, "--again")["word"]
    assert first != second
    says(installed, ANNA, first)
    assert installed.run("erase", ANNA).stdout.startswith("Forgotten")
