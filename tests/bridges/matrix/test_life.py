"""A flood's whole life from the room, on a real Synapse with its limits on, killed 100 times.

Two rooms of one installation, plain and encrypted, each with two moderators in clients of their
own. The program is killed with SIGKILL at random moments while they decide. ANTIRELOU_LIFE_SEED
repeats a run, ANTIRELOU_LIFE_KILLS changes its length.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import datetime as dt
import json
import os
import random
import re
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.console import audit
from bot.store import choosing
from bridges.matrix import calls
from tests.bridges.matrix import halls, people
from tests.e2e import program
from tests.fakes import world as phones_world
from tests.peers import synapse

KILLS = int(os.environ.get("ANTIRELOU_LIFE_KILLS") or 100)
SEED = int(os.environ.get("ANTIRELOU_LIFE_SEED") or random.SystemRandom().randrange(1 << 32))
DONATIONS = 8
# The deadline of C21, and how late a busy machine may show it.
PAUSE_S, WIDE_S = 2.0, 15.0
LATE_PEOPLE = 45
_FLOOD = "Unusual traffic since"
_SEALED_KEYS = {"algorithm", "ciphertext", "device_id", "sender_key", "session_id", "m.relates_to"}
_IN_THE_OPEN = {"m.reaction", "m.room.redaction", "m.room.encrypted"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one room does in the flood."""

    hall: halls.Hall
    place: int
    language: str
    choice: str
    scope: str

    @property
    def words(self) -> str:
        """The new text of the reply; nobody else's."""
        return f"Bonjour de {self.hall.name}. Un non se respecte. STOP"

    @property
    def hand(self) -> str:
        """The answer by hand; nobody else's."""
        return f"Merci de nous l'avoir dit, {self.hall.name}."


async def decides(part: Part, taken: set[str]) -> None:
    """The first moderator: alert, review by cluster, pause, text, resume, an answer by hand."""
    hall, ada = part.hall, part.hall.first
    await hall.found(lambda one: _FLOOD in halls.body(one))
    menu = await hall.ask("!review")
    listed = re.findall(r"^(\S+) (t-[a-z0-9]+):", halls.body(menu), re.MULTILINE)
    number, cluster = next((n, c) for n, c in listed if c not in taken)
    taken.add(cluster)
    await ada.react(hall.room_id, menu.event_id, number)
    opened = await hall.found(lambda one: halls.body(one).startswith(cluster))
    await ada.react(hall.room_id, opened.event_id, part.choice)

    assert "Nothing is sent" in halls.body(await hall.ask(f"!pause{part.scope}"))
    asked = await hall.ask(f"!text set {part.language} {part.words}")
    assert "Another moderator agrees" in halls.body(asked)
    await hall.found(lambda one: f"The reply in {part.language} is the new" in halls.body(one))
    # The other room may have lifted it already: whoever resumes all resumes this too.
    await hall.ask(f"!resume{part.scope}")

    lanes = sorted(await distressed(hall))
    question = await hall.ask(f"!reply {lanes[part.place]} {part.hand}")
    if hall.encrypted:
        await hall.ask(f"!yes {halls.code_in(question)}")
    else:
        await ada.react(hall.room_id, question.event_id, "✅")


async def distressed(hall: halls.Hall) -> set[str]:
    """The codes of both who wrote in distress."""

    def codes() -> set[str]:
        told = "\n".join(hall.first.texts(hall.user))
        return set(re.findall(r"(#[a-z0-9]{4,8}): words of distress", told))

    await hall.first.until(lambda: len(codes()) == 2, halls.WITHIN_S)
    return codes()


async def agrees(part: Part, house: halls.House) -> None:
    """The second moderator: donations all along, and a yes to the other text."""
    hall, bea = part.hall, part.hall.second
    done = False

    def wish() -> people.Seen | None:
        asked = (one for one in bea.messages(hall.user) if part.words in halls.body(one))
        return None if done else next((one for one in asked if "!yes" in halls.body(one)), None)

    for n in range(DONATIONS + 1):
        # The last turn waits for the question alone.
        enough = n * KILLS // DONATIONS if n < DONATIONS else 1 << 30
        if n == DONATIONS and done:
            break
        await bea.until(lambda at=enough: house.kills >= at or wish() is not None, halls.WITHIN_S)  # type: ignore[misc]
        if (asked := wish()) is not None:
            done = True
            if hall.encrypted:
                await hall.command(bea, f"!yes {halls.code_in(asked)}")
            else:
                await bea.react(hall.room_id, asked.event_id, "✅")
        if n < DONATIONS:
            await hall.command(bea, f"!donate {cents(part, n) / 100:.2f}")


