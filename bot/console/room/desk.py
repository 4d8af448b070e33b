"""The worker of the moderators' room: carries out what came, tells what happened, takes back.

An event is carried out in one transaction with its answer, so a kill at any point leaves it done
and answered, or new. What is slow (a chart, the bridges' health, a captcha) is prepared beside,
so that `!pause` never waits behind it (C21). Where the room's members cannot be asked, nothing
is done until they can (C22).
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
import structlog

from bot.console.room import captcha, carrying, chart, notices, parser, prompts, said
from bot.console.room import door as doors
from bot.console.room.here import NOTHING, Outside
from bot.console.room.roles import Present
from bot.contract import bridge, clock, room
from bot.policy import settings
from bot.store import database, ids, tables, vault

_log = structlog.get_logger(__name__)

BATCH: Final = 20
# A room that cannot be asked is asked again after so long.
_AWAY_S: Final = 2.0
_EARLY_MS: Final = 60_000
_POLL_S: Final = 0.25
# Replies by hand to a whole cluster, at the most, and a conflict's repeats.
_IDS: Final = 200 * database.TRIES
_SLOW: Final = frozenset({"stats", "status", "captcha"})
_e = tables.room_events

Health = Callable[[], Awaitable[Mapping[str, object]]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One stored event."""

    row_id: int
    channel: str
    taken_ms: int
    event: room.RoomEvent


