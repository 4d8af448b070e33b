"""kill -9 at random moments while people write; the phones' own ledger says what got through.

ANTIRELOU_KILL_ROUNDS and ANTIRELOU_KILL_SEED change how long it takes and repeat a run.
"""

import dataclasses
import os
import random
from pathlib import Path

import pytest

from bot.policy import decision
from tests.e2e import crowd, program, truth

ROUNDS = int(os.environ.get("ANTIRELOU_KILL_ROUNDS") or 50)
SEED = int(os.environ.get("ANTIRELOU_KILL_SEED") or random.SystemRandom().randrange(1 << 32))
CLIENTS = 6
DELAY_S = (1, 2)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run of kills is checked by."""

    crowd: crowd.Crowd
    truth: truth.Truth
    kills: int
    torn: int

    def __str__(self) -> str:
        """The figures, one line."""
        told, people = self.truth, self.crowd
        return (
            f"seed {SEED}: {self.kills} kills, {people.acknowledged} messages acknowledged, "
            f"{people.resent} sent again unacknowledged, {people.repeated} repeats acknowledged, "
            f"{len(told.deliveries)} replies on phones, {told.repeats} repeats dropped there, "
            f"{self.torn} sends torn by a kill, states {dict(told.states)}"
        )


async def killed(folder: Path, rounds: int, *, idempotent: bool, cap_day: str) -> Run:
    """Start and kill, again and again; then let it finish its work and end it."""
    draw = random.Random(SEED)
    torn = 0
    async with program.phones(SEED) as phones:
        # Phones that dawdle: most kills find replies that arrived and were not recorded yet.
        dawdle_s = 0.15 if idempotent else 0.4
        await phones.manner(answer_after_s=[0.0, dawdle_s], drops_repeats=idempotent)
        made = program.Program(
            folder, phones.url, idempotent=idempotent, delay_s=DELAY_S, cap_day=cap_day
        )
        async with (
            program.ended(made) as house,
            crowd.writing(house, seed=SEED, clients=CLIENTS) as people,
        ):
            for _ in range(rounds):
                await house.start()
                # One kill in five comes at any time from the very start, in mid-start-up.
                if draw.random() < 0.8:
                    await house.ready()
                await house.runs_for(draw.uniform(0.005, 0.8))
                await house.kill()
                torn += truth.let_leases_end(house.database)
            await house.start()
            await house.ready()
            people.finish()
            await program.until("the last reply", lambda: truth.settled(house.database), 90)
            code, _ = await house.terminate(20)
        assert code == 0
        assert not people.odd, people.odd[:3]
        return Run(crowd=people, truth=await truth.read(house, phones), kills=rounds, torn=torn)


@pytest.mark.slow
@pytest.mark.case("C01", "C02")
async def test_killed_at_any_moment_nothing_is_lost_and_nobody_answered_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await killed(tmp_path, ROUNDS, idempotent=True, cap_day="10000")
    with capsys.disabled():
        print(f"\n{run}")  # noqa: T201 (the figures are what this test is asked for)
    truth.check_stored(run.truth, run.crowd.messages)
    truth.check_phones(run.truth, run.crowd.messages, DELAY_S[0])
    truth.check_replies(run.truth)
    truth.check_money(run.truth)
    # Phones that drop repeats let a torn send be tried again, unless it was torn every time, or
    # he wrote STOP meanwhile: it may be out, so it is not cancelled and not made again.
    assert set(run.truth.states) <= {"sent", "cancelled", "unknown"}
    unsure = [r for r in run.truth.replies.values() if r["state"] == "unknown"]
    worn = [row for row in unsure if row["attempts"] >= decision.ATTEMPTS]
    left = [row for row in unsure if row["opted_out_ms"] is not None]
    assert len({row["id"] for row in worn + left}) == len(unsure)
    assert run.torn
    assert run.truth.repeats


@pytest.mark.slow
@pytest.mark.case("C03", "C06")
async def test_killed_between_acceptance_and_record_it_is_unknown_and_never_sent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cap_micros = 1_000_000
    rounds = max(4, ROUNDS // 6)
    run = await killed(tmp_path, rounds, idempotent=False, cap_day=str(cap_micros // 1_000_000))
    with capsys.disabled():
        print(f"\n{run}")  # noqa: T201 (as above)
    truth.check_stored(run.truth, run.crowd.messages)
    truth.check_phones(run.truth, run.crowd.messages, DELAY_S[0])
    truth.check_replies(run.truth)
    truth.check_money(run.truth)
    assert run.torn
    assert run.truth.states["unknown"] == run.torn
    assert run.truth.repeats == 0
    assert set(run.truth.states) <= {"sent", "cancelled", "unknown", "held"}
    days = {s: n for s, n in run.truth.caps.items() if s.startswith("day:")}
    assert all(n <= cap_micros for n in days.values()), days
    # The cap did bind; at midnight it may have been filled a second time.
    assert run.truth.states["held"] or len(days) > 1
