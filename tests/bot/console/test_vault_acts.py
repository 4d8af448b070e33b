"""Forgetting one person: every table is walked, and a new one fails until it is thought about."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from bot import outbox
from bot.console import audit, proofs, vault_acts
from bot.console.room import prompts
from bot.contract import address, messages
from bot.policy import proof
from bot.store import events, holdings, keyvalue, tables
from tests.bot.console.room import floor as floors
from tests.bot.console.room.hosting import ANNA, CLEO
from tests.fakes import world

HERS, OTHER = 1, 2
ACI = "00000000-0000-4000-8000-00000000f001"
Rows = Mapping[str, list[dict[str, Any]]]


@pytest.fixture
async def floor() -> floors.Floor:
    return await floors.opened(floors.held())


async def lived(floor: floors.Floor) -> None:
    """Two people about whom everything is kept that can be, one of them under two addresses."""
    for number in (HERS, OTHER):
        await floor.writes(number, "je veux mourir")
        await floor.writes(number, "tu es là ?")
    signal = messages.InboundMessage(
        channel="signal",
        provider_id="s1",
        sender=address.Address(address.SIGNAL, ACI),
        recipient=address.Address(address.SMS, world.OURS),
        received_at=floor.now,
        text="et là ?",
    )
    await floor.rooms.intake.accept([signal])
    both = {**_values(signal), "provider_id": "s2"}
    known = address.Address(address.SMS, world.phone(HERS))
    await floor.rooms.intake.accept([messages.InboundMessage(**{**both, "aliases": (known,)})])
    await floor.step()
    for person in (1, OTHER):
        await floor.store.write(functools.partial(_more, person=person, floor=floor))


def _values(one: messages.InboundMessage) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def _more(tx: sa.Connection, person: int, floor: floors.Floor) -> None:
    """What is rare: an early receipt, money, a proof that came, an act upon them."""
    now_ms = int(floor.now.timestamp() * 1000)
    reply = (
        tx.execute(sa.select(tables.replies.c.id).where(tables.replies.c.person_id == person))
        .scalars()
        .first()
    )
    row = {"at_ms": now_ms, "channel": "sms", "data": "{}"}
    tx.execute(sa.insert(tables.receipts), {**row, "reply_id": reply, "provider_id": None})
    money = {"account": "replies", "kind": "post", "amount_micros": 1, "day": "2026-11-22"}
    tx.execute(sa.insert(tables.postings), {"at_ms": now_ms, "reply_id": reply, **money})
    events.append(tx, now_ms, "proof", {"person": person, "word": "00"})
    audit.note(tx, now_ms, "tester", "reveal", persons=[person])
    row = {"code": f"#x{person}", "person_id": person, "expires_ms": now_ms}
    tx.execute(sa.insert(tables.room_codes), row)


async def everything(floor: floors.Floor) -> Rows:
    return {t.name: await floor.rows(t) for t in tables.metadata.sorted_tables}


def replies_of(rows: Rows, persons: set[int]) -> set[int]:
    """Asked before they are forgotten: afterwards no reply says whose it was."""
    return {r["id"] for r in rows["replies"] if r["person_id"] in persons}


def theirs(
    rows: Rows, floor: floors.Floor, persons: set[int], replies: set[int]
) -> Iterator[tuple[str, str]]:
    """(table, column) of each value that leads to one of these persons or replies."""
    for one in holdings.ALL:
        for row in rows[one.table]:
            for name in one.names:
                whom = replies if name in {"reply_id", "retry_of"} else persons
                if one.table == "replies" and name == "id":
                    whom = replies
                if name == "data_enc" and row[name] is not None:
                    found = vault_acts.ids_in(floor.keys.open(row[name], one.table))
                elif name == "data":
                    found = vault_acts.ids_in(row[name])
                else:
                    found = {row[name]} - {None}
                if found & whom:
                    yield one.table, name


@pytest.mark.case("C34")
async def test_no_table_keeps_anything_of_somebody_forgotten(floor: floors.Floor) -> None:
    await lived(floor)
    before = await everything(floor)
    persons = {row["id"] for row in before["persons"] if 1 in {row["id"], row["merged_into"]}}
    assert len(persons) == 2
    gone_replies = replies_of(before, persons)
    had = set(theirs(before, floor, persons, gone_replies))
    wanted = {(one.table, name) for one in holdings.ALL for name in one.names}
    # Otherwise the test would prove nothing of that column.
    assert wanted - had == {("replies", "retry_of")}
    now_ms = int(floor.now.timestamp() * 1000)
    await floor.store.write(
        lambda tx: vault_acts.erase(tx, floor.keys, 1, now_ms=now_ms, who="tester")
    )
    after = await everything(floor)
    left = set(theirs(after, floor, persons, gone_replies))
    assert left == {("audit", "data"), ("postings", "reply_id")}
    kept = {row["reply_id"] for row in after["postings"]} & gone_replies
    assert kept == gone_replies & {row["reply_id"] for row in before["postings"]}
    others = replies_of(before, {OTHER})
    assert set(theirs(after, floor, {OTHER}, others)) >= {
        ("persons", "id"),
        ("inbound", "person_id"),
    }
    hashes = {
        hashed
        for network, value in (("sms", world.phone(HERS)), ("signal", ACI))
        for hashed in floor.keys.hash_address(network, value)
    }
    flat = [v for rows in after.values() for row in rows for v in row.values()]
    assert not hashes & {v for v in flat if isinstance(v, bytes)}
    chain = await floor.store.read(audit.verify)
    assert chain.broken_at is None


@pytest.mark.case("C34", "C44")
async def test_what_must_outlive_it_is_a_hash_and_what_it_forbids(floor: floors.Floor) -> None:
    await lived(floor)
    hers = replies_of(await everything(floor), {1})
    now_ms = int(floor.now.timestamp() * 1000)

    def opts_out(tx: sa.Connection) -> vault_acts.Erased:
        statement = sa.update(tables.persons).where(tables.persons.c.id == 1)
        tx.execute(statement.values(opted_out_ms=now_ms))
        return vault_acts.erase(tx, floor.keys, 1, now_ms=now_ms, who="tester")

    assert (await floor.store.write(opts_out)).kept
    after = await everything(floor)
    left = set(theirs(after, floor, {1}, hers))
    stays = {(one.table, name) for one in holdings.ALL for name in one.stays}
    assert left <= stays
    (entry,) = [row for row in after["persons"] if row["id"] == 1]
    assert (entry["messages"], entry["last_ms"], entry["merged_into"]) == (0, 0, None)
    assert len([row for row in after["identities"] if row["person_id"] == 1]) == 2


def test_every_table_has_been_thought_about() -> None:
    known = {one.table: one for one in holdings.ALL}
    assert set(known) == set(tables.metadata.tables)
    assert len(known) == len(holdings.ALL)
    for name, table in tables.metadata.tables.items():
        leading = {
            c.name for c in table.columns if c.name in {"person_id", "reply_id", "merged_into"}
        }
        assert leading <= set(known[name].names), f"{name}: what does erase do with {leading}?"
        assert set(known[name].names) <= {c.name for c in table.columns}
        assert set(known[name].stays) <= set(known[name].names)


async def test_a_table_that_erase_does_not_know_is_seen(floor: floors.Floor) -> None:
    """The walk itself can fail: a row that was left behind is found, by person and by reply."""
    await lived(floor)
    hers = replies_of(await everything(floor), {1})
    now_ms = int(floor.now.timestamp() * 1000)

    def leaves_one(tx: sa.Connection) -> None:
        vault_acts.erase(tx, floor.keys, 1, now_ms=now_ms, who="tester")
        row = {"code": "#left", "person_id": 1, "expires_ms": now_ms}
        tx.execute(sa.insert(tables.room_codes), row)
        early = {"at_ms": now_ms, "channel": "sms", "data": "{}", "reply_id": min(hers)}
        tx.execute(sa.insert(tables.receipts), early)

    await floor.store.write(leaves_one)
    left = set(theirs(await everything(floor), floor, {1}, hers))
    assert left >= {("room_codes", "person_id"), ("receipts", "reply_id")}


@pytest.mark.case("C34")
async def test_an_open_question_about_them_is_closed(floor: floors.Floor) -> None:
    await lived(floor)
    (question,) = [one for one in await floor.rows(tables.room_prompts) if one["id"] == 1]
    assert question["state"] == "open"
    now_ms = int(floor.now.timestamp() * 1000)
    await floor.store.write(
        lambda tx: vault_acts.erase(tx, floor.keys, 1, now_ms=now_ms, who="tester")
    )
    answer = await floor.ask(CLEO, f"!yes {question['code']}")
    assert "over" in answer.plain
    states = {one["id"]: one["state"] for one in await floor.rows(tables.room_prompts)}
    assert states[1] == "expired"
    assert states[2] == "open"


@pytest.mark.case("C34")
async def test_export_tells_what_was_done_but_not_by_whom(floor: floors.Floor) -> None:
    await lived(floor)
    now_ms = int(floor.now.timestamp() * 1000)
    told = await floor.store.write(
        lambda tx: vault_acts.export(
            tx, floor.keys, 1, "EUR", now_ms=now_ms, who=ANNA, why="order of a court"
        )
    )
    assert [one["act"] for one in told["acts"]] == ["reveal", "export"]  # type: ignore[attr-defined]
    assert len(told["messages"]) == 4  # type: ignore[arg-type]
    assert ANNA not in json.dumps(told)
    assert "tester" not in json.dumps(told)


async def test_a_word_counts_for_its_address_its_act_and_a_week(floor: floors.Floor) -> None:
    await floor.writes(HERS)
    await floor.writes(OTHER)
    place = proofs.of(floor.keys, [address.Address("sms", world.phone(HERS))])
    now_ms = int(floor.now.timestamp() * 1000)
    told = {"place": place, "now_ms": now_ms, "who": "t"}
    word = await floor.store.write(lambda tx: proofs.hand_out(tx, floor.keys, "erase", **told))  # type: ignore[arg-type]
    assert proof.read(word)

    async def proven(kind: str = "erase", at_ms: int = now_ms) -> list[int]:
        return await floor.store.read(lambda tx: proofs.proven(tx, kind, place, [1, 2], at_ms))

    assert await proven() == []
    await floor.writes(OTHER, word)
    assert await proven() == [2]
    assert await floor.store.read(lambda tx: proofs.proven(tx, "erase", place, [1], now_ms)) == []
    await floor.writes(HERS, f" {word.lower()} ")
    assert await proven() == [1, 2]
    assert await proven("export") == []
    assert await proven(at_ms=now_ms + proofs.LASTS_MS) == []
    said = len(floor.room.said)
    await floor.step()
    # The room is not asked about a word of the command line.
    assert not [one for one in list(floor.room.said.values())[said:] if "!yes" in one.plain]
    assert len(await floor.rows(tables.proofs)) == 1
    await floor.store.write(lambda tx: proofs.used(tx, "erase", place))
    assert await proven() == []


def test_the_prompts_place_is_their_table() -> None:
    assert tables.room_prompts.name == prompts._PLACE
    assert outbox.place(7) == "replies/7"


@pytest.mark.case("C34")
async def test_time_alone_forgets_everybody(floor: floors.Floor) -> None:
    await lived(floor)

    def met(tx: sa.Connection) -> None:
        now_ms = int(floor.now.timestamp() * 1000)
        keyvalue.put(tx, "room.stranger", "matrix @eve:example.org", str(now_ms))
        keyvalue.put(tx, "room.trouble", "matrix odd @eve:example.org dev", str(now_ms))
        keyvalue.put(tx, "sms", "kept by a bridge", "@eve:example.org")

    await floor.store.write(met)
    before = await everything(floor)
    persons = {row["id"] for row in before["persons"]}
    replies = replies_of(before, persons)
    await floor.passes(days=2_000)
    for _ in range(3):
        await floor.rooms.janitor.round()
        await floor.rooms.flood.look()
        await floor.step()
    after = await everything(floor)
    had = set(theirs(before, floor, persons, replies))
    forgotten = had - set(theirs(after, floor, persons, replies))
    leading = {(one.table, name) for one in holdings.ALL for name in one.names}
    never = {("audit", "data"), ("postings", "reply_id"), ("replies", "retry_of")}
    assert forgotten == leading - never
    assert [one["channel"] for one in after["storage"] if "@eve" in one["key"] + one["value"]] == [
        "sms"
    ]
    # The newest of these stay, so that no number is given twice; they are emptied.
    newest = {"events", "room_outgoing"}
    for name in newest:
        assert len(after[name]) <= 20
    endless = {
        one.table for one in holdings.ALL if one.kept.startswith(("for good", "until it is"))
    }
    left = {name for name, rows in after.items() if rows}
    assert left <= endless | newest | {"storage", "pool", "cursors"}
