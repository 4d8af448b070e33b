"""Health as `/health` tells it: bridges, workers, and the chores within the workers.

A worker that beats while each of its chores fails is alive and of no use, so each chore and the
flood's look have an age and a rule of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from bot import janitor
from bot.contract import clock
from bot.flood import look
from bot.store import database

LOOK: Final = "flood_look"
# Six of its rounds in the running program; until then the last snapshot is still a good guess.
LOOK_LATE_S: Final = 60.0
# Six of their signs of life.
SENDERS: Final = "senders"
SENDERS_LATE_S: Final = 60.0


class Report:
    """Joins what the supervisor says with what ran when."""

    def __init__(
        self,
        *,
        supervised: Callable[[], Awaitable[Mapping[str, object]]],
        beats: Callable[[], Mapping[str, float]],
        chores: janitor.Janitor | None,
        flood: look.Flood,
        moment: clock.Clock,
        senders: Callable[[], Awaitable[Mapping[str, float]]] | None = None,
        store: Callable[[], Mapping[str, object]] = lambda: {"ok": True},
    ) -> None:
        """`beats`: seconds since each worker's last. `moment`: the clock that chores go by.

        `chores` None: other processes keep house and send; `senders` says how long ago each of
        them gave a sign of life. `store`: whether the database takes what is written.
        """
        self._supervised, self._beats = supervised, beats
        self._chores, self._flood, self._clock = chores, flood, moment
        self._senders = senders
        self._store = store
        self._started_ms = clock.to_ms(moment.now())

    def ages(self) -> dict[str, float]:
        """Seconds since each worker, each chore and the flood's look last ran."""
        return {**self._beats(), **self._chore_ages(), LOOK: self._look_age_s()}

    async def tell(self) -> Mapping[str, object]:
        """The supervisor's word with `chores` and `late`; not `ok` while anything is late."""
        told: dict[str, Any] = dict(await self._supervised())
        late = self._late()
        failures = self._chores.failures if self._chores else {}
        if self._senders is not None:
            alive = await self._alive(self._senders)
            told["senders"] = alive
            late += [] if alive else [SENDERS]
        told["chores"] = {
            name: {"age_s": round(age_s, 1), "failures": failures.get(name, 0)}
            for name, age_s in {**self._chore_ages(), LOOK: self._look_age_s()}.items()
        }
        told["late"] = late
        told["store"] = store = self._store()
        told["ok"] = told.get("ok") is True and not late and store["ok"] is True
        return told

    def _late(self) -> list[str]:
        # The demo's hurried hours say nothing about what hangs.
        if isinstance(self._clock, clock.LapseClock):
            return []
        looked = [LOOK] if self._look_age_s() > LOOK_LATE_S else []
        return [*(self._chores.late() if self._chores else ()), *looked]

    def _chore_ages(self) -> dict[str, float]:
        return self._chores.ages() if self._chores else {}

    async def _alive(self, senders: Callable[[], Awaitable[Mapping[str, float]]]) -> int:
        """How many processes that send gave a sign of life lately."""
        try:
            ages = await senders()
        except database.StoreAwayError:
            return 0
        return sum(age_s <= SENDERS_LATE_S for age_s in ages.values())

    def _look_age_s(self) -> float:
        last_ms = self._flood.snapshot.at_ms or self._started_ms
        return (clock.to_ms(self._clock.now()) - last_ms) / 1000
