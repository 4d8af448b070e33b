"""Whose message it is, and what a batch starts from."""

from __future__ import annotations

import dataclasses

import pytest

from bot.inbox import state
from bot.policy.flood import snapshot
from tests.bot.store import rows

pytestmark = pytest.mark.sqlite_only("no database is opened here")

ITEM = state.Item(
    message=rows.message(),
    at_ms=rows.NOW_MS,
    seen=(b"seen",),
    fresh=(b"seen",),
    hashes=((b"new", b"old"), (b"alias", b"older alias")),
)


def person(person_id: int, created_ms: int) -> state.Person:
    return state.Person(
        id=person_id,
        created_ms=created_ms,
        new=False,
        last_ms=created_ms,
        blocked_until_ms=0,
        opted_out_ms=None,
        blocked_ms=None,
    )


def known(*persons: state.Person, **by_hash: int) -> state.Known:
    hashes = {name.replace("_", " ").encode(): person_id for name, person_id in by_hash.items()}
    return state.Known(by_hash=hashes, persons={one.id: one for one in persons})


def test_a_message_is_of_whoever_any_of_its_addresses_leads_to() -> None:
    one = person(5, 10)
    assert known().owners(ITEM) == []
    assert known(one, foreign=5).owners(ITEM) == []
    for name in ("new", "old", "alias", "older_alias"):
        assert known(one, **{name: 5}).owners(ITEM) == [one]
    assert known(one, new=5, old=5, alias=5, older_alias=5).owners(ITEM) == [one]


def test_of_several_the_one_known_longest_comes_first_then_the_smaller_id() -> None:
    young, old, twin = person(1, 30), person(3, 10), person(2, 10)
    found = known(young, old, twin, new=1, alias=3, older_alias=2).owners(ITEM)
    assert [one.id for one in found] == [2, 3, 1]
    again = known(old, twin, young, new=2, old=3, alias=1).owners(ITEM)
    assert [one.id for one in again] == [2, 3, 1]


def test_where_no_leader_looked_yet_all_is_calm() -> None:
    told = rows.context()
    assert told.flood() == snapshot.CALM
    assert dataclasses.replace(told, flood=lambda: snapshot.Snapshot(at_ms=1)).flood().at_ms == 1
