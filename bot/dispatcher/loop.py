"""Due replies: claim -> decide again -> route -> reserve -> commit -> send -> record.

The claim, the decision and the reservation are one transaction; the send comes after its
commit; what came of it is another. A kill between the two leaves `sending`, which the janitor
turns into `unknown`: never into a second send.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from bot import outbox
from bot.contract import bridge, clock, outcomes
from bot.dispatcher import claim as claiming
from bot.dispatcher import jumps, torn
from bot.dispatcher import record as recording
from bot.policy import settings
from bot.policy.flood import snapshot
from bot.store import database, events, vault

_log = structlog.get_logger(__name__)

BATCH: Final = 200
# A bridge has its own, shorter limit; past this one nobody knows what happened.
SEND_LIMIT_S: Final = 60.0
_POLL_S: Final = 0.25
RETRY_S: Final = 1.0
_REPAIR_S: Final = 5.0


class Dispatcher:
    """Sends what is due. `fed`: whether the supervisor lets a channel be fed."""

    def __init__(
        self,
        *,
        store: database.Store,
        core: settings.Core,
        keys: vault.Vault,
        bridges: Mapping[str, bridge.Bridge],
        moment: clock.Clock,
        fed: Callable[[str], bool] = lambda _channel: True,
        flood: Callable[[], snapshot.Snapshot] = lambda: snapshot.CALM,
    ) -> None:
        """Nothing is claimed yet."""
        self._store = store
        self._clock = moment
        self._bridges = bridges
        self._plan = claiming.Plan(core=core, keys=keys, bridges=bridges, fed=fed, flood=flood)
        self._core = core
        self._jumps = jumps.Jumps(moment)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look again at once."""
        self._woken.set()

    async def step(self) -> int:
        """One round: everything due now, up to a batch. Returns how many replies it moved."""
        jump_s = self._jumps.look()
        now_ms = clock.to_ms(self._clock.now())
        if jump_s is not None:
            _log.warning("clock_jumped", seconds=round(jump_s))
            data = {"seconds": round(jump_s)}
            await self._store.write(lambda tx: events.append(tx, now_ms, "clock_jump", data))
        if self._jumps.settling:
            return 0
        due_ms = await self._store.read(outbox.next_due)
        if due_ms is None or due_ms > now_ms:
            return 0
        work = functools.partial(claiming.claim, plan=self._plan, now_ms=now_ms, limit=BATCH)
        claimed = await self._store.write(work)
        if claimed.sends:
            await self._send(claimed.sends)
        return claimed.moved

    async def repair(self) -> int:
        """Make torn sends again where that is certain to reach him once; how many."""
        now_ms = clock.to_ms(self._clock.now())
        work = functools.partial(torn.take, plan=self._plan, now_ms=now_ms, limit=BATCH)
        claims = await self._store.write(work)
        if claims:
            await self._send(claims)
        return len(claims)

    async def _send(self, claims: Sequence[claiming.Claim]) -> None:
        """Send at once what was claimed, record as results come in, many in one transaction."""
        names = {asyncio.create_task(self._one(claim)): claim for claim in claims}
        waiting = set(names)
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                await self._record([(names[task], task.result()) for task in done])
        finally:
            for task in waiting:
                task.cancel()

    async def _one(self, claim: claiming.Claim) -> outcomes.Outcome | None:
        """The outcome, None if a pause came first and nothing was sent."""
        try:
            controls = await self._store.read(events.controls)
        except database.StoreAwayError:
            return None
        if claiming.paused(controls, claim.channel, clock.to_ms(self._clock.now())):
            return None
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                return await self._bridges[claim.channel].send(claim.outbound)
        except Exception as error:  # noqa: BLE001 (the named edge)
            # A bridge that raises has broken its contract: it may have gone out.
            _log.warning("send_raised", channel=claim.channel, error=type(error).__name__)
            return outcomes.Unknown(reason=type(error).__name__)

    async def _record(self, results: list[tuple[claiming.Claim, outcomes.Outcome | None]]) -> None:
        """Until it is written: what a provider accepted must not be forgotten."""
        while True:
            now_ms = clock.to_ms(self._clock.now())
            work = functools.partial(
                recording.record, results=results, core=self._core, now_ms=now_ms
            )
            try:
                await self._store.write(work)
            except database.StoreAwayError:
                _log.warning("record_waits", replies=len(results))
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def run(self, stop: asyncio.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is set; a round that began is finished, so that nothing is unknown."""
        repaired_s = float("-inf")
        while not stop.is_set():
            beat()
            try:
                moved = await self.step()
                if time.monotonic() - repaired_s >= _REPAIR_S:
                    moved += await self.repair()
                    repaired_s = time.monotonic()
            except database.StoreAwayError as error:
                _log.warning("store_away", error=str(error))
                moved = 0
            if moved == 0:
                await self._rest(stop)

    async def _rest(self, stop: asyncio.Event) -> None:
        """A quarter of a second, less if woken or stopped."""
        self._woken.clear()
        waits = [asyncio.create_task(e.wait()) for e in (stop, self._woken)]
        await asyncio.wait(waits, timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
