"""The bench: a neighbour, a bridge in front of it, and the harnesses of the conformance kit."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

from bot.contract import address, bridge, conformance, messages
from bot.contract.conformance import asgi, fakes
from bridges import signal
from bridges.signal import bridge as signal_bridge
from tests.bridges.signal import envelopes
from tests.bridges.signal.neighbour import Neighbour

SECRET = "0123456789abcdef0123"
HIM = envelopes.aci(1)
MODES = {"webhook": "json-rpc", "websocket": "json-rpc", "polling": "normal"}


def table(url: str, way: str = "webhook", **more: object) -> dict[str, object]:
    """A good `[channels.NAME]` table."""
    return {
        "kind": "signal",
        "number": envelopes.OURS,
        "secret": SECRET,
        "url": url,
        "transport": way,
        "send_limit_s": 1.0,
        "canary": False,
        **more,
    }


def context(
    clock: fakes.FakeClock | None = None, storage: fakes.FakeStorage | None = None
) -> bridge.Context:
    return bridge.Context(
        channel="signal",
        clock=clock or fakes.FakeClock(),
        storage=storage or fakes.FakeStorage(),
        currency="EUR",
    )


@contextlib.asynccontextmanager
async def bench(
    way: str = "webhook", lent: bridge.Context | None = None, **more: object
) -> AsyncIterator[tuple[Neighbour, signal_bridge.Signal]]:
    """A neighbour in the fitting mode and a bridge, both closed at the end."""
    side = Neighbour(MODES[way])
    await side.open()
    made = signal.create(table(side.url, way, **more), lent or context())
    try:
        yield side, made
    finally:
        await made.close()
        await side.close()


def reply(number: int = 1, to: address.Address | None = None) -> messages.OutboundReply:
    clock = fakes.FakeClock()
    return messages.OutboundReply(
        reply_id=f"{number:032x}",
        channel="signal",
        sender=address.Address(address.SIGNAL, envelopes.OURS),
        recipient=to or address.Address(address.SIGNAL, HIM),
        text="Bonjour.",
        valid_until=clock.now(),
    )


async def post(routes: Sequence[bridge.Route], raw: bytes, secret: str = SECRET) -> int:
    """One post of the neighbour's to our webhook; the status it got."""
    (route,) = routes
    json_type = {"content-type": "application/json"}
    answer = await asgi.call(route.app, route.path + secret, body=raw, headers=json_type)
    return answer.status


class RestWorld:
    """Harness; a subclass names the way of receiving."""

    way = "webhook"
    person = address.Address(address.SIGNAL, HIM)
    patience_s = 5.0
    quiet_s = 0.2
    time_limit_s = 1.0

    def __init__(self) -> None:
        self.side = Neighbour(MODES[self.way])

    async def open(self) -> None:
        await self.side.open()

    async def close(self) -> None:
        await self.side.close()

    def settings(self) -> Mapping[str, object]:
        # A send right after another waits within the bridge; a longer gap is test_sends' affair.
        return table(self.side.url, self.way, gap_s=1)

    def create(self, settings: Mapping[str, object], lent: bridge.Context) -> bridge.Bridge:
        return signal.create(settings, lent)

    def event(self, inbound: conformance.Inbound) -> envelopes.Raw:
        return envelopes.text(inbound.sender.value, inbound.text, envelopes.stamp(inbound.event_id))

    def sent(self) -> Sequence[conformance.Sent]:
        return [conformance.Sent(recipient=g.recipient, text=g.text) for g in self.side.ledger]

    def refuse_next(self) -> None:
        self.side.faults.append("unregistered")

    def wait_next(self) -> None:
        self.side.faults.append("limited")

    def break_next(self) -> None:
        self.side.faults.append("cut")

    def hang_next(self) -> None:
        self.side.faults.append("hang first")
