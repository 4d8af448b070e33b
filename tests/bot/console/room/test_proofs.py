"""Forgetting somebody and telling somebody what is kept: only after their own proof."""

from __future__ import annotations

import json

import pytest

from bot.store import tables
from tests.bot.console.room import hosting
from tests.bot.console.room.floor import Floor
from tests.bot.console.room.hosting import ANNA, BEA, CLEO

OF_PEOPLE = (tables.inbound, tables.replies, tables.receipts, tables.room_codes)


async def proved(floor: Floor, what: str, number: int) -> hosting.Seen:
    """The word is handed out and comes back from that phone; the question that follows."""
    answer = await floor.ask(ANNA, what)
    word = next(line for line in answer.plain.splitlines() if line.startswith("PROOF-"))
    await floor.writes(number, word)
    before = len(floor.room.said)
    await floor.step()
    (question,) = list(floor.room.said.values())[before:]
    return question


def code_in(seen: hosting.Seen) -> str:
    return seen.plain.split("!yes ")[1][:5]


@pytest.mark.case("C34")
async def test_somebody_is_forgotten_after_their_own_proof(floor: Floor) -> None:
    await floor.writes(1)
    await floor.writes(2)
    question = await proved(floor, "!erase", 1)
    assert "forget everything" in question.plain
    await floor.says(CLEO, f"!yes {code_in(question)}")
    assert len(await floor.rows(tables.replies)) == 2
    (told,) = await floor.says(ANNA, f"!yes {code_in(question)}")
    assert "Forgotten: 2 messages, 1 replies" in told.plain
    assert "Backups" in told.plain
    gone = 1
    for table in OF_PEOPLE:
        assert gone not in [row.get("person_id") for row in await floor.rows(table)]
    assert [row["id"] for row in await floor.rows(tables.persons)] == [2]
    assert {row["person_id"] for row in await floor.rows(tables.identities)} == {2}
    await floor.passes(minutes=110)
    await floor.sends()
    assert len(floor.phones.sent) == 1


@pytest.mark.case("C44", "C34")
async def test_who_is_forgotten_and_writes_again_gets_no_second_reply(floor: Floor) -> None:
    await floor.writes(1)
    await floor.passes(minutes=110)
    await floor.sends()
    for _ in range(3):
        question = await proved(floor, "!erase", 1)
        (told,) = await floor.says(ANNA, f"!yes {code_in(question)}")
        assert "keyed hash stays" in told.plain
        await floor.writes(1, "STOP")
        await floor.passes(hours=3)
        await floor.writes(1, "START")
        await floor.passes(hours=3)
        await floor.writes(1, f"salut {floor.now}")
        await floor.passes(hours=3)
        await floor.sends()
    assert len(floor.phones.sent) == 1


@pytest.mark.case("C34", "C46")
async def test_what_is_kept_is_told_to_two_and_taken_back(cautious: Floor) -> None:
    await cautious.writes(1, "coucou toi")
    question = await proved(cautious, "!export", 1)
    code = code_in(question)
    assert "Another moderator must agree" in (await cautious.says(ANNA, f"!yes {code}"))[0].plain
    (told,) = await cautious.says(BEA, f"!yes {code}")
    listed = json.loads(told.plain[: told.plain.rindex("}") + 1])
    assert [one["words"] for one in listed["messages"]] == ["coucou toi", None]
    assert listed["replies"][0]["state"] == "held"
    assert listed["replies"][0]["to"] == "+33639980001"
    await cautious.passes(minutes=6)
    await cautious.step()
    assert told.withdrawn


@pytest.mark.case("C44")
async def test_a_proof_tells_nobody_anything_and_counts_once(floor: Floor) -> None:
    await floor.writes(1, "PROOF-ABCDEFGH23")
    await floor.passes(minutes=110)
    await floor.sends()
    await floor.step()
    assert floor.phones.sent == []
    assert floor.room.said == {}
    answer = await floor.ask(ANNA, "!erase")
    word = next(line for line in answer.plain.splitlines() if line.startswith("PROOF-"))
    await floor.passes(days=8)
    await floor.writes(1, word)
    before = len(floor.room.said)
    await floor.step()
    assert not [s for s in list(floor.room.said.values())[before:] if "!yes" in s.plain]
    question = await proved(floor, "!erase", 1)
    assert code_in(question)
    count = len(floor.room.said)
    await floor.writes(1, word)
    await floor.step()
    assert len(floor.room.said) == count


@pytest.mark.case("C22")
async def test_only_an_admin_hands_out_such_words(floor: Floor) -> None:
    for text in ("!erase", "!export"):
        assert "role admin" in (await floor.ask(BEA, text)).plain
    assert await floor.rows(tables.proofs) == []


@pytest.mark.case("C33")
async def test_a_canary_is_nowhere(
    cautious: Floor, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    number, words = 4242, "canarikanari je veux mourir"
    await cautious.writes(number, words)
    await cautious.writes(number, words)
    for text in (
        *("!status", "!review", "!log 50", "!ledger", "!budget", "!stats", "!who", "!sends"),
        "!erase",
        f"!block +3363998{number}",
    ):
        await cautious.says(ANNA, text)
    code = next(one.plain for one in cautious.room.shown if "distress" in one.plain)
    code = code[code.index("#") :][:5]
    await cautious.says(CLEO, f"!why {code}")
    prompt = await cautious.ask(CLEO, f"!reply {code} Courage kanarihand")
    await cautious.reacts(CLEO, prompt, "✅")
    await cautious.passes(hours=30)
    await cautious.step()
    assert "canarikanari" not in cautious.room.texts
    assert f"3998{number}" not in cautious.room.texts
    stored = ""
    for table in tables.metadata.sorted_tables:
        stored += repr(await cautious.rows(table))
    said = caplog.text + "".join(capsys.readouterr())
    for one in ("canarikanari", f"3998{number}", "kanarihand"):
        assert one not in stored
        assert one not in said
