import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot import outbox
from bot.janitor import gone, retention, sealed
from bot.store import database, tables, vault
from tests.bot.store import rows
from tests.bot.store.houses import house

NOW_MS = rows.NOW_MS
MINUTE_MS = 60_000
DAY_MS = rows.DAY_MS
CORE = rows.CORE


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


# ------------------------------------------------------------------------------ retention


def inbound(row_id: int, received_ms: int, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "id": row_id,
        "person_id": row_id,
        "channel": "sms",
        "network": "sms",
        "kind": "text",
        "received_ms": received_ms,
        "decision": "reply",
        "reason": "first_contact",
        "reply_id": None,
        "first": True,
        "length": 3,
        "parts": 1,
        "country": "FR",
        "number_type": "mobile",
        "prefix": None,
        "text_enc": None,
    }
    return row | changes


@pytest.mark.case("C34")
async def test_retention_forgets_what_is_too_old(store: database.Store) -> None:
    here = house(store)
    keep = CORE.retention
    old = {
        "seen": NOW_MS - keep.seen_days * DAY_MS,
        "inbound": NOW_MS - keep.inbound_days * DAY_MS,
        "events": NOW_MS - keep.events_days * DAY_MS,
    }
    text_ms = NOW_MS - retention.TEXTS_H * rows.HOUR_MS
    seen = [{"hash": b"%016d" % n, "at_ms": old["seen"] - n} for n in (0, 1)]
    await rows.put(store, tables.seen, *seen)
    await rows.put(
        store,
        tables.inbound,
        inbound(1, old["inbound"] - 1),
        inbound(2, old["inbound"]),
        inbound(3, text_ms - 1, text_enc=b"x", reply_id=2),
        inbound(4, text_ms, text_enc=b"x", reply_id=2),
        # Nothing of theirs waits any more.
        inbound(5, NOW_MS, text_enc=b"x", reply_id=1),
        inbound(6, NOW_MS, text_enc=b"x"),
    )
    happened = [{"id": n, "at_ms": old["events"] - 1, "kind": "x", "data": "{}"} for n in (1, 2, 3)]
    await rows.put(store, tables.events, *happened)
    await rows.put_replies(store, rows.reply(1, "delivered"), rows.reply(2, "held"))
    counts = await here.janitor.step("forget")
    assert counts == {
        "seen": 1,
        "addresses": 1,
        "inbound": 1,
        "events": 2,
        "replies": 0,
        "persons": 0,
        "gone_channels": 0,
    }
    assert (await here.janitor.step("room"))["words"] == 3
    assert [row["at_ms"] for row in await rows.rows(store, tables.seen)] == [old["seen"]]
    texts = {row["id"]: row["text_enc"] for row in await rows.rows(store, tables.inbound)}
    assert texts == {2: None, 3: None, 4: b"x", 5: None, 6: None}
    # The newest event stays, or its number would be given again and readers would miss it.
    assert [row["id"] for row in await rows.rows(store, tables.events)] == [3]
    assert (await here.reply(1))["address_enc"] is None
    assert (await here.reply(2))["address_enc"] is not None


@pytest.mark.case("C34")
async def test_what_a_channel_kept_goes_a_month_after_it_was_taken_out(
    store: database.Store,
) -> None:
    """Its bridge, which goes by age, runs no more."""
    here = house(store)
    kept = [
        {"channel": channel, "key": key, "value": "x"}
        for channel, key in (
            ("signal", "look-ups"),
            ("signal", "sent-7"),
            ("sms", "notes"),
            ("", "opinions"),
            ("room.hide", "1"),
        )
    ]
    await rows.put(store, tables.storage, *kept)

    async def left() -> set[tuple[str, str]]:
        await here.janitor.step("forget")
        found = await rows.rows(store, tables.storage)
        return {(row["channel"], row["key"]) for row in found if not row["key"].startswith("core:")}

    everything = {(row["channel"], row["key"]) for row in kept}
    assert await left() == everything
    here.pass_ms(gone.KEPT_DAYS * DAY_MS - 1)
    assert await left() == everything
    here.pass_ms(1)
    ours = {("sms", "notes"), ("", "opinions"), ("room.hide", "1")}
    assert await left() == ours
    assert {row["channel"] for row in await rows.rows(store, tables.storage)} == {
        channel for channel, _ in ours
    }


async def test_a_channel_that_comes_back_finds_what_it_left(store: database.Store) -> None:
    await rows.put(store, tables.storage, {"channel": "signal", "key": "sent-7", "value": "x"})

    async def step(day: int, *configured: str) -> list[str]:
        await gone.forget(store, configured, NOW_MS + day * DAY_MS)
        return [row["key"] for row in await rows.rows(store, tables.storage)]

    await step(0)
    # Back for a day, and the month begins anew.
    assert await step(29, "signal") == ["sent-7"]
    await step(30)
    assert "sent-7" in await step(59)
    assert await step(60) == []


