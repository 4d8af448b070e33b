"""What we ask of a homeserver shows nobody that somebody is there; encrypted stays encrypted."""

from __future__ import annotations

import types
from typing import Any

import pytest

from bot.contract.conformance import fakes
from bridges.matrix import calls, moderators, places, sending, sync, wire

ROOM = "!room:here"


class Server:
    """Keeps what it is asked and answers the same to all."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer
        self.asked: list[dict[str, str]] = []

    async def call(self, *_: object, query: dict[str, str] | None = None, **__: object) -> Any:  # noqa: ANN401 (any body)
        self.asked.append(query or {})
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("since", [None, "s1"])
@pytest.mark.parametrize("full", [False, True])
async def test_no_sync_shows_us_online(since: str | None, *, full: bool) -> None:
    server: Any = Server({"next_batch": "s2"})
    keys: Any = types.SimpleNamespace(take=lambda _: None)
    other: Any = None
    listening = sync.Listening(
        channel="matrix",
        own="@us:here",
        server=server,
        keys=keys,
        trusted=other,
        patience=other,
        take=other,
        reads_back=False,
    )
    assert await listening._ask(since, full=full) == {"next_batch": "s2"}
    (query,) = server.asked
    assert query["set_presence"] == "offline"
    assert query.get("since") == since
    assert query.get("full_state") == ("true" if full else None)


async def test_a_room_that_was_encrypted_once_is_so_whatever_the_server_says() -> None:
    server: Any = Server(calls.RefusedError(404, "M_NOT_FOUND", {}))
    voice: Any = types.SimpleNamespace(
        sealed={ROOM}, _keys=types.SimpleNamespace(is_encrypted=lambda _: False), _server=server
    )
    assert await sending.Voice.encrypted(voice, ROOM)
    assert server.asked == []
    voice.sealed = set()
    assert not await sending.Voice.encrypted(voice, ROOM)


async def test_what_is_said_in_another_room_is_never_handed_on_as_said_in_ours() -> None:
    handed: list[str] = []
    said = wire.Heard(event={"type": "m.room.message", "sender": "@mod:here", "event_id": "$1"})

    async def heard(one: wire.Heard, place: places.Place) -> list[str]:
        handed.append(place.room_id)
        return [str(one.event["event_id"])]

    async def seal(_: object) -> list[str]:
        return []

    taker: Any = types.SimpleNamespace(
        _places={},
        _own="@us:here",
        _room_id=ROOM,
        _context=types.SimpleNamespace(clock=fakes.FakeClock()),
        _heard=heard,
        _seal=seal,
        _elsewhere=lambda *_: [],
    )
    news = sync.News(cursor="s2", since="s1", full=False)
    for room_id, expected in (("!other:here", []), (ROOM, ["$1"])):
        told = sync.RoomNews(room_id=room_id, state=(), heard=(said,))
        found: list[Any] = list(await moderators.Taker._room(taker, told, news))
        assert found == expected
    assert handed == [ROOM]
