"""A stand-in for signal-cli-rest-api on loopback, with Signal behind it and a ledger of its own.

Answers are those recorded of the real server (../shared/contracts/signal-rest-observed-*.txt), in
both shapes. `ledger` is what phones really got, whatever the answer said.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web

from tests.bridges.signal.envelopes import AT_MS, OURS, Raw

Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]

TOKEN = "tok-1111"
LIMITED = (
    "Failed to send message due to rate limiting. Use the attached challenge tokens to lift the "
    "rate limit restrictions via the '/v1/accounts/{number}/rate-limit-challenge' endpoint."
)
FAILED = {"error": "Failed to send message"}
CUT = {
    "error": "Failed to send message: Connection closed! (IOException) (UnexpectedErrorException)"
}
UNTRUSTED = {"error": "Failed to send message due to untrusted identities"}
# What is said to each fault, and whether the message came all the same.
DELIVERED = frozenset({None, "limited delivered", "hang delivered", "cut delivered", "500"})
SAID: dict[str, tuple[int, dict[str, object]]] = {
    "limited": (429, {"error": LIMITED, "challenge_tokens": [TOKEN], "account": OURS}),
    "limited delivered": (429, {"error": LIMITED, "challenge_tokens": [TOKEN], "account": OURS}),
    "slow down": (429, {"error": LIMITED, "account": OURS}),
    "untrusted": (400, {**UNTRUSTED}),
    "gone": (400, {"error": f"User {OURS} is not registered."}),
    "outdated": (400, {"error": "[499] Failed to send message (DeprecatedVersionException)"}),
    "failed": (400, {**FAILED}),
    "cut": (400, {**CUT}),
    "cut delivered": (400, {**CUT}),
}


@dataclasses.dataclass(frozen=True)
class Got:
    """A message on somebody's phone."""

    recipient: str
    text: str
    timestamp: int


@dataclasses.dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: bytes


