"""A Twilio of our own for each test, and the contracts of the real one where they are."""

from collections.abc import AsyncIterator

import pytest

from tests.bridges.sms.twilio import bench, exchange


@pytest.fixture
async def world() -> AsyncIterator[exchange.Exchange]:
    """An exchange over HTTP on loopback."""
    made = exchange.Exchange()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def on(world: exchange.Exchange) -> AsyncIterator[bench.Bench]:
    """A bridge that talks to it, both by one virtual clock."""
    made = bench.Bench(base=world.url)
    world.now = made.clock.now
    yield made
    await made.bridge.close()
