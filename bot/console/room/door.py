"""The core's side of `contract.room.Door`: stores what comes, offers what is to be said.

Nothing is carried out here: returning from `events` means that it is stored, with the cursor, in
one transaction. Whoever carries out (`desk`) is woken.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
import structlog

from bot.console.room import said
from bot.contract import clock, intake, room
from bot.store import database, statements, tables, vault

_log = structlog.get_logger(__name__)

PLACE: Final = "room_events"
_READY_S: Final = 5.0
_POLL_S: Final = 0.25
_e, _c = tables.room_events, tables.cursors
_ADD = statements.upsert(_e).on_conflict_do_nothing(index_elements=["channel", "event_id"])
_CURSOR = statements.upsert(_c).on_conflict_do_update(
    index_elements=["channel"], set_={"cursor": statements.upsert(_c).excluded.cursor}
)
_KINDS: Final[Mapping[str, type[room.RoomEvent]]] = {
    "command": room.Command,
    "reaction": room.Reaction,
    "withdrawn": room.Withdrawn,
    "refused": room.Refused,
    "changed": room.Changed,
    "invited": room.Invited,
    "trouble": room.Trouble,
}
_NAMES: Final = {made: name for name, made in _KINDS.items()}
_APART: Final = ("event_id", "room_id", "at")
T = TypeVar("T")


class Door:
    """Implements contract.room.Door; `wake` is set when something came or is to be said."""

    def __init__(self, store: database.Store, keys: vault.Vault, moment: clock.Clock) -> None:
        """`moment` is the clock that events are dated by when they are taken in."""
        self._store = store
        self._keys = keys
        self._clock = moment
        self.came = asyncio.Event()
        self._said = asyncio.Event()

    async def events(
        self, batch: Sequence[room.RoomEvent], *, channel: str, cursor: str | None = None
    ) -> None:
        """As contract.room.Door.events."""
        now_ms = clock.to_ms(self._clock.now())
        rows = [_row(self._keys, one, channel, now_ms) for one in batch]

        def work(tx: sa.Connection) -> None:
            if rows:
                tx.execute(_ADD, rows)
            if cursor is not None:
                tx.execute(_CURSOR, {"channel": channel, "cursor": cursor})

        await self._stored(lambda: self._store.write(work))
        if rows:
            self.came.set()

    async def cursor(self, channel: str) -> str | None:
        """As contract.room.Door.cursor."""
        query = sa.select(_c.c.cursor).where(_c.c.channel == channel)

        def work(tx: sa.Connection) -> str | None:
            value: str | None = tx.execute(query).scalar_one_or_none()
            return value

        return await self._stored(lambda: self._store.read(work))

    async def outgoing(self, channel: str, limit: int = 10) -> Sequence[room.Outgoing]:
        """As contract.room.Door.outgoing."""
        # Before the look, so that what is said during it is seen next time.
        self._said.clear()
        return await self._stored(
            lambda: self._store.read(lambda tx: said.waiting(tx, self._keys, channel, limit))
        )

    async def ready(self, channel: str) -> None:
        """As contract.room.Door.ready; other processes are noticed by a look now and then."""
        del channel
        nap = asyncio.ensure_future(self._clock.sleep(_READY_S))
        told = asyncio.ensure_future(self._said.wait())
        try:
            await asyncio.wait((nap, told), return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            told.cancel()

    def told(self) -> None:
        """Something is to be said."""
        self._said.set()

    async def sent(self, out_id: str, event_id: str) -> None:
        """As contract.room.Door.sent."""
        await self._settle(out_id, event_id)

    async def refused(self, out_id: str, reason: str) -> None:
        """As contract.room.Door.refused."""
        _log.warning("room_refused", out=out_id, why=reason[:40])
        await self._settle(out_id, None)

    async def _settle(self, out_id: str, event_id: str | None) -> None:
        inside = said.inside(self._keys, out_id)
        if inside is None:
            return

        def work(tx: sa.Connection) -> None:
            said.settled(tx, inside, event_id)

        await self._stored(lambda: self._store.write(work))

    async def _stored(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except database.StoreAwayError as error:
            raise intake.NotStoredError(str(error)) from None


def _row(keys: vault.Vault, one: room.RoomEvent, channel: str, now_ms: int) -> dict[str, Any]:
    data = {"is": _NAMES[type(one)], **dataclasses.asdict(one)}
    for name in _APART:
        del data[name]
    return {
        "channel": channel,
        "event_id": one.event_id,
        "room_id": one.room_id,
        "at_ms": clock.to_ms(one.at),
        "taken_ms": now_ms,
        "data_enc": keys.seal(json.dumps(data), PLACE),
        "state": "new",
    }


def restored(keys: vault.Vault, row: Mapping[str, Any]) -> room.RoomEvent:
    """The event of a stored row. Raises vault.SealedError."""
    data: dict[str, Any] = json.loads(keys.open(row["data_enc"], PLACE))
    kind = _KINDS[data.pop("is")]
    if by := data.get("by"):
        member = room.Member(**by["member"])
        data["by"] = room.By(member=member, trust=room.Trust(by["trust"]), device=by["device"])
    if "member" in data:
        data["member"] = room.Member(**data["member"])
    if "why" in data:
        data["why"] = room.Why(data["why"])
    if "snag" in data:
        data["snag"] = room.Snag(data["snag"])
    return kind(
        event_id=row["event_id"],
        room_id=row["room_id"],
        at=clock.from_ms(row["at_ms"]),
        **data,
    )
