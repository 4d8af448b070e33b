"""The core's side of the moderators' room as a fake with a ledger, and our bridges around it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.contract import bridge as contract
from bot.contract import clock, conformance, intake, room
from bridges import matrix
from bridges.matrix import bridge as matrix_bridge
from bridges.matrix import handle
from tests.bridges.matrix import people
from tests.peers import synapse

CHANNEL = "moderators"
WITHIN_S = 60.0


class RoomDoor:
    """The core's door. It outlives the bridge, as a database does.

    `pause_at`: stop for ever at the next store, "before" or "after" it is written, or when a thing
    was "sent", so that a test can kill exactly there; `paused` is set then.
    """

    def __init__(self) -> None:
        self.taken: dict[str, room.RoomEvent] = {}
        self.cursors: dict[str, str] = {}
        self.repeats = 0
        self.queue: list[room.Outgoing] = []
        self.said: dict[str, str] = {}
        self.refusals: dict[str, str] = {}
        self.pause_at = ""
        self.paused = asyncio.Event()
        self.refuse = 0
        self._changed = asyncio.Event()

    async def events(
        self, batch: Sequence[room.RoomEvent], *, channel: str, cursor: str | None = None
    ) -> None:
        if self.refuse:
            self.refuse -= 1
            raise intake.NotStoredError("the fake was told to refuse", retry_after_s=1)
        await self._perhaps_pause("before")
        for event in batch:
            if event.event_id in self.taken:
                self.repeats += 1
            else:
                self.taken[event.event_id] = event
        if cursor is not None:
            self.cursors[channel] = cursor
        self._change()
        await self._perhaps_pause("after")

    async def _perhaps_pause(self, where: str) -> None:
        if self.pause_at == where:
            self.pause_at = ""
            self.paused.set()
            await asyncio.Event().wait()

    async def cursor(self, channel: str) -> str | None:
        return self.cursors.get(channel)

    async def outgoing(self, channel: str, limit: int = 10) -> Sequence[room.Outgoing]:
        open_ = [o for o in self.queue if o.id not in self.said and o.id not in self.refusals]
        return sorted(open_, key=lambda o: o.lane)[:limit]

    async def ready(self, channel: str) -> None:
        changed = self._changed
        # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await changed.wait()

    async def sent(self, out_id: str, event_id: str) -> None:
        await self._perhaps_pause("sent")
        self.said[out_id] = event_id
        self._change()

    async def refused(self, out_id: str, reason: str) -> None:
        self.refusals[out_id] = reason
        self._change()

    # ------------------------------------------------------------ what tests ask

    def put(self, out: room.Outgoing) -> None:
        """The core has something to say."""
        self.queue.append(out)
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for it; TimeoutError if it never holds."""
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                await self._changed.wait()

    def commands(self) -> list[str]:
        return [one.text for one in self.taken.values() if isinstance(one, room.Command)]

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.taken.values() if isinstance(one, kind)]

    def snags(self) -> list[room.Snag]:
        return [one.snag for one in self.taken.values() if isinstance(one, room.Trouble)]


async def bounded(what: Coroutine[Any, Any, Any]) -> None:
    """Wait for it; TimeoutError if it never comes."""
    async with asyncio.timeout(WITHIN_S):
        await what


def said(text: str, out_id: str = "", **more: Any) -> room.Outgoing:  # noqa: ANN401 (a factory)
    """Something to say in the room; `room_id` is needed."""
    return room.Outgoing(
        **{"id": out_id or secrets.token_hex(8), "lane": room.Lane.NOTICE, "plain": text, **more}
    )


@dataclasses.dataclass(kw_only=True, eq=False)
class Bot:
    """Our account, its folder, and whatever of it runs now."""

    server: synapse.Synapse
    folder: Path
    user: str
    room_id: str = "!none:localhost"
    roster: Mapping[str, str] = dataclasses.field(default_factory=dict)
    door: RoomDoor = dataclasses.field(default_factory=RoomDoor)
    storage: conformance.FakeStorage = dataclasses.field(default_factory=conformance.FakeStorage)
    clock: clock.Clock = dataclasses.field(default_factory=clock.SystemClock)
    url: str = ""
    more: Mapping[str, object] = dataclasses.field(default_factory=dict)
    bridge: matrix_bridge.Moderators | handle.Handle | None = None
    task: asyncio.Task[None] | None = None

    def table(self) -> dict[str, object]:
        common: dict[str, object] = {
            "homeserver": self.url or self.server.url,
            "user": self.user,
            "folder": str(self.folder),
            "password_file": str(self.folder.parent / "password"),
        }
        if "role" in self.more:
            return {**common, **self.more}
        return {
            **common,
            "role": "room",
            "room": self.room_id,
            "roster": dict(self.roster),
            **self.more,
        }

    def make(self) -> matrix_bridge.Moderators | handle.Handle:
        """The bridge as the registry would make it."""
        context = contract.Context(
            channel=CHANNEL, clock=self.clock, storage=self.storage, currency="EUR"
        )
        return matrix.create(self.table(), context)

    async def set_up(self) -> list[contract.Finding]:
        """What `antirelou setup --apply` does."""
        (self.folder.parent / "password").write_text(people.PASSWORD)
        made = self.make()
        found = list(await made.set_up(apply=True))
        await made.close()
        return found

    def start(self, door: intake.Intake | None = None) -> None:
        """Begin to listen."""
        self.bridge = self.make()
        if isinstance(self.bridge, matrix_bridge.Moderators):
            self.bridge.host(self.door)
        self.task = asyncio.create_task(self.bridge.listen(door or conformance.FakeIntake()))

    async def kill(self) -> None:
        """Drop everything that is in memory; the folder, the storage and the door stay."""
        task, self.task = self.task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=WITHIN_S)
            assert task.done()
            if not task.cancelled() and task.exception() is not None:
                raise task.exception()  # type: ignore[misc]  # checked
        if self.bridge is not None:
            await self.bridge.close()
            self.bridge = None

    async def ended(self) -> BaseException | None:
        """Wait for `listen` to end by itself; what it raised."""
        assert self.task is not None
        await asyncio.wait({self.task}, timeout=WITHIN_S)
        assert self.task.done(), "listen goes on"
        task, self.task = self.task, None
        return task.exception()


@contextlib.asynccontextmanager
async def met(
    server: synapse.Synapse,
    folder: Path,
    *,
    encrypted: bool,
    **more: Any,  # noqa: ANN401 (a factory)
) -> AsyncIterator[tuple[Bot, people.Person, str]]:
    """A moderator, a room, and our bot in it, listening."""
    ada = people.Person(server, folder, "ada")
    bot = Bot(
        server=server,
        folder=folder / "keys",
        user=server.register(f"bot-{secrets.token_hex(4)}", people.PASSWORD),
        roster={ada.user: "admin"},
        **more,
    )
    try:
        await ada.open()
        bot.room_id = await ada.create(encrypted=encrypted, invite=[bot.user])
        found = await bot.set_up()
        assert all(one.verdict is contract.Verdict.GOOD for one in found), found
        bot.start()
        await ada.until(lambda: is_joined(ada, bot.room_id, bot.user))
        yield bot, ada, bot.room_id
    finally:
        await bot.kill()
        await ada.close()


def is_joined(who: people.Person, room_id: str, user: str) -> bool:
    """Whether this person sees the other in the room, not only invited."""
    found = who.client.rooms[room_id].users.get(user)
    return found is not None and not found.invited