@pytest.mark.case("C34")
async def test_people_are_forgotten_but_not_their_wishes(store: database.Store) -> None:
    here = house(store)
    rules = CORE.reply
    late_ms = (rules.delay_max_s + rules.expires_after_s) * 1000 + DAY_MS
    old_ms = NOW_MS - CORE.retention.persons_days * DAY_MS - late_ms - 1
    gone = {"last_ms": old_ms, "blocked_until_ms": 0}
    await rows.put(
        store,
        tables.persons,
        rows.person(1, **gone),
        rows.person(2, **gone | {"opted_out_ms": old_ms}),
        rows.person(3, **gone | {"blocked_ms": old_ms}),
        rows.person(4, **gone | {"blocked_until_ms": NOW_MS + 1}),
        rows.person(5, **gone | {"last_ms": old_ms + 1}),
        rows.person(6, **gone),
        rows.person(7, **gone),
        rows.person(8, **gone | {"merged_into": 5}),
    )
    hashes = [{"hash": b"%016d" % n, "person_id": n} for n in range(1, 8)]
    await rows.put(store, tables.identities, *hashes)
    ancient = {"first_ms": old_ms, "due_ms": old_ms}
    await rows.put(
        store,
        tables.replies,
        rows.reply(1, "sent", **ancient),
        rows.reply(6, "held", **ancient, automatic=False),
        rows.reply(7, "scheduled", first_ms=old_ms),
    )
    counts = await here.janitor.step("forget")
    assert (counts["persons"], counts["replies"]) == (2, 1)
    left = {row["id"] for row in await rows.rows(store, tables.persons)}
    assert left == {2, 3, 4, 5, 6, 7}
    assert {row["person_id"] for row in await rows.rows(store, tables.identities)} == left


@pytest.mark.sqlite_only("asks SQLite's planner")
async def test_a_slice_of_people_reads_no_other_table_whole(store: database.Store) -> None:
    which = retention._gone(NOW_MS, NOW_MS)
    query = sa.select(tables.persons.c.id).where(which).limit(retention.SLICE)
    text = str(query.compile(compile_kwargs={"literal_binds": True}))

    def work(tx: sa.Connection) -> list[str]:
        return [row[3] for row in tx.execute(sa.text(f"EXPLAIN QUERY PLAN {text}"))]

    plan = await store.read(work)
    assert [step for step in plan if step.startswith("SCAN")] == ["SCAN persons"]
    assert "inbound" not in text


async def test_forgetting_goes_in_slices(
    store: database.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = house(store)
    monkeypatch.setattr(retention, "SLICE", 10)
    await rows.put(store, tables.seen, *({"hash": b"%016d" % n, "at_ms": 0} for n in range(95)))
    most = 0

    whole = store.write

    async def write(work: database.Work[Any]) -> Any:  # noqa: ANN401 (as Store.write)
        nonlocal most
        before = len(await rows.rows(store, tables.seen))
        out = await whole(work)
        most = max(most, before - len(await rows.rows(store, tables.seen)))
        return out

    monkeypatch.setattr(store, "write", write)
    assert (await here.janitor.step("forget"))["seen"] == 95
    assert most == 10


# ------------------------------------------------------------------------------ sealed


@pytest.mark.case("C35")
async def test_after_a_rotation_everything_is_sealed_with_the_new_key(
    store: database.Store, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "SLICE", 2)
    old = vault.create(tmp_path / "keys")
    place = outbox.place
    await rows.put_replies(
        store,
        *(
            rows.reply(n, "held", address_enc=old.seal(rows.phone(n), place(n)))
            for n in range(1, 6)
        ),
        rows.reply(6, "held", text_enc=old.seal("bonjour", place(6)), address_enc=None),
        rows.reply(7, "held", address_enc=old.seal("elsewhere", place(1))),
    )
    assert await house(store, keys=old).janitor.step("reseal") == {
        "resealed": 0,
        "sealed_stuck": 0,
    }
    new = vault.rotate(tmp_path / "keys")
    here = house(store, keys=new)
    assert await here.janitor.step("reseal") == {"resealed": 6, "sealed_stuck": 1}
    assert await here.janitor.step("reseal") == {"resealed": 0, "sealed_stuck": 1}
    for n in range(1, 6):
        kept = (await here.reply(n))["address_enc"]
        assert new.is_newest(kept)
        assert new.open(kept, place(n)) == rows.phone(n)
    assert new.open((await here.reply(6))["text_enc"], place(6)) == "bonjour"
