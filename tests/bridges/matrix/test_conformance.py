"""The bridge conformance kit for the public handle, against a real Synapse."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiohttp import web

from bot.contract import address, bridge, conformance, intake, messages, outcomes
from bridges.matrix import calls, direct, handle, session, settings, sync
from tests.bridges.matrix import people
from tests.peers import matrix_proxy, synapse


class Connected(handle.Handle):
    """Ours, connected before it sends: the program always listens meanwhile, the kit does not."""

    def __init__(self, table: Mapping[str, object], context: bridge.Context) -> None:
        super().__init__(settings.read(table), context)
        self._ears: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()

    async def listen(self, door: intake.Intake) -> None:
        await self._deaf()
        await super().listen(door)

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        if self._live is None and self._ears is None:
            self._ears = asyncio.create_task(super().listen(conformance.FakeIntake()))
        await self._heard.wait()
        return await super().send(reply)

    async def _take(self, rooms: direct.Rooms, news: sync.News) -> None:
        await super()._take(rooms, news)
        self._heard.set()

    async def close(self) -> None:
        await self._deaf()
        await super().close()

    async def _deaf(self) -> None:
        ears, self._ears = self._ears, None
        if ears is not None:
            ears.cancel()
            await asyncio.wait({ears})


class Handles:
    """A stranger and our handle in one direct room, with a bad line between us and Synapse."""

    server: ClassVar[synapse.Synapse]
    patience_s = 12.0
    quiet_s = 0.4
    time_limit_s = handle.SEND_LIMIT_S

    def __init__(self) -> None:
        self.user = ""
        self.person = address.Address("matrix", "@nobody:localhost")
        self._folder = Path()
        self._undo = contextlib.AsyncExitStack()
        self._his = calls.Homeserver("")
        self._known: dict[str, str] = {}
        self._room_id = ""
        self._sent: list[conformance.Sent] = []
        self._next = ""
        self._events: set[str] = set()

    async def open(self) -> None:
        home = self._undo.enter_context(tempfile.TemporaryDirectory())
        self._folder = Path(home) / "keys"
        self.user = self.server.register(f"h-{secrets.token_hex(4)}", people.PASSWORD)
        him = self.server.register(f"him-{secrets.token_hex(4)}", people.PASSWORD)
        self.person = address.Address("matrix", him)
        self._his = await self._login(him, "HIS")
        ours = await self._login(self.user, "OURS", keep=True)
        made = await self._his.call(
            "POST",
            calls.path("createRoom"),
            {"is_direct": True, "invite": [self.user], "preset": "trusted_private_chat"},
        )
        self._room_id = made["room_id"]
        await ours.call("POST", calls.path("rooms", self._room_id, "join"), {})
        self.proxy = matrix_proxy.Proxy(self.server.url)
        self.proxy.fault = self._fault
        self.proxy.heard = self._heard
        await self._undo.enter_async_context(self.proxy.running())

    async def _login(self, user: str, device: str, *, keep: bool = False) -> calls.Homeserver:
        server = calls.Homeserver(self.server.url)
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user},
            "password": people.PASSWORD,
            "device_id": device,
        }
        told = await server.call("POST", calls.path("login"), body)
        await server.close()
        if keep:
            login = session.Login(user=user, device=device, token=told["access_token"])
            session.Folder(self._folder).keep_login(login)
        made = calls.Homeserver(self.server.url, told["access_token"])
        self._undo.push_async_callback(made.close)
        return made

    async def close(self) -> None:
        await self._undo.aclose()

    def settings(self) -> Mapping[str, object]:
        return {
            "role": "public",
            "homeserver": self.proxy.url,
            "user": self.user,
            "folder": str(self._folder),
        }

    def create(self, settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
        return Connected(settings, context)

    async def deliver(self, inbound: conformance.Inbound) -> None:
        """His message under one transaction: the same event again is the same."""
        target = calls.path(
            "rooms", self._room_id, "send", "m.room.message", f"his-{inbound.event_id}"
        )
        await self._his.call("PUT", target, {"msgtype": "m.text", "body": inbound.text})

    def sent(self) -> Sequence[conformance.Sent]:
        return list(self._sent)

    # ------------------------------------------------------------ troubles

    def refuse_next(self) -> None:
        self._next = "refuse"

    def wait_next(self) -> None:
        self._next = "wait"

    def break_next(self) -> None:
        self._next = "break"

    def hang_next(self) -> None:
        self._next = "hang"

    async def deliver_malformed(self) -> None:
        for place, content in enumerate(
            (
                {"msgtype": "m.text", "body": "\x00"},
                {"msgtype": "m.unheard-of", "body": "x"},
            )
        ):
            target = calls.path("rooms", self._room_id, "send", "m.room.message", f"bad-{place}")
            await self._his.call("PUT", target, content)
        target = calls.path("rooms", self._room_id, "send", "m.room.encrypted", "bad-e")
        await self._his.call("PUT", target, {"algorithm": 7})

    def _fault(self, method: str, path: str) -> web.Response | str | None:
        if method != "PUT" or "/send/" not in path or not self._next:
            return None
        how, self._next = self._next, ""
        if how == "hang" and not path.endswith(f"{1:032x}"):
            return None  # The kit cancelled the send that was meant before it began.
        if how == "refuse":
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "no"}, status=403)
        if how == "wait":
            return matrix_proxy.limited(5_000)
        return matrix_proxy.HANG if how == "hang" else web.Response(status=502, text="no")

    def _heard(self, path: str, asked: Any, told: Any) -> None:  # noqa: ANN401 (JSON)
        """What really got into the room: each event id once."""
        if "/send/" not in path or told.get("event_id") in self._events | {None}:
            return
        self._events.add(told["event_id"])
        transaction = path.rsplit("/", 1)[-1]
        sent = conformance.Sent(
            recipient=self.person.value, text=asked["body"], reply_id=transaction
        )
        self._sent.append(sent)


class TestHandle(conformance.BridgeConformance):
    harness = Handles

    @pytest.fixture(autouse=True)
    def _server(self, server: synapse.Synapse) -> None:
        Handles.server = server
