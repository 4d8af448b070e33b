"""Our device's end of the encryption: matrix-nio as a state machine, every request our own.

nio keeps rooms, sessions and devices and never opens a socket here. Its sync token is not used:
ours is stored with the events (PROVIDERS.md). What must never happen is decided in `seal`: a room
that was encrypted once gets nothing but encrypted events.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import nio
from nio.client import base_client
from nio.events import room_events

from bot.contract import room
from bridges.matrix import calls, keystore, replays, session, verifying, wire

_CLAIM: Final = "signed_curve25519"
# Below CRITICAL they name accounts and devices, and print the store's rows (C33).
_TALKATIVE: Final = ("nio", "peewee")


# What nio and vodozemac raise over what a hostile client made up; never a fault of the store.
_STUMBLES: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,  # all of vodozemac's are
    nio.exceptions.EncryptionError,
    nio.exceptions.LocalProtocolError,
    nio.exceptions.VerificationError,
)


class NotSafeError(Exception):
    """Sending would put plain text into a room that is, or was, encrypted; `reason` for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StoreLostError(Exception):
    """The crypto store cannot be read with our key, or is another device's."""


class Crypto:
    """The device and its rooms. Of one event loop; open once, then close."""

    def __init__(
        self, server: calls.Homeserver, login: session.Login, folder: session.Folder
    ) -> None:
        """Opens the store, making it if there is none. Raises StoreLostError, OSError."""
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._server = server
        self._login = login
        self._sealing = asyncio.Lock()
        self.stumbled = ""
        config = base_client.ClientConfig(
            store=keystore.Store,
            store_name=session.STORE,
            pickle_key=folder.pickle_key(),
            store_sync_tokens=False,
        )
        self.client = base_client.Client(login.user, login.device, str(folder.path), config)
        try:
            self.client.restore_login(login.user, login.device, login.token)
        except (ValueError, LookupError, AssertionError, nio.exceptions.EncryptionError) as error:
            raise StoreLostError(type(error).__name__) from None
        if self.client.olm is None:
            raise StoreLostError("no store")
        self.olm = self.client.olm
        self._memory = replays.Memory(self.olm.store.database)
        self.olm.message_index_store = self._memory

    @property
    def fingerprint(self) -> str:
        """Our device's public signing key: another one is another device, whatever its name."""
        return str(self.olm.account.identity_keys["ed25519"])

    def close(self) -> None:
        """Close the store's file."""
        store = self.client.store
        if store is not None and not store.database.is_closed():
            store.database.close()

    # ------------------------------------------------------------ in

    def take(self, body: calls.Body) -> None:
        """Let nio follow a sync answer: rooms, members, keys for us. Raises AwayError."""
        for piece in _pieces(body):
            answer = nio.SyncResponse.from_dict(piece)
            if not isinstance(answer, nio.SyncResponse):
                raise calls.AwayError("a sync answer that nobody can read")
            try:
                self.client.receive_response(answer)
            except _STUMBLES as error:
                # Asked again, the same would come for ever. Timelines we read ourselves.
                self.stumbled = type(error).__name__

    def forget(self, room_id: str) -> None:
        """We are no longer in that room."""
        self.client.rooms.pop(room_id, None)
        self.client.invited_rooms.pop(room_id, None)

    def hear(self, raw: Mapping[str, Any], room_id: str) -> wire.Heard:
        """An event of a timeline, decrypted if we have its key, with how far to trust it."""
        if raw.get("type") != wire.ENCRYPTED:
            return wire.Heard(event=raw)
        event = None if wire.torn(raw) else room_events.Event.parse_event(copy.deepcopy(dict(raw)))
        if not isinstance(event, room_events.MegolmEvent):
            return wire.Heard(event=raw, readable=False)
        event.room_id = room_id
        self._memory.met = None
        try:
            clear = self.olm.decrypt_megolm_event(event)
        except _STUMBLES:
            again = self._memory.met not in {None, (event.event_id, event.server_timestamp)}
            return wire.Heard(event=raw, readable=False, replayed=again, device=event.device_id)
        source = getattr(clear, "source", None)
        if not isinstance(source, dict) or source.get("type") == wire.ENCRYPTED:
            return wire.Heard(event=raw, readable=False, device=event.device_id)
        told = {**source, "event_id": raw.get("event_id"), "sender": raw.get("sender")}
        return wire.Heard(event=told, trust=self._trust(event, room_id), device=event.device_id)

    def _trust(self, event: room_events.MegolmEvent, room_id: str) -> room.Trust:
        """Whether the session is that very device's, and the device its owner's."""
        held = self.olm.inbound_group_store.get(room_id, event.sender_key, event.session_id)
        device = self.olm.device_store[event.sender].get(event.device_id)
        if (
            held is None
            or device is None
            or device.deleted
            or held.forwarding_chain
            or device.ed25519 != held.ed25519
            or device.curve25519 != event.sender_key
            or not self.olm.is_device_verified(device)
        ):
            return room.Trust.UNKNOWN_DEVICE
        return room.Trust.OWN_DEVICE

    # ------------------------------------------------------------ chores

    async def chores(self) -> None:
        """Upload one-time keys, mend broken sessions, ask for missing keys. Raises CallError."""
        if self.client.should_upload_keys:
            await self.upload_keys()
        if self.client.should_claim_keys:
            await self._claim(self.olm.get_users_for_key_claiming())
        for message in list(self.client.outgoing_to_device_messages):
            await self._server.call(
                "PUT",
                calls.path("sendToDevice", message.type, secrets.token_hex(16)),
                message.as_dict(),
            )
            self.client.receive_response(nio.ToDeviceResponse(message))

    async def upload_keys(self) -> None:
        """Publish our device's keys and fresh one-time keys. Raises CallError."""
        body = await self._server.call("POST", calls.path("keys", "upload"), self.olm.share_keys())
        counts = body.get("one_time_key_counts")
        if not isinstance(counts, dict):
            raise calls.AwayError("an upload of keys was answered without counts")
        whole = {"curve25519": 0, _CLAIM: 0, **counts}
        self.client.receive_response(
            nio.KeysUploadResponse.from_dict({"one_time_key_counts": whole})
        )

    async def _claim(self, wanted: Mapping[str, Sequence[str]]) -> None:
        asked = {user: dict.fromkeys(devices, _CLAIM) for user, devices in wanted.items()}
        body = await self._server.call(
            "POST", calls.path("keys", "claim"), {"one_time_keys": asked, "timeout": 10_000}
        )
        answer = nio.KeysClaimResponse.from_dict(body)
        if isinstance(answer, nio.KeysClaimResponse):
            # One device with a key that is none must not keep the others from theirs.
            with contextlib.suppress(*_STUMBLES):
                self.client.receive_response(answer)

    # ------------------------------------------------------------ out

    def is_encrypted(self, room_id: str) -> bool:
        """Whether the room is encrypted now or was once, as our store remembers."""
        known = self.client.rooms.get(room_id)
        return room_id in self.client.encrypted_rooms or bool(known and known.encrypted)

    async def seal(
        self, room_id: str, kind: str, content: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """The event encrypted for whom we trust. Raises NotSafeError, CallError."""
        known = self.client.rooms.get(room_id)
        if known is None or not known.encrypted:
            raise NotSafeError("the room was encrypted and now says that it is not")
        async with self._sealing:
            if self.olm.should_share_group_session(room_id):
                await self._share(room_id)
            try:
                sealed = self.client.encrypt(room_id, kind, json.loads(json.dumps(content)))
            except (nio.exceptions.GroupEncryptionError, nio.exceptions.MembersSyncError):
                raise NotSafeError("the room's key could not be shared") from None
        if sealed[0] != wire.ENCRYPTED or "body" in sealed[1]:
            raise NotSafeError("nio did not encrypt")
        return sealed[0], dict(sealed[1])

    async def _share(self, room_id: str) -> None:
        """Give the room's next key to the devices that may have it, each in its own envelope."""
        joined = await self._server.call("GET", calls.path("rooms", room_id, "joined_members"))
        members = nio.JoinedMembersResponse.from_dict(joined, room_id)
        if not isinstance(members, nio.JoinedMembersResponse):
            raise calls.AwayError("a list of members that nobody can read")
        self.client.receive_response(members)
        missing = {
            user: [d for d in devices if not self._shut_out(user, d)]
            for user, devices in self.client.get_missing_sessions(room_id).items()
        }
        missing = {user: devices for user, devices in missing.items() if devices}
        if missing:
            await self._claim(missing)
        users = list(self.client.rooms[room_id].users)
        for sharing_with, messages in self.olm.share_group_session_parallel(
            room_id, users, ignore_unverified_devices=True
        ):
            target = calls.path("sendToDevice", wire.ENCRYPTED, secrets.token_hex(16))
            await self._server.call("PUT", target, messages)
            self.client.receive_response(nio.ShareGroupSessionResponse(room_id, sharing_with))
        # nio leaves it unshared for ever if one device had no keys left to claim.
        self.olm.outbound_group_sessions[room_id].shared = True

    def _shut_out(self, user: str, device_id: str) -> bool:
        device = self.olm.device_store[user].get(device_id)
        return device is None or self.olm.is_device_blacklisted(device)


def _pieces(body: calls.Body) -> Iterator[calls.Body]:
    """The answer in pieces: each message to our device, each room, then what is left.

    So what a hostile client makes up costs nobody else's keys or rooms. They are copies, since
    nio takes events apart as it reads them; nio ignores an answer whose token it has seen.
    """
    copied = copy.deepcopy(body)
    token = str(copied.get("next_batch"))
    direct, rooms = copied.pop("to_device", None), copied.get("rooms")
    events = direct.get("events") if isinstance(direct, dict) else None
    for place, event in enumerate(events if isinstance(events, list) else ()):
        if isinstance(event, dict) and str(event.get("type")).startswith(verifying.FAMILY):
            # Ours to refuse; nio would wait for somebody to compare emoji.
            continue
        yield {"next_batch": f"{token}/{place}", "to_device": {"events": [event]}}
    joined = rooms.pop("join", None) if isinstance(rooms, dict) else None
    for room_id, told in joined.items() if isinstance(joined, dict) else ():
        _hide_torn(told)
        yield {"next_batch": f"{token}/{room_id}", "rooms": {"join": {room_id: told}}}
    yield copied


def _hide_torn(told: object) -> None:
    """Encrypted events that lack a field: nio asserts that they do not."""
    timeline = told.get("timeline") if isinstance(told, dict) else None
    events = timeline.get("events") if isinstance(timeline, dict) else None
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and wire.torn(event):
            event["type"] = "m.antirelou.torn"
