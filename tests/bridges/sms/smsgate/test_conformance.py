"""The bridge conformance kit, over the phone's API and over the server's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.contract import address, bridge, conformance
from bridges.sms import smsgate
from tests.bridges.sms.smsgate import phone


class World:
    """A phone whose app keeps an event until it was answered with 200."""

    person = address.Address("sms", phone.HIS)
    patience_s = 5.0
    quiet_s = 0.2
    time_limit_s = 1.0
    api = "phone"

    def __init__(self) -> None:
        self.phone = phone.Phone(self.api)
        self.pending: dict[str, dict[str, Any]] = {}
        self.known: set[str] = set()
        self.app: bridge.AsgiApp | None = None
        self.context: bridge.Context | None = None

    async def open(self) -> None:
        await self.phone.open()

    async def close(self) -> None:
        await self.phone.close()

    def settings(self) -> Mapping[str, object]:
        return self.phone.table(price="0.05", plan="person", confirmed=["rcs"])

    def create(self, settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
        self.context = context
        return smsgate.create(settings, context)

    def mount(self, routes: Sequence[bridge.Route]) -> None:
        (route,) = routes
        self.app = route.app

    async def deliver(self, inbound: conformance.Inbound) -> None:
        if inbound.event_id not in self.pending:
            self._take(inbound)
        await self._post(inbound.event_id)

    def _take(self, inbound: conformance.Inbound) -> None:
        """The app took an SMS: its event says the same however often it is posted."""
        told = phone.received(inbound.text, inbound.event_id, at=inbound.at)
        self.pending[inbound.event_id] = told
        item = {
            "id": f"text:{len(self.phone.inbox)}",
            "type": "SMS",
            "sender": inbound.sender.value,
            "simNumber": 1,
            "contentPreview": inbound.text,
            "createdAt": inbound.at.isoformat(),
        }
        self.phone.inbox.append(item)

    async def _post(self, event_id: str) -> None:
        assert self.app is not None
        assert self.context is not None
        now = self.context.clock.now()
        answer = await phone.post(self.app, self.pending[event_id], at=now)
        if answer.status == 200:
            self.known.add(event_id)

    async def deliver_malformed(self) -> None:
        assert self.app is not None
        assert self.context is not None
        good = phone.received()
        for told in (
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff",
            b"[" * 5_000,
            {**good, "id": ""},
            {**good, "payload": []},
            {**good, "deviceId": "somebody-else"},
            phone.received(sender=5),
            phone.received(sender="\x00"),
            phone.received(simNumber=2),
            {"event": "sms:received"},
        ):
            answer = await phone.post(self.app, told, at=self.context.clock.now())
            assert (answer.status, answer.body) == (403, b"forbidden"), json.dumps(str(told))

    def acknowledged(self, event_id: str) -> bool:
        return event_id in self.known

    async def retry(self) -> None:
        for event_id in set(self.pending) - self.known:
            await self._post(event_id)

    def sent(self) -> Sequence[conformance.Sent]:
        return self.phone.ledger

    def refuse_next(self) -> None:
        self.phone.faults.append("400")

    def wait_next(self) -> None:
        self.phone.faults.append("429")

    def break_next(self) -> None:
        self.phone.faults.append("502-after")

    def hang_next(self) -> None:
        # By id: a send that is cancelled before it asked must not leave it to the one after.
        self.phone.hangs.add(f"{1:032x}")


class ServerWorld(World):
    """The same by way of the server."""

    api = "server"


class TestPhone(conformance.BridgeConformance):
    harness = World


class TestServer(conformance.BridgeConformance):
    harness = ServerWorld
