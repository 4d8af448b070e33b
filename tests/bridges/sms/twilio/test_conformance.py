"""The bridge conformance kit over our own Twilio, webhooks and all."""

import dataclasses
import urllib.parse
from collections.abc import Mapping, Sequence

from bot.contract import address, bridge, conformance
from bridges.sms import twilio
from tests.bridges.sms.twilio import exchange

# Nobody listens there: `check` knocks at our own webhooks from outside.
PUBLIC = "http://127.0.0.1:9"


class Phones:
    """People write by signed webhooks; what they get is in the exchange's ledger."""

    person = address.Address("sms", "+33639981234")
    patience_s = 4.0
    quiet_s = 0.2
    time_limit_s = 2.0

    def __init__(self) -> None:
        self.exchange = exchange.Exchange()
        self.apps: dict[str, bridge.AsgiApp] = {}
        self.forms: dict[str, dict[str, str]] = {}
        self.known: set[str] = set()

    async def open(self) -> None:
        await self.exchange.open()

    async def close(self) -> None:
        await self.exchange.close()

    def settings(self) -> Mapping[str, object]:
        return exchange.settings(self.exchange.url)

    def create(self, settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
        self.exchange.now = context.clock.now
        return twilio.create(settings, dataclasses.replace(context, public_url=PUBLIC))

    def mount(self, routes: Sequence[bridge.Route]) -> None:
        self.apps = {route.path: route.app for route in routes}

    async def post(self, name: str, form: Mapping[str, str], query: str = "") -> int:
        path = next(path for path in self.apps if path.endswith(f"/{name}"))
        url = PUBLIC + path + (f"?{query}" if query else "")
        answer = await conformance.call(
            self.apps[path],
            path,
            body=urllib.parse.urlencode(form).encode(),
            headers=exchange.signed(url, form),
            query=query.encode(),
        )
        return answer.status

    async def deliver(self, inbound: conformance.Inbound) -> None:
        if inbound.event_id not in self.forms:
            form = self.exchange.receive(inbound.sender.value, inbound.text)
            self.forms[inbound.event_id] = form
        if await self.post("in", self.forms[inbound.event_id]) == 200:
            self.known.add(inbound.event_id)

    async def deliver_malformed(self) -> None:
        whole = self.exchange.receive("+33639980001", "heron")
        self.exchange.messages.clear()
        for change in (
            {"To": "+33639980009"},
            {"AccountSid": "AC" + "b" * 32},
            {"MessageSid": ""},
            {"From": "a\x00b"},
            {"Body": "\x00"},
        ):
            assert await self.post("in", {**whole, **change}) == 403

    def acknowledged(self, event_id: str) -> bool:
        return event_id in self.known

    async def retry(self) -> None:
        for event_id, form in self.forms.items():
            if event_id not in self.known and await self.post("fallback", form) == 200:
                self.known.add(event_id)

    def sent(self) -> Sequence[conformance.Sent]:
        return [
            conformance.Sent(
                recipient=one["to"], text=one["body"], reply_id=one["_callback"][-32:] or None
            )
            for one in self.exchange.messages.values()
            if one["direction"] == "outbound-api"
        ]

    def refuse_next(self) -> None:
        self.exchange.faults.append(exchange.Fault(kind="no", status=400, code=21211))

    def wait_next(self) -> None:
        self.exchange.faults.append(exchange.Fault(kind="no", status=429, code=20429))

    def break_next(self) -> None:
        self.exchange.faults.append(exchange.Fault(kind="cut", after=True))

    def hang_next(self) -> None:
        self.exchange.faults.append(exchange.Fault(kind="hang", only="1"))


class TestTwilio(conformance.BridgeConformance):
    harness = Phones
