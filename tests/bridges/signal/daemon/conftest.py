"""The real daemon once a session, a fake one a test, and settings for either."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.peers import signal_cli, signal_cli_fake


@pytest.fixture(autouse=True)
async def _bounded() -> AsyncIterator[None]:
    """No test of this folder hangs: it is cancelled after two minutes."""
    task = asyncio.current_task()
    assert task is not None
    alarm = asyncio.get_running_loop().call_later(120, task.cancel)
    yield
    alarm.cancel()


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[signal_cli.RealDaemon]:
    if reason := signal_cli.why_not():
        pytest.skip(reason)
    # A socket file's path has some hundred bytes at the most, so not below a long name.
    with signal_cli.running(tmp_path_factory.mktemp("cli")) as daemon:
        yield daemon


@pytest.fixture(params=["tcp", "unix"])
async def fake(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[signal_cli_fake.FakeDaemon]:
    path = tmp_path / "s" if request.param == "unix" else None
    async with signal_cli_fake.FakeDaemon(path) as daemon:
        yield daemon
