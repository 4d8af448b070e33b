"""Due replies: claim -> decide again -> route -> reserve -> commit -> send -> record.

The claim, the decision and the reservation are one transaction; the send comes after its
commit; what came of it is another. A kill between the two leaves `sending`, which the janitor
turns into `unknown`: never into a second send.
"""

from __future__ import annotations

import asyncio
import collections
import functools
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog

from bot import outbox
from bot.contract import address, bridge, clock, messages, outcomes
from bot.dispatcher import claim as claiming
from bot.dispatcher import jumps, moves, savings, torn
from bot.dispatcher import record as recording
from bot.policy import settings
from bot.policy.flood import snapshot
from bot.store import database, events, vault

_log = structlog.get_logger(__name__)

BATCH: Final = 200
ROUNDS: Final = 4
"""Of each channel: one whose provider hangs holds up its own replies, till the send limit."""
# A bridge has its own, shorter limit; past this one nobody knows what happened.
SEND_LIMIT_S: Final = 60.0
_POLL_S: Final = 0.25
RETRY_S: Final = 1.0
# Meeting others so often is no chance any more: the results themselves contradict the database.
_AGAINST: Final = 5
_REPAIR_S: Final = 5.0
_NOTHING: Final = claiming.Claimed(moved=0)


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
        self._plan = claiming.Plan(
            core=core,
            keys=keys,
            bridges=bridges,
            fed=fed,
            flood=flood,
            pace=moves.Pace(core.budget.quotas),
            savings=savings.Savings(core.budget),
            ask=_ask,
        )
        self._core = core
        self._jumps = jumps.Jumps(moment)
        self._beat: Callable[[], None] = lambda: None
        self._rounds: dict[asyncio.Task[None], str] = {}
        self._claims = asyncio.Lock()
        self._asked: asyncio.Task[Mapping[str, str]] | None = None

    async def step(self) -> int:
        """One whole round: everything due now, up to a batch; how many replies it moved.

        Rounds beside each other claim one after the other, as in `run`: each claim looks at every
        row that another one holds just then.
        """
        async with self._claims:
            claimed = await self._claim()
        if claimed.sends:
            await self._send(claimed.sends)
        return claimed.moved

    async def _claim(self) -> claiming.Claimed:
        jump_s = self._jumps.look()
        now_ms = clock.to_ms(self._clock.now())
        if jump_s is not None:
            _log.warning("clock_jumped", seconds=round(jump_s))
            data = {"seconds": round(jump_s)}
            await self._store.write(lambda tx: events.append(tx, now_ms, "clock_jump", data))
        if self._jumps.settling:
            return _NOTHING
        due_ms = await self._store.read(outbox.next_due, short=True)
        if due_ms is None or due_ms > now_ms:
            return _NOTHING
        self._plan.pace.full = self._full()
        work = functools.partial(claiming.claim, plan=self._plan, now_ms=now_ms, limit=BATCH)
        return await self._store.write(work, together=True)

    async def repair(self) -> int:
        """Make torn sends again where that is certain to reach him once; how many."""
        claims = await self._torn()
        if claims:
            await self._send(claims)
        return len(claims)

    async def _torn(self) -> list[claiming.Claim]:
        now_ms = clock.to_ms(self._clock.now())
        work = functools.partial(torn.take, plan=self._plan, now_ms=now_ms, limit=BATCH)
        return await self._store.write(work, together=True)

    async def _send(self, claims: Sequence[claiming.Claim]) -> None:
        """Send at once what was claimed, record as results come in, many in one transaction."""
        go = claims if self._store.inline else await self._may_go(claims)
        # All begin in the turn of the loop in which the answer came.
        names = {asyncio.create_task(self._one(claim)): claim for claim in go}
        going = {claim.id for claim in go}
        stayed: list[recording.Result] = [(c, None) for c in claims if c.id not in going]
        waiting = set(names)
        # One timer for all of them: one each would be a tenth of what a send costs here.
        limit = asyncio.get_running_loop().call_later(SEND_LIMIT_S, _cut, tuple(names))
        try:
            if stayed:
                # Not with what comes back first, which may take as long as a send may.
                await self._record(stayed)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                await self._record([(names[task], _outcome(names[task], task)) for task in done])
        finally:
            limit.cancel()
            _cut(waiting)

    async def _may_go(self, claims: Sequence[claiming.Claim]) -> Sequence[claiming.Claim]:
        """Those that no pause holds back; it is read now, and they are sent at once."""
        try:
            controls = await self._controls()
        except database.StoreAwayError:
            return ()
        now_ms = clock.to_ms(self._clock.now())
        channels = {claim.channel for claim in claims}
        shut = {name for name in channels if claiming.paused(controls, name, now_ms)}
        # A process that was stopped for long wakes up here: its sends are others' by now.
        return [c for c in claims if c.channel not in shut and now_ms < c.lease_until_ms]

    async def _one(self, claim: claiming.Claim) -> outcomes.Outcome | None:
        # In memory a reading costs next to nothing, so that each send has its own.
        if self._store.inline and not await self._may_go([claim]):
            return None
        try:
            return await self._bridges[claim.channel].send(claim.outbound)
        except Exception as error:  # noqa: BLE001 (the named edge)
            # A bridge that raises has broken its contract: it may have gone out.
            _log.warning("send_raised", channel=claim.channel, error=type(error).__name__)
            return outcomes.Unknown(reason=type(error).__name__)

    async def _controls(self) -> Mapping[str, str]:
        """What moderators set, read after it was asked for; who asks at once shares a reading."""
        if self._store.inline:
            return await self._store.read(events.controls, short=True)
        if self._asked is None:
            self._asked = asyncio.create_task(self._read_controls())
        return await asyncio.shield(self._asked)

    async def _read_controls(self) -> Mapping[str, str]:
        # Rounds that ask in one turn of the loop share one reading.
        await asyncio.sleep(0)
        self._asked = None
        return await self._store.read(events.controls, short=True)

    async def _record(self, results: list[recording.Result]) -> None:
        """Until it is written: what a provider accepted must not be forgotten."""
        against = 0
        while True:
            now_ms = clock.to_ms(self._clock.now())
            work = functools.partial(
                recording.record, results=results, core=self._core, now_ms=now_ms
            )
            try:
                await self._store.write(work, together=True)
            except database.StoreAwayError as error:
                against += isinstance(error, database.AgainstError)
                if against == _AGAINST:
                    await self._record_apart(results, error)
                    return
                _log.warning("record_waits", replies=len(results))
                self._beat()
                await asyncio.sleep(RETRY_S)
            except Exception as error:  # noqa: BLE001 (the named edge)
                await self._record_apart(results, error)
                return
            else:
                return

    async def _record_apart(self, results: list[recording.Result], error: Exception) -> None:
        """One result cannot be written as it is: the others are, and it counts as unknown."""
        _log.warning("result_refused", replies=len(results), error=type(error).__name__)
        for claim, outcome in results:
            alone = [(claim, outcome)]
            if len(results) == 1:
                if isinstance(outcome, outcomes.Unknown):
                    # Not even that can be written: its lease ends, and the janitor makes it so.
                    return
                alone = [(claim, outcomes.Unknown(reason=type(error).__name__))]
            await self._record(alone)

    async def run(self, stop: asyncio.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is set; rounds that began are finished, so that nothing is unknown.

        A round goes on by itself while the next is claimed, so that one slow send holds up
        nobody else; ROUNDS bounds how many are under way on each channel.
        """
        self._beat = beat
        repaired_s = float("-inf")
        while not stop.is_set():
            beat()
            moved = 0
            try:
                if len(self._full()) < len(self._bridges):
                    claimed = await self._claim()
                    moved = claimed.moved
                    self._begin(claimed.sends)
                if time.monotonic() - repaired_s >= _REPAIR_S:
                    self._begin(await self._torn())
                    repaired_s = time.monotonic()
            except database.StoreAwayError as error:
                _log.warning("store_away", error=str(error))
            if moved == 0:
                await self._rest(stop)
        if self._rounds:
            await asyncio.wait(self._rounds)

    def _begin(self, claims: Sequence[claiming.Claim]) -> None:
        for channel in dict.fromkeys(claim.channel for claim in claims):
            theirs = [claim for claim in claims if claim.channel == channel]
            sending = asyncio.create_task(self._send(theirs), name="sends")
            self._rounds[sending] = channel
            sending.add_done_callback(self._rounds.pop)

    def _full(self) -> frozenset[str]:
        """The channels that have as many rounds under way as they may."""
        busy = collections.Counter(self._rounds.values())
        return frozenset(channel for channel, rounds in busy.items() if rounds >= ROUNDS)

    async def _rest(self, stop: asyncio.Event) -> None:
        """Up to a quarter of a second, less if stopped; workers drift apart, so one is soon up."""
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped}, timeout=_POLL_S * random.uniform(0.5, 1))  # noqa: S311 (jitter)
        stopped.cancel()


def _cut(sends: Iterable[asyncio.Task[outcomes.Outcome | None]]) -> None:
    for send in sends:
        send.cancel()


def _outcome(
    claim: claiming.Claim, send: asyncio.Task[outcomes.Outcome | None]
) -> outcomes.Outcome | None:
    if not send.cancelled():
        return send.result()
    # It took too long, and it may have gone out.
    _log.warning("send_raised", channel=claim.channel, error=TimeoutError.__name__)
    return outcomes.Unknown(reason=TimeoutError.__name__)


def _ask(way: bridge.Bridge, recipient: address.Address, text: str) -> messages.Quote | None:
    """A bridge's quote; one that raises has broken its contract and is not sent through."""
    try:
        return way.quote(recipient, text) if way.reaches(recipient) else None
    except Exception as error:  # noqa: BLE001 (the named edge)
        _log.warning("quote_raised", channel=way.channel, error=type(error).__name__)
        return None
