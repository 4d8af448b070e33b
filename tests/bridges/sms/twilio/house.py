"""The real rooms around one Twilio channel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from bot import build
from bot.contract import bridge as contract
from bot.contract import clock, conformance, money
from bot.policy import settings
from bot.store import database, keyvalue, schema, vault
from bridges.sms import twilio
from bridges.sms.twilio import bridge as twilio_bridge
from tests.bridges.sms.twilio import between, exchange

CHANNEL = "sms"
RATE = money.Rate(currency="USD", micros=950_000, dated="2026-11-22")


def core(
    delay_s: tuple[int, int] = (3_600, 6_300), parts_per_second: float | None = None
) -> settings.Core:
    """Numbers of films are answered; dollars have a rate; no caps in the way."""
    return settings.Core(
        reply=settings.Reply(delay_min_s=delay_s[0], delay_max_s=delay_s[1]),
        who=settings.Who(answer_fiction=True),
        budget=settings.Budget(
            rates={"USD": RATE},
            cap_day_micros=None,
            cap_month_micros=None,
            quotas={CHANNEL: settings.Quota(parts_per_second=parts_per_second)},
        ),
    )


@dataclasses.dataclass(kw_only=True)
class House:
    """Rooms, bridge and the way in."""

    rooms: build.Rooms
    bridge: twilio_bridge.Twilio
    apps: Mapping[str, contract.AsgiApp]

    async def take(self, path: str, body: bytes, headers: Mapping[str, str], query: str) -> int:
        """A webhook straight into the bridge's route; the status."""
        kept = {name: value for name, value in headers.items() if name != "content-length"}
        answer = await conformance.call(
            self.apps[path], path, body=body, headers=kept, query=query.encode()
        )
        return answer.status


async def built(
    network: between.Between | str,
    moment: clock.Clock,
    *,
    store: database.Store | None = None,
    told: settings.Core | None = None,
    public: str = "",
    table: Mapping[str, object] | None = None,
) -> House:
    """On a database in memory unless given one, which must be open and made."""
    if store is None:
        store = database.Store(None)
        await store.open()
        await store.write(schema.create)
    base = network if isinstance(network, str) else network.url
    context = contract.Context(
        channel=CHANNEL,
        clock=moment,
        storage=keyvalue.KeyValue(store, CHANNEL),
        currency="EUR",
        public_url=public or base,
    )
    made = twilio.create(exchange.settings(base, **(table or {})), context)
    rooms = build.rooms(
        store=store,
        core=told or core(),
        keys=vault.throwaway(7),
        bridges={CHANNEL: made},
        moment=moment,
    )
    routes = made.routes(rooms.intake)
    return House(rooms=rooms, bridge=made, apps={one.path: one.app for one in routes})
