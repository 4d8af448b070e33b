"""A phone with the app, or its server: a real HTTP server with a ledger of its own and faults."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.contract import bridge, conformance
from bot.contract.conformance import fakes
from tests.bridges.sms.smsgate import contract

OURS = "+33639980000"
SECOND = "+33639980009"
HIS = "+33639981234"
KEY = "k-made-up-for-tests"
DEVICE = "PyDmBQZZXYmyxMwED8Fzy"
FAULTS = (
    "400", "401", "404", "409", "429", "500-before", "500-after", "502-after", "503-queue",
    "503-proxy", "cut-before", "cut-after", "hang-before", "hang-after", "nonsense",
)  # fmt: skip


@dataclasses.dataclass
class Entry:
    """One message in the phone's queue."""

    body: dict[str, Any]
    state: str = "Pending"


class Phone:
    """`ledger`: what went out to people. `faults`: what the next sends meet, in order."""

    def __init__(self, api: str = "phone") -> None:
        """`api`: `phone` or `server`, which differ in path, id checks and inbox."""
        self.api = api
        self.prefix = "/3rdparty/v1" if api == "server" else ""
        self.ledger: list[conformance.Sent] = []
        self.queue: dict[str, Entry] = {}
        self.faults: collections.deque[str] = collections.deque()
        self.hangs: set[str] = set()
        self.inbox: list[dict[str, Any]] = []
        self.lists_inbox = True
        self.hooks: list[dict[str, Any]] = []
        self.settings: dict[str, Any] = {}
        self.refreshes: list[dict[str, Any]] = []
        self.devices = [DEVICE]
        self.healthy = True
        self.errors: list[BaseException] = []
        self.asked: collections.Counter[str] = collections.Counter()
        # openapi-core takes 10 to 20 ms a request, in the very loop whose time limits are tried.
        self.judges_every = 1
        self._judge = judge(api)
        self._hung: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def close(self) -> None:
        for task in self._hung:
            task.cancel()
        await self._runner.cleanup()
        if self.errors:
            raise self.errors[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def table(self, **more: object) -> dict[str, object]:
        """A good table of settings."""
        return {
            "kind": "sms.smsgate",
            "api": self.api,
            "url": self.url,
            "username": "sms",
            "password": "made-up",
            "signing_key": KEY,
            "device_id": DEVICE,
            "addresses": [{"value": OURS, "state": "offered", "sim": 1}],
            "send_limit_s": 1,
            **more,
        }

    # ------------------------------------------------------------ HTTP

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        path = request.path.removeprefix(self.prefix)
        self.asked[f"{request.method} /{path.split('/')[1]}"] += 1
        if self._judge is not None and self.asked.total() % self.judges_every == 0:
            try:
                self._judge.check(
                    method=request.method,
                    path=request.path,
                    query=dict(request.query),
                    headers=dict(request.headers),
                    body=raw,
                )
            except Exception as error:  # noqa: BLE001 (whatever it is, the test must show it)
                self.errors.append(error)
        if path != "/health" and "Authorization" not in request.headers:
            return web.json_response({"message": "Unauthorized"}, status=401)
        body = json.loads(raw) if raw else None
        if request.method == "POST" and path == "/messages":
            return await self._send(request, json.loads(raw))
        return self._answer(request, path, body)

    def _answer(self, request: web.Request, path: str, body: Any) -> web.Response:  # noqa: ANN401, PLR0911
        match request.method, path.split("/")[1:]:
            case "GET", ["health"]:
                return web.json_response({"status": "pass"}, status=200 if self.healthy else 503)
            case "GET", ["messages", message_id]:
                return self._state(message_id)
            case "GET", ["inbox"]:
                return self._inbox(request)
            case "POST", ["inbox", "refresh"]:
                self.refreshes.append(body)
                return web.Response(status=202)
            case "GET", ["webhooks"]:
                return web.json_response(self.hooks)
            case "POST", ["webhooks"]:
                self.hooks = [h for h in self.hooks if h["id"] != body["id"]] + [body]
                return web.json_response(body, status=201)
            case "GET", ["devices"]:
                return web.json_response([{"id": one} for one in self.devices])
            case "PATCH", ["settings"]:
                self.settings |= body
                return web.json_response({})
        return web.json_response({"message": "no such thing"}, status=404)

    def _state(self, message_id: str) -> web.Response:
        entry = self.queue.get(message_id)
        if entry is None:
            return web.json_response({"message": "unknown"}, status=404)
        people = [{"phoneNumber": n, "state": entry.state} for n in entry.body["phoneNumbers"]]
        told = {"id": message_id, "deviceId": DEVICE, "state": entry.state, "recipients": people}
        return web.json_response(told)

    def _inbox(self, request: web.Request) -> web.Response:
        if not self.lists_inbox:
            return web.json_response({"message": "not implemented"}, status=501)
        found = [one for one in self.inbox if one["type"] == request.query["type"]]
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        return web.json_response(found[offset : offset + limit])

    async def _send(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        fault = self.faults.popleft() if self.faults else ""
        if body["id"] in self.hangs:
            fault = "hang-before"
        if fault in {"400", "401", "404", "409", "429"}:
            headers = {"Retry-After": "7"} if fault == "429" else {}
            return web.json_response({"message": "-"}, status=int(fault), headers=headers)
        if fault.endswith("-queue"):
            told = {"error": "QueueLimitExceeded", "message": "queue limits exceeded: full"}
            return web.json_response(told, status=503)
        if fault.endswith("-after") or fault in {"", "nonsense", "503-proxy"}:
            known = self._enqueue(body)
            if known and fault == "":
                return web.json_response({"message": "exists"}, status=409)
        return await self._broken(request, fault, body)

    async def _broken(
        self, request: web.Request, fault: str, body: dict[str, Any]
    ) -> web.StreamResponse:
        if fault.startswith("hang"):
            task = asyncio.current_task()
            assert task is not None
            self._hung.add(task)
            await asyncio.Event().wait()
        if fault.startswith("cut"):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault == "nonsense":
            return web.Response(status=202, text="<html>")
        if fault:
            return web.Response(status=int(fault[:3]), text="Bad Gateway")
        told = {"id": body["id"], "deviceId": DEVICE, "state": "Pending", "recipients": []}
        return web.json_response(told, status=202)

    def _enqueue(self, body: dict[str, Any]) -> bool:
        """Take it into the queue, which sends at once; whether it was there already."""
        if body["id"] in self.queue:
            return True
        self.queue[body["id"]] = Entry(body=body, state="Sent")
        (number,) = body["phoneNumbers"]
        self.ledger.append(
            conformance.Sent(
                recipient=number, text=body["textMessage"]["text"], reply_id=body["id"]
            )
        )
        return False


def judge(api: str) -> contract.Judge | None:
    """The file that judges, None where it is missing (test_openapi says so aloud)."""
    name = contract.SERVER if api == "server" else contract.PHONE
    if not (contract.folder() / name).is_file():
        return None
    return JUDGES.setdefault(name, contract.Judge(name)) if name not in JUDGES else JUDGES[name]


JUDGES: dict[str, contract.Judge] = {}


# ---------------------------------------------------------------- events


def event(kind: str, event_id: str = "e1", **payload: object) -> dict[str, Any]:
    """An event as the app posts it."""
    return {
        "deviceId": DEVICE,
        "event": kind,
        "id": event_id,
        "payload": payload,
        "webhookId": "w1",
    }


def received(
    text: str = "salut", event_id: str = "e1", *, at: dt.datetime = fakes.NOON, **more: object
) -> dict[str, Any]:
    """An SMS that came in."""
    fields: dict[str, object] = {
        "messageId": "83be51e4",
        "message": text,
        "sender": HIS,
        "phoneNumber": HIS,
        "recipient": None,
        "simNumber": 1,
        "receivedAt": at.astimezone(dt.timezone(dt.timedelta(hours=1))).isoformat(),
    }
    return event("sms:received", event_id, **(fields | more))


def signature(body: bytes, at: dt.datetime, key: str = KEY) -> dict[str, str]:
    """The headers that the app sends with a body."""
    stamp = str(int(at.timestamp()))
    mac = hmac.new(key.encode(), body + stamp.encode(), hashlib.sha256).hexdigest()
    return {"content-type": "application/json", "x-signature": mac, "x-timestamp": stamp}


async def post(
    app: bridge.AsgiApp,
    told: Mapping[str, Any] | bytes,
    *,
    at: dt.datetime = fakes.NOON,
    key: str = KEY,
    **headers: str,
) -> conformance.Answer:
    """One signed event into the bridge's route."""
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    given = {**signature(body, at, key), **{n.replace("_", "-"): v for n, v in headers.items()}}
    return await conformance.call(app, "/sms/sms/events", body=body, headers=given)
