"""A reply that takes long to get ready goes back to the core: a pause may have come (C21)."""

from __future__ import annotations

import asyncio
import types
from typing import Any

import pytest

from bot.contract import address, bridge, messages, outcomes
from bot.contract.conformance import fakes
from bridges.matrix import calls, handle, settings, wire
from tests.fakes import deaf

OURS, HIS, ROOM = "@us:here", "@him:there", "!room:there"
LIMIT_S = 30

pytestmark = pytest.mark.case("C21")


class Voice:
    """Gets ready in `takes_s`; keeps what it sent."""

    def __init__(self, moment: fakes.FakeClock) -> None:
        self.takes_s = 0.0
        self.sent: list[str] = []
        self._moment = moment

    async def ready(self, room_id: str, kind: str, content: Any) -> tuple[str, Any]:  # noqa: ANN401
        assert (room_id, kind) == (ROOM, wire.MESSAGE)
        await self._moment.advance(self.takes_s)
        return wire.ENCRYPTED, content

    async def put(
        self,
        room_id: str,
        transaction: str,
        event_kind: str,
        body: Any,  # noqa: ANN401
        *,
        connect_s: float | None = None,
    ) -> str:
        assert (room_id, event_kind, body["body"]) == (ROOM, wire.ENCRYPTED, "Bonjour.")
        assert connect_s == handle.CONNECT_LIMIT_S
        self.sent.append(transaction)
        return "$sent"


def test_a_send_begins_within_what_a_pause_may_take() -> None:
    assert handle.PATIENCE_S + handle.CONNECT_LIMIT_S < 2


async def test_who_took_long_to_get_ready_comes_back_unsent_and_soon() -> None:
    moment = fakes.FakeClock()
    context = bridge.Context(
        channel="handle", clock=moment, storage=fakes.FakeStorage(), currency="EUR"
    )
    table = {"role": "public", "homeserver": "https://here.example.org", "user": OURS}
    made = handle.Handle(settings.read({**table, "folder": "/nowhere"}), context)
    voice: Any = Voice(moment)
    synced = asyncio.Event()
    synced.set()
    rooms: Any = types.SimpleNamespace(synced=synced, of=lambda _: ROOM, places={ROOM})
    live: Any = types.SimpleNamespace(voice=voice)
    made._live, made._rooms, made._joins = live, rooms, live
    reply = messages.OutboundReply(
        reply_id=f"{1:032x}",
        channel="handle",
        sender=address.Address("matrix", OURS),
        recipient=address.Address("matrix", HIS),
        text="Bonjour.",
        valid_until=moment.now(),
    )
    voice.takes_s = handle.PATIENCE_S + 0.5
    async with asyncio.timeout(LIMIT_S):
        outcome = await made.send(reply)
        assert isinstance(outcome, outcomes.NotNow)
        assert 1 <= (outcome.retry_at - moment.now()).total_seconds() <= handle.COME_BACK_S
        assert voice.sent == []
        voice.takes_s = handle.PATIENCE_S / 2
        assert isinstance(await made.send(reply), outcomes.Accepted)
    assert voice.sent == [reply.reply_id]


async def test_a_homeserver_that_takes_no_connection_got_nothing() -> None:
    with deaf.address() as where:
        server = calls.Homeserver(f"http://{where}")
        async with asyncio.timeout(LIMIT_S):
            with pytest.raises(calls.AwayError) as told:
                await server.call("PUT", "/x", {}, connect_s=0.05)
        await server.close()
    assert told.value.unsent
