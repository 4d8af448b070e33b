"""Another person on Matrix: a whole matrix-nio client of its own, as far from ours as can be had.

It logs in with a password, encrypts where the room is, cross-signs its own device when told to,
and keeps a list of all that it saw. Its waiting is bounded.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nio
from nio.store import SqliteStore

from bridges.matrix import calls, cross_signing
from tests.peers import synapse

PASSWORD = "made-up"
WITHIN_S = 60.0
# As much as Synapse gives at once: nio fills no gap, and whoever looked away must miss nothing.
_MUCH = {"room": {"timeline": {"limit": 100}}}
PUBLIC = nio.RoomPreset.public_chat


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """One event as this person's client shows it."""

    event_id: str
    sender: str
    kind: str
    content: Mapping[str, Any]
    encrypted: bool


def fresh_keys() -> cross_signing.Keys:
    """An identity that nobody has."""
    return cross_signing.keys_of(cross_signing.new_recovery_key())


class Person:
    """One account with one device; `open` first, `close` at last."""

    def __init__(
        self, server: synapse.Synapse, folder: Path, name: str, user: str | None = None
    ) -> None:
        """A new account, or another device of `user`."""
        self.server = server
        self.user = user or server.register(f"{name}-{secrets.token_hex(4)}", PASSWORD)
        self.seen: list[Seen] = []
        self.invited: set[str] = set()
        self.direct: list[Mapping[str, Any]] = []
        self._folder = folder
        self._client: nio.AsyncClient | None = None
        self._raw = calls.Homeserver(server.url)
        self.keys = fresh_keys()

    @property
    def client(self) -> nio.AsyncClient:
        assert self._client is not None
        return self._client

    async def open(self, *, signed: bool = True) -> None:
        """Log in as a new device; with `signed` it is cross-signed by its owner."""
        device = secrets.token_hex(4).upper()
        home = self._folder / f"{self.user[1:8]}-{device}"
        home.mkdir(parents=True)
        config = nio.AsyncClientConfig(
            store=SqliteStore, store_name="store", encryption_enabled=True, max_timeouts=0
        )
        self._client = nio.AsyncClient(
            self.server.url, self.user, device_id=device, store_path=str(home), config=config
        )
        told = await self._client.login(PASSWORD, device_name="phone")
        assert isinstance(told, nio.LoginResponse), told
        self._raw = calls.Homeserver(self.server.url, self.client.access_token)
        await self.client.keys_upload()
        if signed:
            await self.sign()
        await self.sync()

    async def close(self) -> None:
        await self._raw.close()
        if self._client is not None:
            await self._client.close()
            if self._client.store is not None:
                self._client.store.database.close()

    async def raw(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 (JSON)
        """A request as this person."""
        return await self._raw.call(method, target, body)

    async def sign(self, *, publish: bool = True) -> None:
        """Publish this person's identity, and sign this device with it."""
        if publish:
            await self.publish()
        answer = await self.devices_of(self.user)
        device = answer["device_keys"][self.user][self.client.device_id]
        body = {
            self.user: {
                self.client.device_id: cross_signing.sign_device(device, self.user, self.keys)
            }
        }
        await self.raw("POST", calls.path("keys", "signatures", "upload"), body)

    async def publish(self) -> None:
        """Make `keys` this person's identity; with the password where there was another."""
        target = calls.path("keys", "device_signing", "upload")
        body: dict[str, Any] = cross_signing.upload(self.user, self.keys)
        try:
            await self.raw("POST", target, body)
        except calls.RefusedError as error:
            body["auth"] = {
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": self.user},
                "password": PASSWORD,
                "session": error.body["session"],
            }
            await self.raw("POST", target, body)

    async def devices_of(self, user: str) -> Any:  # noqa: ANN401 (JSON)
        """What this person is shown of somebody's keys."""
        body: dict[str, Any] = {"device_keys": {user: []}}
        return await self.raw("POST", calls.path("keys", "query"), body)

    async def create(self, *, encrypted: bool, invite: list[str], direct: bool = False) -> str:
        """A private room of this person's."""
        state = []
        if encrypted:
            content = {"algorithm": "m.megolm.v1.aes-sha2"}
            state.append({"type": "m.room.encryption", "state_key": "", "content": content})
        made = await self.client.room_create(invite=invite, is_direct=direct, initial_state=state)
        assert isinstance(made, nio.RoomCreateResponse), made
        await self.until(lambda: made.room_id in self.client.rooms)
        return str(made.room_id)

    async def say(self, room_id: str, text: str, **more: object) -> str:
        """Write a message; its event id."""
        return await self.put(room_id, {"msgtype": "m.text", "body": text, **more})

    async def put(self, room_id: str, content: dict[str, Any], kind: str = "m.room.message") -> str:
        told = await self.client.room_send(room_id, kind, content, ignore_unverified_devices=True)
        assert isinstance(told, nio.RoomSendResponse), told
        return str(told.event_id)

    async def react(self, room_id: str, on: str, key: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": on, "key": key}
        return await self.put(room_id, {"m.relates_to": relation}, "m.reaction")

    async def join(self, room_id: str) -> None:
        told = await self.client.join(room_id)
        assert isinstance(told, nio.JoinResponse), told
        await self.until(lambda: room_id in self.client.rooms)

    async def sync(self, wait_ms: int = 0) -> None:
        """Look once, and do what nio's own loop does around it."""
        told = await self.client.sync(
            timeout=wait_ms, full_state=not self.client.next_batch, sync_filter=_MUCH
        )
        assert isinstance(told, nio.SyncResponse), told
        if self.client.should_upload_keys:
            await self.client.keys_upload()
        if self.client.should_query_keys:
            await self.client.keys_query()
        if self.client.should_claim_keys:
            await self.client.keys_claim(self.client.get_users_for_key_claiming())
        await self.client.send_to_device_messages()
        self.direct += [one.source for one in told.to_device_events if hasattr(one, "source")]
        self.invited |= set(told.rooms.invite)
        for room_id, news in told.rooms.join.items():
            for event in news.timeline.events:
                self._saw(event, room_id)

    def _saw(self, event: Any, _room_id: str) -> None:  # noqa: ANN401 (nio is untyped)
        source = event.source
        self.seen.append(
            Seen(
                event_id=event.event_id,
                sender=event.sender,
                kind=source["type"],
                content=source.get("content", {}),
                encrypted=bool(getattr(event, "decrypted", False)),
            )
        )

    async def until(self, holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Sync until it holds; TimeoutError if it never does."""
        async with asyncio.timeout(within_s):
            while not holds():
                await self.sync(wait_ms=500)

    def messages(self, sender: str) -> list[Seen]:
        """What somebody wrote, as this person could read it."""
        return [one for one in self.seen if one.sender == sender and one.kind == "m.room.message"]

    def texts(self, sender: str) -> list[str]:
        return [str(one.content["body"]) for one in self.messages(sender)]

    async def history(self, room_id: str) -> list[dict[str, Any]]:
        """The room as the server holds it, newest first: what its operator could read."""
        found: list[dict[str, Any]] = []
        query = "?dir=b&limit=500"
        start = ""
        while True:
            target = calls.path("rooms", room_id, "messages") + query + start
            told = await self.raw("GET", target)
            found.extend(told["chunk"])
            if "end" not in told or not told["chunk"]:
                return found
            start = f"&from={told['end']}"
