from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import pytest

from tests.bot.console import house as building


@pytest.fixture
async def house(tmp_path: pathlib.Path) -> AsyncIterator[building.House]:
    """Every reply is held for a moderator."""
    made = await building.opened(tmp_path)
    yield made
    await made.store.close()
