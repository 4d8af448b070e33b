"""What the tests of the dispatcher look at: states of replies, money in use."""

from __future__ import annotations

from bot import build, ledger, outbox
from bot.policy import settings

ANSWERED = settings.Who(answer_fiction=True)


def core(**budget: object) -> settings.Core:
    return settings.Core(who=ANSWERED, budget=settings.Budget(**budget))  # type: ignore[arg-type]


async def states(rooms: build.Rooms) -> dict[str, int]:
    counts = await rooms.store.read(outbox.counts)
    return {state: n for state, n in counts.items() if n}


async def used(rooms: build.Rooms, scope: str = "day:2026-11-22") -> int:
    return await rooms.store.read(lambda tx: ledger.used(tx, scope))