class Neighbour:
    """`faults` are taken one a send, oldest first; None is no fault."""

    def __init__(self, mode: str = "json-rpc", *, newer: bool = True) -> None:
        self.mode, self.newer = mode, newer
        self.version = "0.100"
        self.accounts = [OURS]
        self.ledger: list[Got] = []
        self.faults: collections.deque[str | None] = collections.deque()
        self.asked: list[Asked] = []
        self.waiting: collections.deque[object] = collections.deque()
        self.left: list[list[object]] = []
        self.dies_in_answer = False
        self.registered: set[str] = {OURS}
        self.search_fault: str | None = None
        self.identities: list[dict[str, str]] = []
        self.trusted: list[str] = []
        self.profile = ""
        self.attachments: list[str] = []
        self.log_level = "warn"
        self.captcha = "signalcaptcha://right"
        self.links: set[web.WebSocketResponse] = set()
        self.half_open = False
        self.clock = itertools.count(AT_MS + 1_000_000)
        self._gone = asyncio.Event()
        self._change = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        app = web.Application()
        number = "/{number}"
        app.add_routes(
            [
                web.get("/v1/about", self._noted(self._about)),
                web.get("/v1/accounts", self._noted(self._accounts)),
                web.post("/v2/send", self._noted(self._send)),
                web.get(f"/v1/receive{number}", self._noted(self._receive)),
                web.get(f"/v1/search{number}", self._noted(self._search)),
                web.get(f"/v1/identities{number}", self._noted(self._identities)),
                web.put(f"/v1/identities{number}/trust/{{who}}", self._noted(self._trust)),
                web.put(f"/v1/profiles{number}", self._noted(self._profile)),
                web.get(f"/v1/contacts{number}", self._noted(self._contacts)),
                web.post(f"/v1/configuration{number}/settings", self._noted(self._done)),
                web.get("/v1/configuration", self._noted(self._configuration)),
                web.get("/v1/attachments", self._noted(self._attachments)),
                web.post(
                    f"/v1/accounts{number}/rate-limit-challenge", self._noted(self._challenge)
                ),
            ]
        )
        self._gone.clear()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def close(self) -> None:
        """The process ends: connections break, what waits at Signal waits on."""
        self._gone.set()
        for link in list(self.links):
            await link.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def linked(self) -> None:
        """Wait until somebody listens on the websocket."""
        async with self._change:
            await self._change.wait_for(lambda: bool(self.links))

    async def push(self, raw: Raw) -> int:
        """To every websocket that is open; how many there were. What nobody takes is lost."""
        for link in list(self.links):
            await link.send_str(json.dumps(raw))
        return len(self.links)

    def last(self, path: str) -> dict[str, Any]:
        """The body of the newest request there."""
        found = [one for one in self.asked if one.path == path]
        body: dict[str, Any] = json.loads(found[-1].body)
        return body

    # ---------------------------------------------------------------- endpoints

    def _noted(self, answer: Answers) -> Answers:
        """So that each request can be looked at afterwards."""

        async def note(request: web.Request) -> web.StreamResponse:
            query = tuple(request.query.items())
            self.asked.append(Asked(request.method, request.path, query, await request.read()))
            return await answer(request)

        return note

    async def _about(self, request: web.Request) -> web.Response:
        told = {
            "versions": ["v1", "v2"],
            "build": 2,
            "mode": self.mode,
            "version": self.version,
            "capabilities": {"v2/send": ["quotes", "mentions"]},
        }
        return web.json_response(told)

    async def _accounts(self, request: web.Request) -> web.Response:
        return web.json_response(self.accounts)

    async def _send(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        fault = self.faults.popleft() if self.faults else None
        (recipient,) = body["recipients"]
        if fault == "hang first" and not body["message"].endswith(" 1"):
            # It was meant for a send that was cancelled before it came here.
            fault = None
        if fault in DELIVERED:
            stamp = next(self.clock)
            self.ledger.append(Got(recipient, body["message"], stamp))
        else:
            stamp = 0
        return await self._answer(request, fault, recipient, stamp)

    async def _answer(
        self, request: web.Request, fault: str | None, recipient: str, stamp: int
    ) -> web.StreamResponse:
        if fault is None:
            told = {"timestamp": str(stamp)}
            return web.json_response([told] if self.newer else told, status=201)
        if fault in SAID:
            status, said = SAID[fault]
            return web.json_response(said, status=status)
        if fault == "unregistered":
            words = {"error": f"The user {recipient} is not registered."}
            return web.json_response(words, status=400)
        if fault == "nonsense":
            return web.Response(status=201, text='{"timestamp')
        if fault.startswith("hang"):
            await self._gone.wait()
        elif fault == "reset" and request.transport is not None:
            request.transport.abort()
        return web.Response(status=500, text="oops")

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        if self.mode == "json-rpc":
            return await self._link(request)
        most = int(request.query["max_messages"])
        batch = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        self.left.append(batch)
        if self.dies_in_answer and request.transport is not None:
            request.transport.abort()
        return web.json_response(batch)

    async def _link(self, request: web.Request) -> web.StreamResponse:
        link = web.WebSocketResponse(autoping=not self.half_open)
        await link.prepare(request)
        self.links.add(link)
        async with self._change:
            self._change.notify_all()
        try:
            if self.half_open:
                await self._gone.wait()
            async for frame in link:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    break
        finally:
            self.links.discard(link)
        return link

    async def _search(self, request: web.Request) -> web.Response:
        if self.search_fault == "limited":
            return web.json_response({"error": LIMITED, "challenge_tokens": [TOKEN]}, status=429)
        if self.search_fault == "worded":
            return web.json_response({"error": "Rate limit exceeded"}, status=400)
        if self.search_fault == "500":
            return web.Response(status=500)
        known = set() if self.search_fault == "blind" else self.registered
        numbers = request.query.getall("numbers")
        return web.json_response([{"number": n, "registered": n in known} for n in numbers])

    async def _identities(self, request: web.Request) -> web.Response:
        return web.json_response(self.identities)

    async def _trust(self, request: web.Request) -> web.Response:
        self.trusted.append(request.match_info["who"])
        return web.Response(status=204)

    async def _profile(self, request: web.Request) -> web.Response:
        self.profile = json.loads(await request.read())["name"]
        return web.Response(status=204)

    async def _contacts(self, request: web.Request) -> web.Response:
        profile = {"given_name": self.profile}
        return web.json_response([{"number": OURS, "profile": profile}] if self.profile else [])

    async def _done(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _configuration(self, request: web.Request) -> web.Response:
        return web.json_response({"logging": {"Level": self.log_level}})

    async def _attachments(self, request: web.Request) -> web.Response:
        return web.json_response(self.attachments)

    async def _challenge(self, request: web.Request) -> web.Response:
        told = json.loads(await request.read())
        if told["captcha"] != self.captcha or told["challenge_token"] != TOKEN:
            return web.json_response({"error": "Captcha rejected"}, status=400)
        self.faults.clear()
        return web.Response(status=204)
