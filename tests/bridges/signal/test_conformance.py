"""The kit on the bridge by each way of receiving that signal-cli-rest-api has."""

import json
from collections.abc import Sequence

from bot.contract import bridge, conformance
from tests.bridges.signal import envelopes, world

NONSENSE = (
    b"{",
    b"[]",
    b'{"envelope": 3}',
    b'{"envelope": {"sourceUuid": "x", "dataMessage": {"message": "\\u0000"}}}',
    b'{"envelope": {"sourceUuid": null, "timestamp": -1, "dataMessage": []}}',
    b"\xff\x00",
    b"[" * 50_000,
)


class Webhook(world.RestWorld):
    """The neighbour posts; it waits for the answer and never posts again."""

    def __init__(self) -> None:
        super().__init__()
        self._routes: Sequence[bridge.Route] = ()
        self._acknowledged: set[str] = set()

    def mount(self, routes: Sequence[bridge.Route]) -> None:
        self._routes = routes

    async def deliver(self, inbound: conformance.Inbound) -> None:
        raw = json.dumps(envelopes.notification(self.event(inbound))).encode()
        if await world.post(self._routes, raw) == 200:
            self._acknowledged.add(inbound.event_id)

    def acknowledged(self, event_id: str) -> bool:
        return event_id in self._acknowledged

    async def retry(self) -> None:
        """The bridge itself keeps the event in hand until it is stored."""

    async def deliver_malformed(self) -> None:
        for raw in NONSENSE:
            await world.post(self._routes, raw)


class TestWebhook(conformance.BridgeConformance):
    harness = Webhook


class Polling(world.RestWorld):
    """What an answer held is gone from Signal."""

    way = "polling"

    async def deliver(self, inbound: conformance.Inbound) -> None:
        self.side.waiting.append(self.event(inbound))

    async def deliver_malformed(self) -> None:
        odd: list[object] = [
            3,
            None,
            {},
            {"envelope": {"sourceUuid": 7}},
            {"envelope": {"dataMessage": []}},
        ]
        self.side.waiting.extend(odd)


class TestPolling(conformance.BridgeConformance):
    harness = Polling


class Websocket(world.RestWorld):
    """Somebody has to be connected."""

    way = "websocket"

    async def deliver(self, inbound: conformance.Inbound) -> None:
        await self.side.linked()
        await self.side.push(self.event(inbound))

    async def deliver_malformed(self) -> None:
        await self.side.linked()
        for link in self.side.links:
            for raw in ("{", "[]", "3", '{"envelope": {"sourceUuid": 7}}'):
                await link.send_str(raw)


class TestWebsocket(conformance.BridgeConformance):
    harness = Websocket
