"""A bridge over a fake phone without the core: its door, clock and storage are the kit's fakes."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import Any

from bot.contract import address, bridge, conformance, messages
from bot.contract.conformance import fakes
from bridges.sms import smsgate
from bridges.sms.smsgate import bridge as smsgate_bridge
from tests.bridges.sms.smsgate import phone

PUBLIC = "https://sms.example.org"


class Stage:
    """One bridge; its storage, clock and door outlive `again`."""

    def __init__(self, gate: phone.Phone, table: Mapping[str, object], public_url: str) -> None:
        self.phone = gate
        self.door = fakes.FakeIntake()
        self.clock = fakes.FakeClock()
        self.storage = fakes.FakeStorage()
        self.context = bridge.Context(
            channel="sms",
            clock=self.clock,
            storage=self.storage,
            currency="EUR",
            public_url=public_url,
        )
        self._table = table
        self.bridge: smsgate_bridge.SmsGate
        self.app: bridge.AsgiApp
        self._make()

    async def again(self) -> None:
        """Close the bridge and make it anew, as a restart does."""
        await self.bridge.close()
        self._make()

    def _make(self) -> None:
        self.bridge = smsgate.create(self._table, self.context)
        (route,) = self.bridge.routes(self.door)
        assert route.path == "/sms/sms/events"
        self.app = route.app

    async def post(self, told: Mapping[str, Any] | bytes, **how: Any) -> conformance.Answer:  # noqa: ANN401
        return await phone.post(self.app, told, **{"at": self.clock.now(), **how})

    def reply(self, text: str = "Bonjour.", *, number: int = 1) -> messages.OutboundReply:
        return messages.OutboundReply(
            reply_id=f"{number:032x}",
            channel="sms",
            sender=address.Address("sms", phone.OURS),
            recipient=address.Address("sms", phone.HIS),
            text=text,
            valid_until=self.clock.now() + dt.timedelta(hours=3),
        )


@contextlib.asynccontextmanager
async def over(
    api: str = "phone", *, public_url: str = PUBLIC, **more: object
) -> AsyncIterator[Stage]:
    """A stage with its phone; both are closed at the end."""
    gate = phone.Phone(api)
    await gate.open()
    try:
        made = Stage(gate, gate.table(**more), public_url)
        try:
            yield made
        finally:
            await made.bridge.close()
    finally:
        await gate.close()
