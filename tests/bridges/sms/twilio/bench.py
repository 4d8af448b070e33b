"""One bridge with fakes around it, and signed requests straight into its routes."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import urllib.parse
from collections.abc import Callable, Mapping

from bot.contract import address, bridge, conformance, messages
from bot.contract.conformance import fakes
from bridges.sms import twilio
from bridges.sms.twilio import bridge as twilio_bridge
from tests.bridges.sms.twilio import exchange

HIS = "+33639981234"
CHANNEL = "sms"
SHORT = False
"""Whether requests go the shorter way (`bridge.Route.post`)."""


@dataclasses.dataclass(kw_only=True)
class Bench:
    """Without a network unless `base` is the URL of an exchange."""

    base: str = "http://127.0.0.1:9"
    public: str = exchange.PUBLIC
    table: Mapping[str, object] = dataclasses.field(default_factory=dict)
    clock: fakes.FakeClock = dataclasses.field(default_factory=fakes.FakeClock)
    storage: fakes.FakeStorage = dataclasses.field(default_factory=fakes.FakeStorage)
    door: fakes.FakeIntake = dataclasses.field(default_factory=fakes.FakeIntake)

    def __post_init__(self) -> None:
        self.bridge: twilio_bridge.Twilio = self.make()

    def make(self) -> twilio_bridge.Twilio:
        """The bridge anew, as after a restart."""
        context = bridge.Context(
            channel=CHANNEL,
            clock=self.clock,
            storage=self.storage,
            currency="EUR",
            public_url=self.public,
        )
        made = twilio.create(exchange.settings(self.base, **self.table), context)
        self.apps = {route.path.rpartition("/")[2]: route for route in made.routes(self.door)}
        self.bridge = made
        return made

    async def post(
        self,
        name: str,
        body: bytes | Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        query: str = "",
        method: str = "POST",
    ) -> conformance.Answer:
        """To one route; a form is signed as Twilio would unless there are headers."""
        route = self.apps[name]
        if not isinstance(body, bytes):
            url = self.public + route.path + (f"?{query}" if query else "")
            headers = {**exchange.signed(url, body), **(headers or {})}
            body = urllib.parse.urlencode(body).encode()
        if SHORT and method == "POST":
            return await _posted(route, headers or {}, query.encode(), body)
        return await conformance.call(
            route.app, route.path, method=method, body=body, headers=headers, query=query.encode()
        )

    def reply(
        self, number: int = 1, to: str = HIS, valid_s: float = 3_600
    ) -> messages.OutboundReply:
        return messages.OutboundReply(
            reply_id=f"{number:032x}",
            channel=CHANNEL,
            sender=address.Address("sms", exchange.OURS),
            recipient=address.Address("sms", to),
            text="Bonjour. Un non se respecte.",
            valid_until=self.clock.now() + dt.timedelta(seconds=valid_s),
        )


async def _posted(
    route: bridge.Route, headers: Mapping[str, str], query: bytes, body: bytes
) -> conformance.Answer:
    """As the core does with what came whole."""
    assert route.post is not None
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    fields.append((b"content-length", str(len(body)).encode()))
    told = await route.post(fields, query, body)
    said = {name.decode(): value.decode() for name, value in told.headers}
    return conformance.Answer(status=told.status, headers=said, body=told.body)


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until it holds; TimeoutError after ten seconds."""
    async with asyncio.timeout(10):
        for _ in iter(holds, True):
            await asyncio.sleep(0)


def sms(**more: str) -> dict[str, str]:
    """The form of an incoming SMS."""
    return {
        "AccountSid": exchange.ACCOUNT,
        "MessageSid": "SM" + "0" * 31 + "1",
        "From": HIS,
        "To": exchange.OURS,
        "Body": "salut",
        "NumMedia": "0",
        "NumSegments": "1",
        **more,
    }


def news(status: str, number: int = 1, **more: str) -> dict[str, str]:
    """The form of a status callback."""
    return {
        "AccountSid": exchange.ACCOUNT,
        "MessageSid": f"SM{number:032x}",
        "MessageStatus": status,
        "From": exchange.OURS,
        "To": HIS,
        **more,
    }


def call(**more: str) -> dict[str, str]:
    """The form of an incoming call."""
    return {
        "AccountSid": exchange.ACCOUNT,
        "CallSid": "CA" + "0" * 31 + "1",
        "CallStatus": "ringing",
        "From": HIS,
        "To": exchange.OURS,
        **more,
    }
