"""Between the bridge and the emulator, both ways: forwards, and makes the faults it lacks.

The API side cuts, stalls, answers 429, 5xx and nonsense before or after the emulator accepted,
and adds what the emulator does not know: prices, and dates by the test's own clock. The webhook
side drops, doubles and delays what the emulator reports. It keeps a ledger of which of our reply
ids became which message.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime as dt
import email.utils
import json
import random
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from aiohttp import web

from tests.bridges.sms.twilio import exchange

Core = Callable[[str, bytes, Mapping[str, str], str], Awaitable[int]]
"""(path, body, headers, query) -> status: whoever takes the webhooks now."""
BEFORE = ("cut", "429", "500", "nonsense", "stall")
PRICED_AFTER = dt.timedelta(seconds=60)
AFTER = ("cut", "500", "nonsense", "stall")


@dataclasses.dataclass(kw_only=True)
class Manner:
    """How often what goes wrong, from 0 to 1; `stall_s` must be longer than the bridge waits."""

    before: float = 0.0
    after: float = 0.0
    drop: float = 0.0
    double: float = 0.0
    late: float = 0.0
    stall_s: float = 4.0
    late_s: float = 0.5
    before_kinds: tuple[str, ...] = BEFORE


async def nobody(_path: str, _body: bytes, _headers: Mapping[str, str], _query: str) -> int:
    """The core is down."""
    return 502


class Between:
    """One proxy for both ways, on one port: it is `base_url` and `public_url` at once."""

    def __init__(self, emulator: str, now: Callable[[], dt.datetime], seed: int = 0) -> None:
        self.emulator = emulator.replace("localhost", "127.0.0.1")
        self.now = now
        self.core: Core = nobody
        self.manner = Manner()
        self.price = "-0.07980"
        self.accepted: dict[str, list[str]] = collections.defaultdict(list)
        self.faults: collections.Counter[str] = collections.Counter()
        self.reports: Callable[[str], Awaitable[None]] | None = None
        self.requests: list[tuple[str, str]] = []
        self._at: dict[str, dt.datetime] = {}
        self._draw = random.Random(seed)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        app = web.Application()
        app.router.add_post(self._api("Messages.json"), self._create)
        app.router.add_route("*", "/twilio/{rest:.*}", self._webhook)
        app.router.add_route("*", "/{rest:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        login = aiohttp.encode_basic_auth(exchange.ACCOUNT, exchange.TOKEN)
        self._session = aiohttp.ClientSession(
            headers={"Authorization": login}, connector=aiohttp.TCPConnector(limit=50)
        )

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    # ------------------------------------------------------------ what the world does

    async def receive(self, sender: str, text: str) -> str:
        """Somebody writes to our number: the emulator signs and calls our webhook. Its SID."""
        form = {"From": sender, "To": exchange.OURS, "Body": text}
        told = await self._post("/_twilio/simulate/inbound-message", form)
        self._at.setdefault(told["sid"], self.now())
        return str(told["sid"])

    async def report(self, sid: str, *statuses: str) -> None:
        """The network tells what became of a message of ours, in this order."""
        for status in statuses:
            form = {"MessageSid": sid, "Status": status}
            await self._post("/_twilio/simulate/message-status", form)

    async def listed(self) -> list[dict[str, Any]]:
        """All that went out, by the emulator's own list."""
        found: list[dict[str, Any]] = []
        path = (
            f"{self._api('Messages.json')}?From={urllib.parse.quote(exchange.OURS)}&PageSize=1000"
        )
        while path:
            async with self._session.get(self.emulator + path) as answer:
                told = await answer.json()
            found += told["messages"]
            following = told["next_page_uri"]
            # It forgets the filter in the next page's address.
            path = f"{following}&From={urllib.parse.quote(exchange.OURS)}" if following else ""
        return [one for one in found if one["direction"] == "outbound-api"]

    def later(self, work: Awaitable[Any]) -> None:
        """Do it meanwhile."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        async with self._session.post(self.emulator + path, data=form) as answer:
            answer.raise_for_status()
            told: dict[str, Any] = await answer.json()
            return told

    # ------------------------------------------------------------ the API side

    @staticmethod
    def _api(name: str) -> str:
        return f"/2010-04-01/Accounts/{exchange.ACCOUNT}/{name}"

    def _drawn(self, share: float, kinds: tuple[str, ...], when: str) -> str:
        if self._draw.random() >= share:
            return ""
        kind = self._draw.choice(kinds)
        self.faults[f"{when} {kind}"] += 1
        return kind

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        before = self._drawn(self.manner.before, self.manner.before_kinds, "before")
        if before:
            return await self._fail(request, before)
        form = dict(urllib.parse.parse_qsl(body.decode()))
        status, told = await self._forward(request, body)
        if status == 201:
            reply = form["StatusCallback"].rpartition("r=")[2]
            self._at[told["sid"]] = self.now()
            self.accepted[reply].append(told["sid"])
            if self.reports is not None:
                self.later(self.reports(told["sid"]))
        after = self._drawn(self.manner.after, AFTER, "after")
        if after:
            return await self._fail(request, after)
        return web.json_response(told, status=status)

    async def _fail(self, request: web.Request, kind: str) -> web.StreamResponse:
        if kind == "stall":
            await asyncio.sleep(self.manner.stall_s)
        if kind in {"cut", "stall"}:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if kind == "429":
            body = {"code": 20429, "status": 429}
            return web.json_response(body, status=429, headers={"Retry-After": "3"})
        if kind == "500":
            return web.json_response({"code": 20500, "status": 500}, status=500)
        return web.Response(text="<html>", status=201)

    async def _pass(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path))
        if not request.path.startswith("/2010-04-01/"):
            return web.json_response({"code": 20404, "status": 404}, status=404)
        status, told = await self._forward(request, await request.read())
        for one in [told, *told.get("messages", [])]:
            if "sid" in one and "direction" in one:
                self._mend(one)
        return web.json_response(told, status=status)

    def _mend(self, message: dict[str, Any]) -> None:
        """Dates by the test's clock, and the price that comes late."""
        at = self._at.setdefault(message["sid"], self.now())
        stamp = email.utils.format_datetime(at)
        message["date_created"] = stamp
        message["date_sent"] = stamp
        if message["direction"] == "outbound-api" and self.now() - at >= PRICED_AFTER:
            message["price"] = self.price

    async def _forward(self, request: web.Request, body: bytes) -> tuple[int, dict[str, Any]]:
        kept = ("Authorization", "Content-Type")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        async with self._session.request(
            request.method, self.emulator + request.path_qs, data=body, headers=headers
        ) as answer:
            raw = await answer.text()
            return answer.status, json.loads(raw) if raw else {}

    # ------------------------------------------------------------ the webhook side

    async def _webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = (request.path, body, headers, request.query_string)
        draw = self._draw.random()
        if draw < self.manner.drop:
            self.faults["webhook dropped"] += 1
            return web.Response(status=502)
        if draw < self.manner.drop + self.manner.late:
            self.faults["webhook late"] += 1
            self.later(self._late(call))
            return web.Response(status=504)
        if self._draw.random() < self.manner.double:
            self.faults["webhook doubled"] += 1
            await self.core(*call)
        return web.Response(status=await self.core(*call))

    async def _late(self, call: tuple[str, bytes, Mapping[str, str], str]) -> None:
        await asyncio.sleep(self._draw.random() * self.manner.late_s)
        await self.core(*call)
