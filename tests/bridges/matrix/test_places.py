"""Who is in a room with what power, by its state events; old rooms, new rooms, nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from bot.contract import room
from bridges.matrix import places

ADA, BEA = "@ada:x", "@bea:x"


def state(kind: str, key: str = "", sender: str = ADA, **content: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"type": kind, "state_key": key, "sender": sender, "content": content}


def crowded(here: places.Place) -> bool:
    return here.crowded


def test_members_come_and_go() -> None:
    here = places.Place(room_id="!r")
    assert here.take(state("m.room.member", ADA, membership="join")) == [
        room.Member(account=ADA, joined=True)
    ]
    assert here.take(state("m.room.member", ADA, membership="join", displayname="A")) == []
    assert here.take(state("m.room.member", BEA, membership="invite")) == []
    assert not crowded(here)
    here.take(state("m.room.member", "@c:x", membership="invite"))
    assert crowded(here)
    assert here.take(state("m.room.member", ADA, membership="ban")) == [
        room.Member(account=ADA, joined=False)
    ]
    assert not crowded(here)


@pytest.mark.case("C22")
def test_levels_change_for_those_who_are_in() -> None:
    here = places.Place(room_id="!r", joined={ADA, BEA})
    changed = here.take(state("m.room.power_levels", users={ADA: 100, "@gone:x": 50}))
    assert changed == [room.Member(account=ADA, joined=True, power=100)]
    changed = here.take(state("m.room.power_levels", users={BEA: "50"}, users_default=10))
    assert [(one.account, one.power) for one in changed] == [(ADA, 10), (BEA, 50)]
    assert here.take(state("m.room.power_levels", users={BEA: 50}, users_default=10)) == []


@pytest.mark.parametrize("version", ["1", "11", "12", "odd"])
def test_creators_stand_above_from_version_12_on(version: str) -> None:
    here = places.Place(room_id="!r", joined={ADA, BEA})
    here.take(state("m.room.create", room_version=version, additional_creators=[BEA]))
    here.take(state("m.room.power_levels", users={}))
    expected = places.CREATORS_POWER if version == "12" else 0
    assert here.member(ADA).power == expected
    assert here.member(BEA).power == expected


def test_before_any_levels_the_creator_alone_has_power() -> None:
    assert places.power_of(ADA, None, {}, ADA) == 100
    assert places.power_of(BEA, None, {}, ADA) == 0
    assert places.power_of(BEA, {"users": {BEA: []}}, {}, ADA) == 0
    assert places.power_of(BEA, {"users": 3}, {"additional_creators": "no"}, ADA) == 0


def test_encryption_is_never_taken_back() -> None:
    here = places.Place(room_id="!r")
    here.take(state("m.room.encryption", algorithm="m.megolm.v1.aes-sha2"))
    assert here.encrypted
    here.take(state("m.room.encryption"))
    here.take({"type": "m.room.encryption", "content": {}})
    here.take({"type": "m.room.encryption", "state_key": "", "content": None})
    assert here.encrypted
