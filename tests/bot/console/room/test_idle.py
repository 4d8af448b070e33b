"""A room in which nothing happens costs reads only: writers stand in line behind one another."""

from __future__ import annotations

from typing import TypeVar

from bot.store import database, schema
from tests.bot.console.room import floor as building
from tests.bot.console.room.hosting import CLEO

T = TypeVar("T")
LOOKS = 200


class Counted(database.Store):
    """Counts the transactions that may write."""

    def __init__(self) -> None:
        super().__init__(None)
        self.writes = 0

    async def write(self, work: database.Work[T], *, together: bool = False) -> T:
        self.writes += 1
        return await super().write(work, together=together)


async def quiet() -> tuple[Counted, building.Floor]:
    """A room that has said what it had to say, a moment after its look around."""
    store = Counted()
    await store.open()
    await store.write(schema.create)
    floor = await building.opened(store=store)
    await floor.passes(seconds=61)
    await floor.step()
    return store, floor


async def test_an_idle_look_writes_nothing() -> None:
    store, floor = await quiet()
    before = store.writes
    for _ in range(LOOKS):
        assert await floor.desk.step() == 0
        await floor.passes(seconds=0.25)
    assert store.writes == before
    # It is awake all the same: what falls due by the clock alone, and what happened, are told.
    await floor.passes(seconds=61)
    await floor.desk.step()
    assert store.writes == before + 1
    await store.close()


async def test_what_falls_due_in_a_quiet_room_is_done() -> None:
    store, floor = await quiet()
    await floor.writes(1, "je veux mourir")
    await floor.step()
    (asked,) = [one for one in floor.room.shown if "distress" in one.plain]
    code = asked.plain[: asked.plain.index(":")].split()[-1]
    shown = await floor.ask(CLEO, f"!read {code}")
    assert "mourir" in shown.plain
    # Between two looks around, by the clock alone.
    await floor.passes(seconds=299)
    await floor.step()
    early = shown.withdrawn
    await floor.passes(seconds=2)
    assert await floor.desk.step()
    await floor.step()
    assert (early, shown.withdrawn) == (False, True)
    await store.close()
