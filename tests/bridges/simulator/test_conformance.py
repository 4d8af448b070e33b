"""The bridge conformance kit, over the built-in phones and over an outside world."""

import json
from collections.abc import Mapping, Sequence

from aiohttp import web

from bot.contract import address, bridge, conformance
from bridges import simulator
from bridges.simulator import bridge as simulator_bridge
from tests.bridges.simulator import world

OURS = "+33639980000"


class Phones:
    """The built-in phones: messages by the page's API, replies in its ledger."""

    person = address.Address("sms", "+33639981234")
    patience_s = 2.0
    quiet_s = 0.1

    def __init__(self) -> None:
        self.made: simulator_bridge.Simulator | None = None
        self.pending: dict[str, conformance.Inbound] = {}
        self.known: set[str] = set()
        self.apps: dict[str, bridge.AsgiApp] = {}

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    def settings(self) -> Mapping[str, object]:
        return {"kind": "simulator", "addresses": [OURS]}

    def create(self, settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
        self.made = simulator.create(settings, context)
        return self.made

    def mount(self, routes: Sequence[bridge.Route]) -> None:
        self.apps = {route.path: route.app for route in routes}

    async def post(self, body: bytes) -> int:
        path = next(path for path in self.apps if path != "/phone/")
        answer = await conformance.call(
            self.apps[path],
            f"{path}api/messages",
            body=body,
            headers={"content-type": "application/json"},
        )
        return answer.status

    async def deliver(self, inbound: conformance.Inbound) -> None:
        self.pending[inbound.event_id] = inbound
        fields = {"id": inbound.event_id, "from": inbound.sender.value, "text": inbound.text}
        if await self.post(json.dumps(fields).encode()) == 200:
            self.known.add(inbound.event_id)

    async def deliver_malformed(self) -> None:
        for body in (b"", b"{", b"[]", b"null", b'{"id": 1}', b"\xff", b'{"from": "a\\u0000"}'):
            assert await self.post(body) == 400

    def acknowledged(self, event_id: str) -> bool:
        return event_id in self.known

    async def retry(self) -> None:
        for event_id in set(self.pending) - self.known:
            await self.deliver(self.pending[event_id])

    def sent(self) -> Sequence[conformance.Sent]:
        if self.made is None:
            return []
        return [
            conformance.Sent(recipient=entry.phone, text=entry.text, reply_id=entry.id)
            for entry in self.made._phones.replies(after=0, limit=1_000)
        ]


class Outdoors(Phones):
    """Phones behind a URL. That a hanging one ends by the limit is in test_outside."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: list[conformance.Sent] = []
        self.trouble = ""

    async def open(self) -> None:
        app = web.Application()
        app.router.add_post("/", self.take)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()

    async def close(self) -> None:
        await self.runner.cleanup()

    def settings(self) -> Mapping[str, object]:
        url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/"
        return {**super().settings(), "deliver_to": url, "idempotent": True}

    async def take(self, request: web.Request) -> web.Response:
        trouble, self.trouble = self.trouble, ""
        told = await request.json()
        if trouble:
            return web.Response(status=int(trouble))
        if any(sent.reply_id == told["reply_id"] for sent in self.ledger):
            return web.Response(status=409)
        self.ledger.append(
            conformance.Sent(recipient=told["to"], text=told["text"], reply_id=told["reply_id"])
        )
        return web.json_response({"id": f"p{len(self.ledger)}"})

    def sent(self) -> Sequence[conformance.Sent]:
        return self.ledger

    def refuse_next(self) -> None:
        self.trouble = "400"

    def wait_next(self) -> None:
        self.trouble = "429"

    def break_next(self) -> None:
        self.trouble = "500"


class TestPhones(conformance.BridgeConformance):
    harness = Phones

    async def test_one_reply_id_reaches_the_person_once(self) -> None:
        """Without the kit's restarts: these phones end with the bridge; Outdoors has others."""
        made = world.made()
        for _ in range(2):
            await made.send(world.reply())
        assert made.idempotent
        assert [entry.id for entry in made._phones.replies(after=0, limit=9)] == ["a" * 32]


class TestOutdoors(conformance.BridgeConformance):
    harness = Outdoors
