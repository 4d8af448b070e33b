"""What another worker changes between our look and our write is never overwritten."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from bot.contract import address
from bot.inbox import door, fold, load, merge, save, state
from bot.store import database, tables
from tests.bot.store import rows

PHONE = "+33639981231"


@dataclasses.dataclass(kw_only=True)
class House:
    store: database.Store
    context: state.Context

    async def take(self, *batch: object) -> None:
        await self.context.ids.top_up(self.store, 16)
        await self.store.write(
            lambda tx: door.take_in(tx, self.context, batch, rows.NOW_MS)  # type: ignore[arg-type]
        )


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with rows.memory() as store:
        yield House(store=store, context=rows.context())


CHANGES = {
    "the window": {"blocked_until_ms": 7},
    "the wish": {"opted_out_ms": 7},
    "the person": {"merged_into": 99},
}


@pytest.mark.case("C06", "C49")
@pytest.mark.parametrize("what", CHANGES)
async def test_a_person_who_changed_meanwhile_is_not_written_over(house: House, what: str) -> None:
    await house.take(rows.message("a", sender=PHONE))
    await house.context.ids.top_up(house.store, 16)
    second = rows.message("b", sender=PHONE, at_s=5)
    faster = sa.update(tables.persons).values(CHANGES[what])
    seen: list[str] = []

    def work(tx: sa.Connection) -> None:
        items = load.items(house.context, [second], rows.NOW_MS)
        known = load.known(tx, items)
        written, _ = fold.fold(house.context, items, known, house.context.ids.take)
        tx.execute(faster)
        # Seen inside: the store would run the work again until it gives up.
        try:
            save.folded(tx, house.context, known, written, rows.NOW_MS)
        except database.ConflictError:
            seen.append("conflict")

    await house.store.write(work)
    assert seen == ["conflict"]


@pytest.mark.case("C48")
@pytest.mark.parametrize("what", CHANGES)
async def test_persons_who_changed_meanwhile_are_not_joined(house: House, what: str) -> None:
    await house.take(rows.message("a", sender=PHONE))
    await house.take(rows.message("b", sender="aci-1", network="signal", at_s=1))
    both = rows.message(
        "c",
        sender="aci-1",
        network="signal",
        at_s=2,
        aliases=(address.Address(address.SMS, PHONE),),
    )
    faster = sa.update(tables.persons).values(CHANGES[what])
    seen: list[str] = []

    def work(tx: sa.Connection) -> None:
        items = load.items(house.context, [both], rows.NOW_MS)
        owners = load.known(tx, items).owners(items[0])
        assert len(owners) == 2
        tx.execute(faster)
        try:
            merge.join(tx, owners, rows.NOW_MS)
        except database.ConflictError:
            seen.append("conflict")

    await house.store.write(work)
    assert seen == ["conflict"]


@pytest.mark.case("C12", "C14")
@pytest.mark.parametrize("network", ["signal", "matrix"])
async def test_an_account_of_ours_is_not_answered_on_any_network(
    house: House, network: str
) -> None:
    own = frozenset({(network, "ours")})
    house.context = dataclasses.replace(house.context, own=own)
    await house.take(rows.message("a", sender="ours", network=network))
    assert await rows.rows(house.store, tables.replies) == []
    (stored,) = await rows.rows(house.store, tables.inbound)
    assert (stored["decision"], stored["reason"]) == ("silence", "own_number")
    await house.take(rows.message("b", sender="somebody", network=network))
    assert len(await rows.rows(house.store, tables.replies)) == 1
