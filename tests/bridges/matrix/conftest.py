"""One homeserver for all tests of this folder; each test has accounts and rooms of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers import synapse


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[synapse.Synapse]:
    """A Synapse without rate limits; skips where there is none."""
    with synapse.start(tmp_path_factory.mktemp("synapse")) as made:
        yield made


@pytest.fixture(scope="session")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[synapse.Synapse]:
    """A Synapse with its own default rate limits."""
    with synapse.start(tmp_path_factory.mktemp("limited"), limited=True) as made:
        yield made
