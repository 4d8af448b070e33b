"""kill -9 at random moments while people write; the phones' own ledger says what got through.

ANTIRELOU_KILL_ROUNDS and ANTIRELOU_KILL_SEED change how long it takes and repeat a run. The long
loop, on both databases, is `make crash`.
"""

import os
import random
from pathlib import Path

import pytest

from tests.e2e import kills

ROUNDS = int(os.environ.get("ANTIRELOU_KILL_ROUNDS") or 50)
SEED = int(os.environ.get("ANTIRELOU_KILL_SEED") or random.SystemRandom().randrange(1 << 32))


async def looped(folder: Path, plan: kills.Plan, capsys: pytest.CaptureFixture[str]) -> kills.Run:
    run = await kills.killed(folder, plan)
    with capsys.disabled():
        print(f"\n{run}")  # noqa: T201 (the figures are what these tests are asked for)
    kills.check(run)
    return run


@pytest.mark.slow
@pytest.mark.case("C01", "C02")
async def test_killed_at_any_moment_nothing_is_lost_and_nobody_answered_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = kills.Plan(seed=SEED, rounds=ROUNDS, idempotent=True, cap_day="10000")
    run = await looped(tmp_path, plan, capsys)
    assert run.truth.deliveries


@pytest.mark.slow
@pytest.mark.case("C03", "C06")
async def test_killed_between_acceptance_and_record_it_is_unknown_and_never_sent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = kills.Plan(seed=SEED, rounds=max(4, ROUNDS // 6), idempotent=False, cap_day="1")
    run = await looped(tmp_path, plan, capsys)
    assert run.truth.deliveries
