import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from bot.web import places

_ASKS = """
import resource
from bot.web import places
print(places.fit({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def fitted(soft: int, hard: int, wanted: int) -> tuple[int, int]:
    """What a process with these limits says: connections, and its limit afterwards."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    told = _run(_ASKS.format(wanted=wanted), limited).split()
    return int(told[0]), int(told[1])


def _run(program: str, before: Callable[[], None]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=before,
    )
    return done.stdout


@pytest.mark.case("C11")
def test_the_usual_limit_is_raised_so_that_all_connections_fit() -> None:
    assert fitted(1_024, 4_096, 1_100) == (1_100, 1_100 + places.KEPT)


@pytest.mark.case("C11")
def test_where_it_may_not_be_raised_there_are_fewer_connections() -> None:
    assert fitted(512, 512, 1_100) == (512 - places.KEPT, 512)


def test_a_high_limit_is_left_alone() -> None:
    assert fitted(3_000, 4_000, 1_100) == (1_100, 3_000)
    endless = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert places.fit(1_100, ask=lambda _what: endless) == 1_100
    assert places.within(1_100, 100) == places.LEAST


def test_a_sandbox_that_forbids_to_ask_or_to_raise_keeps_nobody_from_starting() -> None:
    def refused(*_told: object) -> None:
        raise PermissionError

    def no_answer(_what: int) -> tuple[int, int]:
        raise PermissionError

    assert places.fit(1_100, ask=no_answer) == 1_024 - places.KEPT
    assert places.fit(1_100, ask=lambda _what: (512, 4_096), change=refused) == 512 - places.KEPT
