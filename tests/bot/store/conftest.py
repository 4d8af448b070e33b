"""A fresh database on the real PostgreSQL, and a store on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.store import postgres
from tests.fakes import databases
from tests.peers import postgres as peers


@pytest.fixture
async def _on_postgres(server: peers.Cluster) -> AsyncIterator[None]:
    with databases.on(server):
        yield
        await databases.end()


@pytest.fixture
async def url(_on_postgres: None) -> str:
    found = databases.url()
    assert found is not None
    return found


@pytest.fixture
async def store(url: str) -> AsyncIterator[postgres.Store]:
    opened = postgres.Store(url)
    await opened.open()
    yield opened
    await opened.close()
