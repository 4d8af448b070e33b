"""What is held together is shown together and decided in one gesture."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from bot.console import clusters, holding, names
from bot.flood import rows as flood_rows
from bot.policy.flood import words
from bot.policy.lifecycle import State
from bot.store import events, tables
from tests.bot.console.house import ANNA, HOUR_MS, START_MS, House

WAVE, OTHER = 4711, 4712
_r = tables.replies


async def held(
    house: House, n: int, reason: str, topic: int | None = None, **more: object
) -> list[int]:
    """So many held replies, a minute apart."""
    before = {row["id"] for row in await house.rows(_r)}
    for number in range(len(before), len(before) + n):
        await house.write_in(f"+3363998{number:04d}", at_ms=START_MS + number * 60_000)
    ids = [row["id"] for row in await house.rows(_r) if row["id"] not in before]
    change = sa.update(_r).where(_r.c.id.in_(ids)).values(reason=reason, topic=topic, **more)
    await house.store.write(lambda tx: tx.execute(change))
    return ids


async def listed(house: House) -> tuple[clusters.Cluster, ...]:
    return await house.store.read(lambda tx: clusters.listed(tx, house.keys, house.core))


async def named(house: House, *codes: str, reason: str | None = None) -> list[clusters.Key]:
    return await house.store.read(
        lambda tx: clusters.named(tx, house.keys, codes=codes, reason=reason)
    )


async def states(house: House) -> dict[int, str]:
    return {row["id"]: row["state"] for row in await house.rows(_r)}


@pytest.mark.case("C17", "C41")
async def test_what_is_held_together_is_listed_together(house: House) -> None:
    await held(house, 5, "new_topic", WAVE)
    await held(house, 2, "new_topic", OTHER)
    await held(house, 3, "pace", quoted_micros=80_000)
    wave, pace, other = await listed(house)
    assert (wave.code, wave.held) == (names.topic(house.keys, WAVE), 5)
    assert wave.code != other.code
    assert len(wave.code) == 6
    assert (pace.code, pace.reason, str(pace.cost)) == ("pace", "pace", "0.24 EUR")
    assert not pace.estimated
    assert wave.why.en.startswith("5 people wrote about the same new thing within 4 minutes")
    assert wave.expires_ms == START_MS + 24 * HOUR_MS
    assert (wave.since_ms, wave.until_ms) == (START_MS, START_MS + 4 * 60_000)


async def test_the_cost_of_what_was_never_quoted_is_an_honest_estimate(house: House) -> None:
    await held(house, 5, "new_topic", WAVE)
    assert [one.cost for one in await listed(house)] == [None]
    (sent,) = await held(house, 1, "first_contact")
    change = sa.update(_r).where(_r.c.id == sent)
    await house.store.write(
        lambda tx: tx.execute(change.values(state="sent", reserved_micros=80_000))
    )
    (wave,) = await listed(house)
    assert (str(wave.cost), wave.estimated) == ("0.40 EUR", True)


@pytest.mark.case("C17")
async def test_one_gesture_releases_a_cluster_and_nothing_else(house: House) -> None:
    wave = await held(house, 5, "new_topic", WAVE)
    await held(house, 2, "new_topic", OTHER)
    keys = await named(house, names.topic(house.keys, WAVE).upper())
    done = await house.act(clusters.approve, keys, keys=house.keys, rules=house.core.reply)
    assert (done.ok, len(done.replies)) == (True, 5)
    after = {row["id"]: row for row in await house.rows(_r)}
    assert {i for i, row in after.items() if row["state"] == State.SCHEDULED} == set(wave)
    assert all(after[i]["approved"] for i in wave)
    assert await named(house, names.topic(house.keys, WAVE)) == []


@pytest.mark.case("C41")
async def test_approving_a_topic_makes_its_shared_words_fine(house: House) -> None:
    wave = await held(house, 6, "new_topic", WAVE)
    packed = words.pack([WAVE, 5, 6])
    change = sa.update(_r).values(words=words.pack([WAVE, 5]))
    shared = sa.update(_r).where(_r.c.id == wave[0]).values(words=packed)
    memory = {"flagged": {WAVE: 1, 5: 1, 6: 1, 7: 1}}

    def work(tx: sa.Connection) -> None:
        tx.execute(change)
        tx.execute(shared)
        known = flood_rows.load(tx)
        known.flagged = memory["flagged"]
        flood_rows.keep(tx, known)

    await house.store.write(work)
    keys = await named(house, reason="new_topic")
    await house.act(clusters.approve, keys, keys=house.keys, rules=house.core.reply)
    assert await house.store.read(events.controls) == {"topic:4711": "fine", "topic:5": "fine"}


async def test_dropping_takes_back_that_a_topic_was_fine(house: House) -> None:
    await held(house, 3, "new_topic", WAVE)
    await house.store.write(lambda tx: events.control(tx, START_MS, f"topic:{WAVE}", "fine"))
    keys = await named(house, names.topic(house.keys, WAVE))
    done = await house.act(clusters.drop, keys, keys=house.keys)
    assert len(done.replies) == 3
    assert set((await states(house)).values()) == {"cancelled"}
    assert await house.store.read(events.controls) == {}
    assert all(row["blocked_until_ms"] == 0 for row in await house.rows(tables.persons))


@pytest.mark.case("C15")
async def test_who_opted_out_stays_out_of_a_gesture(house: House) -> None:
    await held(house, 3, "pace")
    person = (await house.person())["id"]
    change = sa.update(tables.persons).where(tables.persons.c.id == person)
    await house.store.write(lambda tx: tx.execute(change.values(opted_out_ms=1)))
    keys = await named(house, reason="pace")
    done = await house.act(clusters.approve, keys, keys=house.keys, rules=house.core.reply)
    assert (done.ok, len(done.replies), len(done.refused)) == (True, 2, 1)


async def test_thousands_in_one_transaction_leave_one_short_event(house: House) -> None:
    await held(house, 1, "pace")
    (row,) = await house.rows(_r)
    (person,) = await house.rows(tables.persons)
    many = range(10_000, 13_500)

    def work(tx: sa.Connection) -> None:
        tx.execute(sa.insert(tables.persons), [{**person, "id": n} for n in many])
        tx.execute(sa.insert(_r), [{**row, "id": n, "person_id": n} for n in many])

    await house.store.write(work)
    keys = await named(house, "pace")
    done = await house.act(clusters.approve, keys, keys=house.keys, rules=house.core.reply)
    assert len(done.replies) == 3_501
    (event,) = [e for e in await house.rows(tables.events) if e["kind"] == "act"]
    told = json.loads(event["data"])
    assert (told["act"], told["clusters"], told["n"]) == ("approve_cluster", "pace", 3_501)
    assert len(event["data"]) < 200


async def test_a_code_of_nothing_is_nothing(house: House) -> None:
    assert await named(house, "t-aaaa", "pace") == []
    await held(house, 1, "pace")
    assert await named(house, "t-aaaa") == []
    assert await named(house, ANNA) == []


async def test_the_old_review_is_still_there(house: House) -> None:
    await held(house, 2, "pace")
    found = await house.store.read(
        lambda tx: holding.review(tx, keys=house.keys, rules=house.core.reply)
    )
    assert [(g.reason, len(g.replies)) for g in found.groups] == [("pace", 2)]


@pytest.mark.parametrize(
    ("ms", "en"),
    [(0, "1 minute"), (60_001, "2 minutes"), (90 * 60_000, "90 minutes"), (91 * 60_000, "2 hours")],
)
def test_a_span_in_words(ms: int, en: str) -> None:
    assert clusters.span(ms)[0] == en
