"""The bridge conformance kit over seven.io on loopback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.contract import address, bridge, conformance
from tests.bridges.sms.seven import gateway


class World:
    """seven.io tells an event again until it is answered."""

    person = address.Address("sms", gateway.HIS)
    patience_s = 5.0
    quiet_s = 0.2
    time_limit_s = 1.0

    def __init__(self) -> None:
        self.gateway = gateway.Gateway()
        self.pending: dict[str, dict[str, Any]] = {}
        self.known: set[str] = set()
        self.app: bridge.AsgiApp | None = None
        self.context: bridge.Context | None = None

    async def open(self) -> None:
        await self.gateway.open()

    async def close(self) -> None:
        await self.gateway.close()

    def settings(self) -> Mapping[str, object]:
        return self.gateway.table(price="0.08", credit_alarm="2")

    def create(self, settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
        self.context = context
        return self.gateway.create(settings, context)

    def mount(self, routes: Sequence[bridge.Route]) -> None:
        (route,) = routes
        self.app = route.app

    async def post(self, told: Mapping[str, Any] | bytes) -> int:
        assert self.app is not None
        assert self.context is not None
        now, name = self.context.clock.now(), self.context.channel
        answer = await gateway.post(self.app, told, channel=name, public_url="", at=now)
        return answer.status

    async def deliver(self, inbound: conformance.Inbound) -> None:
        if inbound.event_id not in self.pending:
            told = gateway.received(
                inbound.text, inbound.event_id, time=str(int(inbound.at.timestamp()))
            )
            self.pending[inbound.event_id] = told
            self.gateway.inbound.append(
                {
                    "id": inbound.event_id,
                    "from": inbound.sender.value.lstrip("+"),
                    "to": gateway.OURS.lstrip("+"),
                    "text": inbound.text,
                    "timestamp": "2026-01-05 13:00:00.000",
                }
            )
        if await self.post(self.pending[inbound.event_id]) == 200:
            self.known.add(inbound.event_id)

    async def deliver_malformed(self) -> None:
        for told in (
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff",
            b"[" * 20_000,
            gateway.received(id=None),
            gateway.received(system="4477"),
            gateway.received(sender="\x00 "),
            gateway.received(sender="\x00"),
            gateway.received(time="soon"),
            {"webhook_event": "dlr", "data": []},
            {"webhook_event": "sms_mo"},
        ):
            assert await self.post(told) == 403

    def acknowledged(self, event_id: str) -> bool:
        return event_id in self.known

    async def retry(self) -> None:
        for event_id in set(self.pending) - self.known:
            if await self.post(self.pending[event_id]) == 200:
                self.known.add(event_id)

    def sent(self) -> Sequence[conformance.Sent]:
        return self.gateway.ledger

    def refuse_next(self) -> None:
        self.gateway.faults.append("code-202")

    def wait_next(self) -> None:
        self.gateway.faults.append("http-429")

    def break_next(self) -> None:
        self.gateway.faults.append("http-502-after")

    def hang_next(self) -> None:
        self.gateway.hangs.add(f"{1:032x}")


class TestSeven(conformance.BridgeConformance):
    harness = World
