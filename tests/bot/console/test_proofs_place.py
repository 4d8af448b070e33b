"""A word proves what it was handed out for: that act, that address, that week, once."""

from __future__ import annotations

import pathlib

import pytest
import sqlalchemy as sa

from bot.console import proofs
from bot.contract import address
from bot.policy import proof
from bot.store import events
from tests.bot.console.house import ANNA, BERT, START_MS, opened

HERS, HIS = 1, 2


@pytest.mark.case("C44")
async def test_a_word_is_good_for_its_act_its_address_its_week_and_once(
    tmp_path: pathlib.Path,
) -> None:
    house = await opened(tmp_path)
    await house.write_in(ANNA)
    await house.write_in(BERT)
    keys = house.keys
    place = proofs.of(keys, [address.Address(address.SMS, ANNA)])
    other = proofs.of(keys, [address.Address(address.SMS, BERT)])
    assert place != other

    def hands_out(tx: sa.Connection) -> None:
        shown = proofs.hand_out(tx, keys, "erase", place=place, now_ms=START_MS, who="tester")
        letters = proof.read(shown)
        assert letters is not None
        told = {"person": HERS, "word": keys.lasting("proof", letters).hex()}
        # She sends it on the sixth day.
        events.append(tx, START_MS + 6 * proofs.LASTS_MS // 7, proofs.KIND, told)

    await house.store.write(hands_out)
    soon, late = START_MS + proofs.LASTS_MS - 1, START_MS + proofs.LASTS_MS

    async def proven(kind: str, where: tuple[str, str], at_ms: int) -> list[int]:
        return await house.store.read(lambda tx: proofs.proven(tx, kind, where, [HERS, HIS], at_ms))

    assert await proven("erase", place, soon) == [HERS]
    assert await proven("export", place, soon) == []
    assert await proven("erase", other, soon) == []
    assert await proven("erase", place, late) == []
    await house.store.write(lambda tx: proofs.used(tx, "erase", place))
    assert await proven("erase", place, soon) == []
    await house.store.close()
