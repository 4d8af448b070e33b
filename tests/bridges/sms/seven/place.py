"""The bridge, its gateway and its rooms, for the tests of seven."""

from __future__ import annotations

import datetime as dt
from typing import Any

from bot.contract import address, bridge, conformance, messages
from bot.contract.conformance import fakes
from tests.bridges.sms.seven import gateway
from tests.bridges.sms.smsgate import house

NOW = fakes.NOON


OWN = (bridge.OwnAddress(address=address.Address("sms", gateway.OURS)),)


class Here:
    """seven.io, and a bridge to it over the kit's fakes."""

    def __init__(self, made: gateway.Gateway) -> None:
        self.gateway = made
        self.door = fakes.FakeIntake()
        self.context = bridge.Context(
            channel="sms",
            clock=fakes.FakeClock(),
            storage=fakes.FakeStorage(),
            currency="EUR",
            public_url="https://sms.example.org",
        )
        self.bridge = made.create(made.table(), self.context)
        (self.route,) = self.bridge.routes(self.door)
        self.houses: list[house.House] = []

    async def post(self, told: dict[str, Any] | bytes, **how: Any) -> conformance.Answer:  # noqa: ANN401
        return await gateway.post(self.route.app, told, **how)

    async def rooms(self, limit_s: float = 1.0) -> house.House:
        table = self.gateway.table()
        made = await house.around(lambda context: self.gateway.create(table, context, limit_s))
        self.houses.append(made)
        return made


def reply(text: str = "Bonjour.", number: int = 1) -> messages.OutboundReply:
    return messages.OutboundReply(
        reply_id=f"{number:032x}",
        channel="sms",
        sender=OWN[0].address,
        recipient=address.Address("sms", gateway.HIS),
        text=text,
        valid_until=NOW + dt.timedelta(minutes=90),
    )
