"""Events whose key comes late: kept over a kill, read when it comes, given up when it does not."""

from __future__ import annotations

import pytest

from bot.contract import conformance, room
from bridges.matrix import late, wire


def event(number: int) -> dict[str, object]:
    return {"event_id": f"${number}", "type": "m.room.encrypted", "content": {}}


def sealed(raw: object, _room: str) -> wire.Heard:
    return wire.Heard(event=raw, readable=False)  # type: ignore[arg-type]  # a fake


def clear(raw: object, _room: str) -> wire.Heard:
    return wire.Heard(event=raw, trust=room.Trust.OWN_DEVICE)  # type: ignore[arg-type]  # a fake


@pytest.mark.case("C24", "C25")
async def test_a_kill_before_the_key_comes_loses_nothing() -> None:
    storage, clock = conformance.FakeStorage(), conformance.FakeClock()
    first = late.Late(storage, clock)
    await first.load()
    await first.add("!r", event(1))
    await first.add("!r", event(1))
    await first.save()

    second = late.Late(storage, clock)
    await second.load()
    assert second.now_readable(sealed) == []
    assert second.given_up() == []
    ((room_id, heard),) = second.now_readable(clear)
    assert (room_id, heard.event["event_id"]) == ("!r", "$1")
    await second.save()
    assert storage.values == {}


async def test_patience_ends_and_the_list_is_bounded() -> None:
    storage, clock = conformance.FakeStorage(), conformance.FakeClock()
    kept = late.Late(storage, clock)
    for number in range(late.MOST + 5):
        await kept.add("!r", event(number))
    await clock.advance(late.PATIENCE_MS / 1000)
    old = kept.given_up()
    assert len(old) == late.MOST
    assert old[-1][1]["event_id"] == f"${late.MOST + 4}"
    assert kept.given_up() == []