def cents(part: Part, n: int) -> int:
    """Every donation is another amount."""
    return 100 * (part.place + 1) + n


async def paused_in_time(house: halls.House, part: Part) -> float:
    """Answers wait for the homeserver's patience and sends go on; seconds from `!pause` to it.

    Nothing leaves later than the deadline after it; what waits leaves after `!resume`.
    """
    hall, before = part.hall, len((await house.phones.ledger())["deliveries"])
    # More answers than the homeserver takes at once (10): from here on it holds us back.
    for who in (*[hall.second] * 8, *[hall.first] * 4):
        await hall.command(who, "!who")
    await write(house, 7000 + 100 * part.place)
    await program.until("replies on their way", lambda: more_than(house, before + 3), 60)
    acted = house.acts()[hall.first.user, "pause"]
    event_id = await hall.command(hall.first, f"!pause{part.scope}")

    async def done() -> bool:
        return house.acts()[hall.first.user, "pause"] > acted

    await program.until("the pause", done, 60)
    waits = house.rows(
        "SELECT id FROM room_outgoing WHERE state = 'waiting' AND channel = ?", hall.name
    )
    assert len(waits) > 1, "the homeserver held nothing back"
    (row,) = house.rows("SELECT at_ms FROM audit WHERE act = 'pause' ORDER BY id DESC LIMIT 1")
    target = calls_path(hall, event_id)
    asked_ms = (await hall.first.raw("GET", target))["origin_server_ts"]
    await hall.found(lambda one: halls.answers(one) == event_id)
    told = (await house.phones.ledger())["deliveries"]
    late = [one for one in told if one["at_ms"] > asked_ms + 1000 * WIDE_S]
    assert late == []
    assert len(told) < before + LATE_PEOPLE, "nothing was left that a pause could stop"
    await hall.ask(f"!resume{part.scope}")
    return float(row["at_ms"] - asked_ms) / 1000


def calls_path(hall: halls.Hall, event_id: str) -> str:
    return calls.path("rooms", hall.room_id, "event", event_id)


async def more_than(house: halls.House, n: int) -> bool:
    return len((await house.phones.ledger())["deliveries"]) > n


async def write(house: halls.House, first: int) -> None:
    """People write now, over HTTP."""
    async with aiohttp.ClientSession() as session:
        for n in range(first, first + LATE_PEOPLE):
            told = {"id": f"late{n}", "from": phones_world.phone(n), "text": "coucou ça va ?"}
            async with session.post(f"{house.url}/phone/sms/api/messages", json=told) as answer:
                assert answer.status == 200


