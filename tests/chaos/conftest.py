from collections.abc import Iterator

import pytest

from tests.chaos import figures as kept
from tests.peers import postgres


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL server; skipped aloud where it is missing."""
    reason = postgres.missing()
    if reason is not None:
        pytest.skip(reason)
    with postgres.running(fsync=True) as made:
        yield made


@pytest.fixture(scope="session")
def figures() -> Iterator[kept.Figures]:
    """Written at the end of the run."""
    made = kept.Figures()
    yield made
    made.write()
