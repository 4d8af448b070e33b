"""One bridge to seven in its rooms, and its gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.bridges.sms.seven import gateway, place


@pytest.fixture
async def here() -> AsyncIterator[place.Here]:
    made = gateway.Gateway()
    await made.open()
    found = place.Here(made)
    yield found
    for one in found.houses:
        await one.close()
    await found.bridge.close()
    await made.close()