def check_trail(house: halls.House, parts: list[Part]) -> None:
    """Every act once, by whom it was asked for."""
    expected: collections.Counter[tuple[str, str]] = collections.Counter()
    for part in parts:
        ada, bea = part.hall.first.user, part.hall.second.user
        act = "approve_cluster" if part.choice == "✅" else "drop_cluster"
        expected[ada, act] = expected[ada, "reply_by_hand"] = expected[bea, "text"] = 1
        expected[ada, "pause"] = expected[ada, "resume"] = 2
        expected[bea, "donate"] = DONATIONS
    expected[parts[0].hall.first.user, "mode"] = 1
    assert house.acts() == expected
    booked = house.rows("SELECT amount_micros FROM postings WHERE account = 'donations'")
    given = [cents(part, n) for part in parts for n in range(DONATIONS)]
    assert sorted(-row["amount_micros"] // 10_000 for row in booked) == sorted(given)
    texts = house.rows("SELECT value FROM control WHERE key LIKE 'text:%' ORDER BY key")
    assert [row["value"] for row in texts] == [
        part.words for part in sorted(parts, key=lambda one: one.language)
    ]


def check_answers(house: halls.House, part: Part) -> int:
    """Every command was stored once and answered once, nothing was said twice; how much was."""
    hall = part.hall
    seen = {one.event_id: one for one in hall.first.messages(hall.user)}
    told = collections.Counter(halls.answers(one) for one in seen.values())
    assert {told[event_id] for _, event_id in hall.asked} == {1}
    stored = house.rows("SELECT event_id, state FROM room_events WHERE channel = ?", hall.name)
    states = {row["event_id"]: row["state"] for row in stored}
    assert {event_id for _, event_id in hall.asked} <= states.keys()
    assert set(states.values()) == {"done"}
    first_said = [one for one in seen.values() if "m.new_content" not in one.content]
    doubles = collections.Counter(
        halls.body(one) for one in first_said if halls.answers(one) is None
    )
    assert {text: n for text, n in doubles.items() if n > 1} == {}
    return len(seen)


def check_sealed(server: synapse.Synapse, hall: halls.Hall, words: list[str]) -> int:
    """What the homeserver holds of the encrypted room has no word of anybody; how many events."""
    held = stored(server, hall.room_id)
    said = [one for one in held if "state_key" not in one]
    assert {one["type"] for one in said} <= _IN_THE_OPEN
    sealed = [one["content"] for one in said if one["type"] == "m.room.encrypted"]
    assert set().union(*sealed) == _SEALED_KEYS
    raw = json.dumps(held, ensure_ascii=False)
    assert [word for word in words if word in raw] == []
    return len(sealed)


def stored(server: synapse.Synapse, room_id: str) -> list[dict[str, Any]]:
    """Every event of a room as it is in the homeserver's own database."""
    with contextlib.closing(sqlite3.connect(server.database)) as db:
        rows = db.execute("SELECT json FROM event_json WHERE room_id = ?", (room_id,))
        return [json.loads(row[0]) for row in rows]


@pytest.mark.slow
@pytest.mark.case("C17", "C21", "C22", "C24", "C25")
async def test_a_flood_is_decided_from_both_rooms_through_a_hundred_kills(
    limited: synapse.Synapse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw, taken = random.Random(SEED), set[str]()
    async with asyncio.timeout(900), halls.opened(tmp_path, limited, SEED % 1000) as house:
        parts = [
            Part(hall=house.halls[0], place=0, language="fr", choice="✅", scope=""),
            Part(hall=house.halls[1], place=1, language="en", choice="❌", scope=" sms"),
        ]
        await house.seed(dt.timedelta(minutes=100), dt.timedelta(minutes=1), flood=True)
        async with asyncio.TaskGroup() as group:
            lives = group.create_task(house.killed(KILLS, draw))
            for part in parts:
                group.create_task(decides(part, taken))
                group.create_task(agrees(part, house))
            await lives
            await house.start()
        (plain, sealed) = parts
        await plain.hall.ask("!mode normal for 2h")
        await plain.hall.found(lambda one: "Over" in halls.body(one))
        spans = [await paused_in_time(house, part) for part in parts]
        for part in parts:
            last = {event_id for _, event_id in part.hall.asked}
            await part.hall.first.until(lambda h=part.hall, e=last: e <= told_of(h), halls.WITHIN_S)  # type: ignore[misc]
        everybody = [
            phones_world.phone(7000 + 100 * p.place + n) for p in parts for n in range(LATE_PEOPLE)
        ]
        await program.until("the last replies", lambda: all_told(house, everybody), 180)
        await house.kill()

        check_trail(house, parts)
        said = [check_answers(house, part) for part in parts]
        held = stored(limited, plain.hall.room_id)
        # The same look at the plain room does find words: it is no look at nothing.
        assert _FLOOD in json.dumps(held)
        words = [_FLOOD, sealed.words, sealed.hand, "Status", "!pause", "!donate", "people wrote"]
        encrypted = check_sealed(limited, sealed.hall, words)
        deliveries = (await house.phones.ledger())["deliveries"]
        reached = collections.Counter(one["to"] for one in deliveries)
        assert max(reached.values()) == 1
        texts = collections.Counter(one["text"] for one in deliveries)
        assert [texts[part.hand] for part in parts] == [1, 1]
        store = choosing.store(f"sqlite:{house.database}")
        await store.open()
        chain = await store.read(audit.verify)
        await store.close()
        assert chain.broken_at is None
    with capsys.disabled():
        print(  # noqa: T201 (the figures are what this test is asked for)
            f"\nseed {SEED}: {house.kills} kills, {sum(len(p.hall.asked) for p in parts)} commands,"
            f" {chain.length} acts, {said} messages of ours, {encrypted} encrypted events,"
            f" {len(deliveries)} replies, pauses after {spans} s"
        )
    assert min(spans) <= PAUSE_S
    assert max(spans) <= WIDE_S


def told_of(hall: halls.Hall) -> set[str | None]:
    return {halls.answers(one) for one in hall.first.messages(hall.user)}


async def all_told(house: halls.House, numbers: list[str]) -> bool:
    reached = {one["to"] for one in (await house.phones.ledger())["deliveries"]}
    return set(numbers) <= reached
