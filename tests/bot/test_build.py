"""What the wiring alone decides."""

import pytest

from bot.contract import address
from bot.policy import settings
from bot.store import tables
from tests.bot.store import rows
from tests.fakes import world

ACI = "0a1b2c3d-0000-4000-8000-00000000000f"


@pytest.mark.parametrize(
    ("network", "listed", "writes"),
    [
        (address.SIGNAL, ACI, ACI),
        (address.SIGNAL, ACI.upper(), ACI),
        (address.MATRIX, "@Us:example.org", "@Us:example.org"),
        (address.SMS, world.phone(1), world.phone(1)),
    ],
)
async def test_an_address_listed_as_ours_is_not_answered_on_any_network(
    network: str, listed: str, writes: str
) -> None:
    way = world.World(network)
    way.network = network
    who = settings.Who(answer_fiction=True, own=frozenset({listed}))
    rooms = await world.rooms(way, core=settings.Core(who=who))
    message = world.message(1, channel=network, sender=address.Address(network, writes))
    await rooms.intake.accept([message])
    (row,) = await rows.rows(rooms.store, tables.inbound)
    assert (row["decision"], row["reason"]) == ("silence", "own_number")
    assert await rows.rows(rooms.store, tables.replies) == []
