"""A homeserver in memory: rooms, invitations, a stream of events; the real handle on top."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bot.contract import address, bridge, clock, intake
from bridges.matrix import account, handle, session, settings
from tests.dst import outside, people, wire

OURS: Final = people.OURS[people.MATRIX]
DEVICE: Final = "DEVICE"
_API: Final = "/_matrix/client/v3/"
# An idle long poll lasts so many times longer, and so does its limit: hours go by between news.
STRETCH: Final = 20
_MEMORY: Final = Path("/dev/shm")


@dataclasses.dataclass(slots=True, kw_only=True)
class _Room:
    """One direct room. `events`: (place in the stream, event), oldest first."""

    name: str
    person: str
    invited_at: int
    ours: str = "invite"
    events: list[tuple[int, dict[str, Any]]] = dataclasses.field(default_factory=list)
    letters: dict[str, people.Letter] = dataclasses.field(default_factory=dict)


class _Handle(handle.Handle):
    """The real one, whose requests end in memory."""

    def __init__(
        self, chosen: settings.Settings, context: bridge.Context, wired: wire.Session
    ) -> None:
        super().__init__(chosen, context)
        self._wired = wired

    async def _run(self, live: account.Live, door: intake.Intake) -> None:
        live.server._session = self._wired  # type: ignore[assignment]  # stands in
        await super()._run(live, door)


class Matrix(outside.Network):
    """One homeserver and our account on it."""

    repeats = True

    def __init__(self, world: outside.Outside, channel: str = people.MATRIX) -> None:
        super().__init__(world, channel)
        self._rooms: dict[str, _Room] = {}
        self._place = 0
        self._lost: int | None = None
        self._news = asyncio.Event()
        self._by_transaction: dict[str, outside.Call] = {}
        self._keys: dict[str, Any] = {}
        # Rooms we were asked into and events, with the first token that came with them.
        self._shown: dict[str, int] = {}
        self._stored: set[str] = set()
        self._words: dict[str, people.Letter] = {}
        self._heard: Callable[[people.Letter], None] = lambda _: None
        self._folder = Path(
            tempfile.mkdtemp(prefix="dst-", dir=_MEMORY if _MEMORY.is_dir() else None)
        )
        session.Folder(self._folder).keep_login(
            session.Login(user=OURS, device=DEVICE, token="made-up")
        )

    async def make(self, context: bridge.Context) -> bridge.Bridge:
        table = {
            "role": settings.PUBLIC,
            "homeserver": "http://127.0.0.1:8008",
            "user": OURS,
            "folder": str(self._folder),
        }
        wired = wire.Session(self._asked, lambda asked: STRETCH if "since" in asked.query else 1)
        return _Handle(settings.read(table), context, wired)

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    # ------------------------------------------------------------ what it is asked

    async def _asked(self, asked: wire.Asked) -> wire.Told:
        parts = asked.path.removeprefix(_API).split("/")
        match asked.method, parts:
            case "PUT", ["rooms", room, "send", _, transaction]:
                return await self._send(room, transaction, asked.json)
            case "GET", ["sync"]:
                return await self._sync(asked.query)
        await self.world.question("the homeserver is asked")
        match asked.method, parts:
            case "POST", ["rooms", room, "join"]:
                return self._join(self._rooms[room])
            case "POST", ["keys", "query"]:
                return wire.Told(json={"device_keys": {OURS: self._keys}})
            case "POST", ["keys", "upload"]:
                told = asked.json
                self._keys |= {DEVICE: told["device_keys"]} if "device_keys" in told else {}
                return wire.Told(json={"one_time_key_counts": {"signed_curve25519": 50}})
        return wire.Told(status=404, json={"errcode": "M_NOT_FOUND"})

    async def _send(self, room: str, transaction: str, content: Mapping[str, Any]) -> wire.Told:
        before = self._by_transaction.get(transaction)
        if before is not None:
            await self.world.points.at("send repeated")
            self.world.faults["repeat_dropped"] += 1
            return self.good(before)
        to = address.Address(address.MATRIX, self._rooms[room].person)
        call = self.world.call(self, transaction, to, 0)
        call.text = content["body"]
        return await self.world.treat(self, call)

    def take(self, call: outside.Call, number: int) -> None:
        call.provider_id, call.price = f"$sent{number}", 0
        self._by_transaction[call.reply_id] = call

    def good(self, call: outside.Call) -> wire.Told:
        return wire.Told(json={"event_id": call.provider_id})

    def refusal(self, *, of_account: bool) -> wire.Told:
        if of_account:
            return wire.Told(status=401, json={"errcode": "M_UNKNOWN_TOKEN"})
        return wire.Told(status=403, json={"errcode": "M_FORBIDDEN"})

    def _join(self, room: _Room) -> wire.Told:
        if room.ours != "join":
            room.ours = "join"
            self._add(room, _member(OURS, "join"))
        return wire.Told(json={"room_id": room.name})

    async def _sync(self, query: Mapping[str, str]) -> wire.Told:
        since = int(query.get("since", "0"))
        full = "full_state" in query or "since" not in query
        self._acknowledge(since)
        if self._lost is not None:
            # Whoever did not hear the answer asks from the same place again.
            self.world.effects["answer_lost"] += since == self._lost
            self._lost = None
        await self.world.question("sync is asked")
        if self._place <= since and not full:
            try:
                async with asyncio.timeout(int(query["timeout"]) / 1000 * STRETCH):
                    await self._news.wait()
            except TimeoutError:
                pass
        told = self._news_since(since, full=full)
        await self.world.points.at("sync answered")
        if self.world.fault("answer_lost", 0.05):
            self._lost = since
            raise wire.CutError
        return told

    def _acknowledge(self, since: int) -> None:
        """Whoever asks from a token on has stored all that came with it."""
        for name in [name for name, token in self._shown.items() if token <= since]:
            self._stored.add(name)
            letter = self._words.get(name)
            if letter is not None:
                self._heard(letter)

    def _news_since(self, since: int, *, full: bool) -> wire.Told:
        join: dict[str, Any] = {}
        invite: dict[str, Any] = {}
        for room in self._rooms.values():
            if room.ours == "invite" and (full or room.invited_at > since):
                invite[room.name] = {"invite_state": {"events": [_member(OURS, "invite", room)]}}
                self._show(room.name, next(iter(room.letters.values())))
            if room.ours != "join":
                continue
            joined_now = any(
                place > since and event["type"] == "m.room.member" for place, event in room.events
            )
            fresh = [(p, e) for p, e in room.events if p > since or joined_now]
            for _, event in fresh:
                if event["event_id"] in room.letters:
                    self._show(event["event_id"], room.letters[event["event_id"]])
            if fresh or full:
                state = [_member(room.person, "join", room)]
                timeline = {"events": [e for _, e in fresh], "limited": False, "prev_batch": "p"}
                join[room.name] = {"state": {"events": state}, "timeline": timeline}
        self._news.clear()
        body = {
            "next_batch": str(self._place),
            "rooms": {"join": join, "invite": invite, "leave": {}},
            "device_one_time_keys_count": {"signed_curve25519": 50},
        }
        return wire.Told(json=body)

    def _show(self, name: str, letter: people.Letter) -> None:
        letter.handed = True
        self.read_out(letter)
        self._shown.setdefault(name, self._place)

    # ------------------------------------------------------------ what comes

    def _add(self, room: _Room, event: dict[str, Any]) -> None:
        self._place += 1
        event |= {
            "event_id": event.get("event_id", f"$e{self._place}"),
            "origin_server_ts": clock.to_ms(self.world.clock.true()),
        }
        room.events.append((self._place, event))
        self._news.set()

    def write(self, letter: people.Letter, acked: Callable[[people.Letter], None]) -> None:
        self._heard = acked
        letter.wrote = self.world.written(letter)
        who = letter.sender.value
        room = next((one for one in self._rooms.values() if one.person == who), None)
        if room is None:
            self._place += 1
            name = f"!room{self._place}:example.org"
            room = self._rooms[name] = _Room(name=name, person=who, invited_at=self._place)
        event_id = f"$m{letter.number}"
        room.letters[event_id] = self._words[event_id] = letter
        content = {"msgtype": "m.text", "body": letter.text}
        self._add(
            room,
            {"type": "m.room.message", "event_id": event_id, "sender": who, "content": content},
        )

    def rows(self, letters: Sequence[people.Letter]) -> tuple[int, int]:
        """An invitation is a contact too, and its words are read only when we have gone in."""
        del letters
        return len(self._stored), len(self._shown)


def _member(who: str, membership: str, room: _Room | None = None) -> dict[str, Any]:
    return {
        "type": "m.room.member",
        "state_key": who,
        "sender": room.person if room else who,
        "content": {"membership": membership},
    }
