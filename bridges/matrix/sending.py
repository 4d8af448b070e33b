"""Sends into rooms: every event under our own transaction id, encrypted where the room is.

`say` sends one event, whoever asks. `Speaker` is the one task that says what the core has for
the moderators' room: it asks anew before each, so an answer never waits behind notices, and it
keeps to the pace that the homeserver asks for.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Mapping
from typing import Any, Final

from nio.crypto import attachments

from bot.contract import bridge, clock, intake, room
from bridges.matrix import calls, crypto, sync, wire

MAX_REACTIONS: Final = 50
REACTION: Final = "m.reaction"
_STATE: Final = "state"


class Voice:
    """One account's way to say something in a room it is in.

    `sealed`: rooms that were encrypted once, whatever the homeserver says today.
    """

    def __init__(self, server: calls.Homeserver, keys: crypto.Crypto) -> None:
        self._server = server
        self._keys = keys
        self.sealed: set[str] = set()

    async def say(
        self, room_id: str, transaction: str, kind: str, content: Mapping[str, Any]
    ) -> str:
        """Send one event; its id. The same transaction again gives the same id, and one event.

        Raises CallError, and crypto.NotSafeError rather than plain text where it was encrypted.
        """
        event_kind, body = await self.ready(room_id, kind, content)
        return await self.put(room_id, transaction, event_kind, body)

    async def ready(
        self, room_id: str, kind: str, content: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, Any]]:
        """The event as it may go there, encrypted where the room is; nothing has left by then.

        It may ask for keys and share ours, which takes a while once. Raises as `say` does.
        """
        # Clients do not encrypt reactions; they hold a key and an event id, no words.
        if kind != REACTION and await self.encrypted(room_id):
            return await self._keys.seal(room_id, kind, content)
        return kind, content

    async def put(
        self,
        room_id: str,
        transaction: str,
        event_kind: str,
        body: Mapping[str, Any],
        *,
        connect_s: float | None = None,
    ) -> str:
        """Send what is ready; its id. `connect_s` as in Homeserver.call. Raises CallError."""
        target = calls.path("rooms", room_id, "send", event_kind, transaction)
        told = await self._server.call("PUT", target, body, connect_s=connect_s)
        event_id = told.get("event_id")
        if not isinstance(event_id, str):
            raise calls.AwayError("a send was answered without an event id")
        return event_id

    async def withdraw(self, room_id: str, event_id: str, transaction: str) -> str:
        """Take back an event of ours; the redaction's id. Raises CallError."""
        told = await self._server.call(
            "PUT", calls.path("rooms", room_id, "redact", event_id, transaction), {}
        )
        return str(told.get("event_id", ""))

    async def encrypted(self, room_id: str) -> bool:
        """Whether only encrypted events may go there. Raises CallError.

        A plain room is asked for at each send: it may have been encrypted a moment ago.
        """
        if room_id in self.sealed or self._keys.is_encrypted(room_id):
            return True
        target = calls.path("rooms", room_id, _STATE, "m.room.encryption", "")
        try:
            await self._server.call("GET", target)
        except calls.RefusedError as error:
            if error.code == "M_NOT_FOUND":
                return False
            raise
        raise calls.AwayError("the room was encrypted a moment ago", unsent=True)

    async def picture(self, room_id: str, image: room.Image) -> dict[str, Any]:
        """Upload a picture; the content of an m.image event. Raises CallError."""
        info = {
            "mimetype": "image/png",
            "w": image.width,
            "h": image.height,
            "size": len(image.png),
        }
        content: dict[str, Any] = {"msgtype": "m.image", "info": info, "filename": image.name}
        if await self.encrypted(room_id):
            sealed, keys = attachments.encrypt_attachment(image.png)
            uri = await self._server.upload(sealed, "application/octet-stream", "")
            return {**content, "file": {**keys, "url": uri}}
        return {**content, "url": await self._server.upload(image.png, "image/png", image.name)}


