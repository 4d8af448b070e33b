"""The store's suites, and those of all that stands on it, run on both databases.

Nothing in a test says which: `rows.memory` and `world.rooms` open what `tests.fakes.databases`
was told to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.fakes import databases
from tests.peers import postgres

BOTH = (
    "tests.bot.console.room.test_killed",
    "tests.bot.dispatcher.",
    "tests.bot.inbox.",
    "tests.bot.store.test_ids",
    "tests.bot.store.test_prepared",
    "tests.bot.test_janitor",
    "tests.bot.test_ledger",
    "tests.bot.test_outbox",
    "tests.bot.test_receipts",
)
# Of those: what opens a SQLite file itself, and what would take PostgreSQL half a minute and is
# about policy.
BUT = (
    "tests.bot.dispatcher.test_pause",
    "tests.bot.inbox.test_door",
    "tests.bot.test_janitor_opinions",
)
SQLITE, POSTGRESQL = "sqlite", "postgresql"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of these modules once a database; `sqlite_only` says why one is not."""
    name = metafunc.module.__name__
    if not name.startswith(BOTH) or name.startswith(BUT):
        return
    kinds = [
        kind
        for kind, without in ((SQLITE, "postgresql_only"), (POSTGRESQL, "sqlite_only"))
        if metafunc.definition.get_closest_marker(without) is None
    ]
    metafunc.parametrize("database_kind", kinds, indirect=True)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Cluster]:
    """One PostgreSQL for the whole run, without fsync: its crashes are tested elsewhere."""
    reason = postgres.missing()
    if reason is not None:
        pytest.skip(reason)
    with postgres.running() as cluster:
        databases.prepare(cluster)
        yield cluster


@pytest.fixture
async def _stores_end(server: postgres.Cluster) -> AsyncIterator[None]:
    """In the test's own loop, where their connections live."""
    yield
    await databases.end()


@pytest.fixture(autouse=True)
def database_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which database this test's stores are in."""
    kind: str = getattr(request, "param", SQLITE)
    if kind == SQLITE:
        yield kind
        return
    with databases.on(request.getfixturevalue("server")):
        request.getfixturevalue("_stores_end")
        yield kind