class Desk:
    """`door` is what a hosting bridge is given. `step` does one round of everything."""

    def __init__(
        self,
        *,
        store: database.Store,
        core: settings.Core,
        keys: vault.Vault,
        bridges: Mapping[str, bridge.Bridge],
        moment: clock.Clock,
        health: Health,
        mended: Callable[[str], None] = lambda _channel: None,
    ) -> None:
        """`health` as the supervisor's; `mended` is told a channel that goes on again."""
        self.door = doors.Door(store, keys, moment)
        self.hosts: Mapping[str, room.HostsModerators] = {
            name: one for name, one in bridges.items() if isinstance(one, room.HostsModerators)
        }
        self._store, self._core, self._keys = store, core, keys
        self._bridges, self._clock = bridges, moment
        self._health, self._mended = health, mended
        self._ids = ids.Ids()
        self._told = carrying.Told(core=core, keys=keys, bridges=bridges, take=self._ids.take)
        self._notices = notices.Notices(core, keys, self._rooms())
        self._prepared: dict[int, asyncio.Task[Outside]] = {}
        self._away_s: dict[str, float] = {}
        for one in self.hosts.values():
            one.host(self.door)

    @property
    def preparing(self) -> Sequence[asyncio.Task[Outside]]:
        """What is being asked or drawn beside, for whoever waits for it."""
        return [task for task in self._prepared.values() if not task.done()]

    def _rooms(self) -> list[tuple[str, str]]:
        return [(name, one) for name, host in self.hosts.items() for one in host.rooms]

    async def run(self, beat: Callable[[], None] = lambda: None) -> None:
        """Until cancelled."""
        while True:
            beat()
            self.door.came.clear()
            try:
                done = await self.step()
            except database.StoreAwayError as error:
                _log.warning("store_away", error=str(error))
                done = 0
            if not done:
                await self._rest()

    async def _rest(self) -> None:
        """A quarter of a second, less if something came."""
        came = asyncio.ensure_future(self.door.came.wait())
        try:
            await asyncio.wait({came}, timeout=_POLL_S)
        finally:
            came.cancel()

    async def step(self) -> int:
        """Carry out what waits, then tell what happened; how much was done."""
        if not self.hosts:
            return 0
        done = 0
        waiting = await self._store.read(self._waiting)
        gone = {one.event.on for one in waiting if isinstance(one.event, room.Withdrawn)}
        for seen in waiting:
            # Deleted before its turn: not carried out.
            is_gone = isinstance(seen.event, room.Command) and seen.event.event_id in gone
            done += await (self._put_away(seen) if is_gone else self._one(seen))
        now_ms = clock.to_ms(self._clock.now())
        health = await self._looked(now_ms)
        told = 0
        # Four times a second: an idle look is a read, for writers stand in line.
        if health is not None or await self._store.read(
            functools.partial(self._due, now_ms=now_ms)
        ):
            tell = functools.partial(self._tell, now_ms=now_ms, health=health)
            told = await self._store.write(tell)
        if done or told:
            self.door.told()
        return done + told

    def _waiting(self, tx: sa.Connection) -> list[Seen]:
        query = (
            sa.select(_e)
            .where(sa.literal_column("state") == sa.literal_column("'new'"))
            .order_by(_e.c.id)
            .limit(BATCH)
        )
        found = []
        for row in tx.execute(query).mappings():
            event = self._opened(dict(row))
            found.append(
                Seen(
                    row_id=row["id"],
                    channel=row["channel"],
                    taken_ms=row["taken_ms"],
                    event=event,
                )
            )
        return found

    def _opened(self, row: Mapping[str, Any]) -> room.RoomEvent:
        try:
            return doors.restored(self._keys, row)
        except (vault.SealedError, ValueError, TypeError, KeyError):
            # Nobody can read it any more; it is put away as something that asks for nothing.
            return room.Invited(
                event_id=row["event_id"],
                room_id=row["room_id"],
                at=clock.from_ms(row["at_ms"]),
                account="",
                accepted=False,
            )

    async def _one(self, seen: Seen) -> int:
        """One event; 0 if it must wait, for its room or for something slow."""
        host = self.hosts.get(seen.channel)
        if host is None or seen.event.room_id not in host.rooms:
            return await self._put_away(seen)
        if self._away_s.get(seen.channel, 0.0) > self._clock.monotonic():
            return 0
        if await self._early(seen):
            return 0
        try:
            members = await host.members(seen.event.room_id)
        except room.RoomAwayError:
            self._away_s[seen.channel] = self._clock.monotonic() + _AWAY_S
            return 0
        present = Present(roster=host.roster, members=members, power=self._core.room.power)
        outside = await self._outside(seen, present)
        if outside is None:
            return 0
        job = carrying.Job(
            row_id=seen.row_id,
            channel=seen.channel,
            taken_ms=seen.taken_ms,
            event=seen.event,
            present=present,
            outside=outside,
        )
        await self._ids.top_up(self._store, _IDS)
        now_ms = clock.to_ms(self._clock.now())
        work = functools.partial(carrying.carry_out, told=self._told, job=job, now_ms=now_ms)
        # One event that cannot be carried out must not keep all others waiting.
        (result,) = await asyncio.gather(self._store.write(work), return_exceptions=True)
        if isinstance(result, BaseException):
            if isinstance(result, database.StoreAwayError) or not isinstance(result, Exception):
                raise result
            _log.warning("room_event_failed", error=type(result).__name__)
            await self._put_away(seen)
        self._prepared.pop(seen.row_id, None)
        self._go_on(seen, outside)
        self.door.told()
        return 1

    async def _early(self, seen: Seen) -> bool:
        """A reaction to a question that is in the room before we know it: after a kill, say."""
        event = seen.event
        waited_ms = clock.to_ms(self._clock.now()) - seen.taken_ms
        if not isinstance(event, room.Reaction) or waited_ms > _EARLY_MS:
            return False
        return await self._store.read(lambda tx: said.unsure(tx, seen.channel, event.on))

    async def _put_away(self, seen: Seen) -> int:
        """Not one of ours to obey, or one that cannot be done."""
        statement = sa.update(_e).where(_e.c.id == seen.row_id)
        done = statement.values(state="done", data_enc=None)

        def work(tx: sa.Connection) -> None:
            tx.execute(done)

        await self._store.write(work)
        return 1

    def _go_on(self, seen: Seen, outside: Outside) -> None:
        """A channel that waited for a human is started at once; harmless if it runs."""
        asked = _asked(seen.event)
        if asked is None or asked.channel not in self._bridges or asked.channel is None:
            return
        if asked.command.name == "resume" or outside.solved:
            self._mended(asked.channel)

    # ------------------------------------------------------------ what is asked beside

    async def _outside(self, seen: Seen, present: Present) -> Outside | None:
        """What a slow command needs; None while it is being prepared.

        Nothing is asked of anybody for one that will not be carried out.
        """
        asked = await self._meant(seen)
        if asked is None or asked.command.name not in _SLOW or not self._will(seen, asked, present):
            return NOTHING
        task = self._prepared.get(seen.row_id)
        if task is None:
            task = asyncio.create_task(self._prepare(asked), name="room-prepare")
            task.add_done_callback(lambda _done: self.door.came.set())
            self._prepared[seen.row_id] = task
            # What is quick already is not kept waiting for a whole round.
            await asyncio.sleep(0)
        if not task.done():
            return None
        error = None if task.cancelled() else task.exception()
        if error is not None or task.cancelled():
            _log.warning("room_prepare_failed", error=type(error).__name__)
            return NOTHING
        return task.result()

    def _will(self, seen: Seen, asked: parser.Asked, present: Present) -> bool:
        event, trust = seen.event, room.Trust.UNKNOWN_DEVICE
        if not isinstance(event, room.Command | room.Reaction):
            return False
        age_ms = clock.to_ms(self._clock.now()) - min(clock.to_ms(event.at), seen.taken_ms)
        return (
            present.may(event.by.member.account, asked.command.role)
            and age_ms <= carrying.FRESH_MS
            and (event.by.trust is not trust or self._core.room.unsigned_devices)
        )

    async def _meant(self, seen: Seen) -> parser.Asked | None:
        """The command itself, or the one that a yes to an old one means."""
        asked = _asked(seen.event)
        where = said.Where(channel=seen.channel, room_id=seen.event.room_id)
        event = seen.event

        def work(tx: sa.Connection) -> prompts.Prompt | None:
            if isinstance(event, room.Reaction):
                return prompts.by_message(tx, self._keys, where, event.on)
            return prompts.by_code(tx, self._keys, where, asked.codes[0]) if asked else None

        if isinstance(event, room.Reaction) or (asked and asked.command.name == "yes"):
            prompt = await self._store.read(work)
            if prompt is None or prompt.kind is not prompts.Kind.AGAIN:
                return None
            found = parser.parse(str(prompt.data.get("text", "")))
            return found if isinstance(found, parser.Asked) else None
        return asked

    async def _prepare(self, asked: parser.Asked) -> Outside:
        if asked.command.name == "status":
            return Outside(health=await self._health())
        if asked.command.name == "captcha":
            way = self._bridges.get(asked.channel or "")
            return Outside(solved=await captcha.solve(self._store, way, asked.text))
        now_ms = clock.to_ms(self._clock.now())
        days = asked.count or chart.DAYS
        found = await self._store.read(functools.partial(chart.hours, now_ms=now_ms, days=days))
        french = (asked.spoken or self._core.room.language) == "fr"
        zone = self._core.budget.timezone
        draw = functools.partial(chart.draw, found, zone, now_ms=now_ms, days=days, french=french)
        return Outside(image=await asyncio.to_thread(draw))

    # ------------------------------------------------------------ what happened by itself

    async def _looked(self, now_ms: int) -> Mapping[str, Any] | None:
        """The bridges' health, now and then; None between."""
        if not self._notices.looks(now_ms):
            return None
        return await self._health()

    def _due(self, tx: sa.Connection, now_ms: int) -> bool:
        """Whether `_tell` would find anything to do without a look around."""
        return (
            self._notices.behind(tx)
            or prompts.overdue(tx, now_ms)
            or carrying.hides_now(tx, now_ms)
        )

    def _tell(self, tx: sa.Connection, now_ms: int, health: Mapping[str, Any] | None) -> int:
        prompts.expire(tx, now_ms)
        hidden = carrying.hide_due(tx, self._keys, now_ms)
        return hidden + self._notices.tell(tx, now_ms, health, self._rosters())

    def _rosters(self) -> Mapping[str, Sequence[str]]:
        return {name: sorted(host.roster) for name, host in self.hosts.items()}


def _asked(event: room.RoomEvent) -> parser.Asked | None:
    if not isinstance(event, room.Command):
        return None
    found = parser.parse(event.text)
    return found if isinstance(found, parser.Asked) else None