def content_of(out: room.Outgoing) -> dict[str, Any]:
    """The event's content: a notice that mentions nobody, so that no phone rings for it.

    What somebody must act on mentions them, and is no notice: phones keep still for those.
    """
    content: dict[str, Any] = {"msgtype": "m.notice", "body": out.plain, "m.mentions": {}}
    if out.mentions:
        content |= {"msgtype": "m.text", "m.mentions": {"user_ids": list(out.mentions)}}
    if out.html:
        content |= {"format": "org.matrix.custom.html", "formatted_body": out.html}
    if out.replaces is not None:
        return {
            **content,
            "body": f"* {out.plain}",
            **({"formatted_body": f"* {out.html}"} if out.html else {}),
            "m.new_content": content,
            "m.relates_to": {"rel_type": "m.replace", "event_id": out.replaces},
        }
    if out.answers is not None:
        content["m.relates_to"] = {"m.in_reply_to": {"event_id": out.answers}}
    return content


def reaction_of(on: str, key: str) -> dict[str, Any]:
    """The content of our own reaction below a prompt."""
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": on, "key": key}}


class Speaker:
    """Says what the core has for this channel, one thing at a time."""

    def __init__(
        self,
        *,
        channel: str,
        voice: Voice,
        door: room.Door,
        moment: clock.Clock,
        patience: sync.Patience,
        here: asyncio.Event,
    ) -> None:
        """`here` is set once we are in the room and know its state."""
        self._channel = channel
        self._voice = voice
        self._door = door
        self._clock = moment
        self.patience = patience
        self._here = here
        self.unsafe = ""
        self._reactions: collections.deque[tuple[str, str, str, str]] = collections.deque(
            maxlen=MAX_REACTIONS
        )

    async def run(self) -> None:
        """Until cancelled. Raises BridgeDownError when a human must log in."""
        await self._here.wait()
        while True:
            try:
                if not await self._next():
                    await self._door.ready(self._channel)
            except intake.NotStoredError as away:
                await self._clock.sleep(away.retry_after_s)
            except calls.TokenError:
                raise bridge.BridgeDownError(
                    "the homeserver refuses our login",
                    needs_human=sync.LOGIN_AGAIN.format(self._channel),
                ) from None
            except calls.CallError as error:
                await self.patience.wait(error)
            except crypto.NotSafeError as error:
                self.unsafe = error.reason
                await self.patience.wait(calls.AwayError(error.reason))
            else:
                self.unsafe = ""
                self.patience.well()

    async def _next(self) -> bool:
        """Say the most urgent thing, or set one reaction; whether there was anything."""
        waiting = await self._door.outgoing(self._channel, limit=1)
        if waiting:
            await self._one(waiting[0])
            return True
        if self._reactions:
            room_id, on, key, transaction = self._reactions[0]
            try:
                await self._voice.say(room_id, transaction, REACTION, reaction_of(on, key))
            except calls.TokenError:
                raise
            except calls.RefusedError:
                pass  # Somebody set it before us, or the message is gone; it is only a hint.
            self._reactions.popleft()
            return True
        return False

    async def _one(self, out: room.Outgoing) -> None:
        try:
            if out.withdraws is not None:
                event_id = await self._voice.withdraw(out.room_id, out.withdraws, out.id)
            else:
                content = content_of(out)
                if out.image is not None:
                    picture = await self._voice.picture(out.room_id, out.image)
                    content = {**content, **picture}
                event_id = await self._voice.say(out.room_id, out.id, wire.MESSAGE, content)
        except calls.TokenError:
            raise
        except calls.RefusedError as error:
            if error.code == "M_FORBIDDEN":
                # Not in the room, or muted there: a human's to mend; the words wait.
                raise calls.AwayError("we may not write in the moderators' room") from None
            await self._door.refused(out.id, error.code.lower())
            return
        # Told before the reactions: somebody may tap at once, and the core must know the prompt.
        await self._door.sent(out.id, event_id)
        for place, key in enumerate(out.reactions):
            self._reactions.append((out.room_id, event_id, key, f"{out.id}.{place}"))
