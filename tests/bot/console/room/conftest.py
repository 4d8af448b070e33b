from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.bot.console.room import floor as building


@pytest.fixture
async def floor() -> AsyncIterator[building.Floor]:
    """Everything as by default, in English."""
    async with asyncio.timeout(60):
        made = await building.opened()
        yield made
        await made.store.close()


@pytest.fixture
async def cautious() -> AsyncIterator[building.Floor]:
    """Every reply is held for a moderator."""
    async with asyncio.timeout(60):
        made = await building.opened(building.held())
        yield made
        await made.store.close()
