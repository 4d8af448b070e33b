"""SIGTERM in mid-flood, with phones that take three seconds to answer."""

import functools
from pathlib import Path

import pytest

from tests.e2e import books, crowd, program, truth

SEED = 37
LIMIT_S = 10.0


async def has_deliveries(phones: program.Phones, least: int) -> bool:
    """Whether so many replies reached a phone, though nobody was told so yet."""
    return len((await phones.ledger())["deliveries"]) >= least


@pytest.mark.slow
@pytest.mark.case("C37")
async def test_sigterm_in_mid_flood_finishes_what_is_being_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with program.phones(SEED) as phones:
        # Repeats would be delivered: whoever sends twice is seen.
        await phones.manner(answer_after_s=[3.0, 3.0], drops_repeats=False)
        made = program.Program(tmp_path, phones.url, idempotent=False, delay_s=(1, 1))
        async with program.ended(made) as house:
            await house.start()
            await house.ready()
            async with crowd.writing(house, seed=SEED, clients=6) as people:
                await program.until(
                    "replies in mid-send", functools.partial(has_deliveries, phones, 20)
                )
                code, took_s = await house.terminate(LIMIT_S + 5)
                after = truth.states(books.File(house.database))
                acknowledged = people.acknowledged
                with capsys.disabled():
                    print(f"\nSIGTERM: {took_s:.1f} s, {acknowledged} acknowledged, {after}")  # noqa: T201 (figures)
                assert code == 0, house.said()
                assert took_s < LIMIT_S
                assert after.get("sending", 0) == 0
                assert after.get("unknown", 0) == 0
                assert after["sent"] == len((await phones.ledger())["deliveries"])

                # A second start goes on where the first one stopped.
                await phones.manner(answer_after_s=[0.0, 0.0])
                await house.start()
                await house.ready()
                people.finish()
                await program.until(
                    "the last reply",
                    functools.partial(truth.settled, books.File(house.database)),
                    90,
                )
            code, _ = await house.terminate(LIMIT_S)
            assert code == 0
            told = await truth.read(books.File(house.database), house.key_file, phones)
    truth.check_stored(told, people.messages)
    truth.check_phones(told, people.messages, 1)
    truth.check_replies(told)
    truth.check_money(told)
    assert set(told.states) <= {"sent", "cancelled"}
