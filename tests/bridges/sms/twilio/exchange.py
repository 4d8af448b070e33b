"""A small Twilio of our own over HTTP: it keeps a ledger of what it accepted, and faults on demand.

It speaks the parts of the API that the bridge uses, as twilio_api_v2010 and the Pricing and
Lookup pages describe them, and signs its webhooks with the SDK's own validator.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import email.utils
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

ACCOUNT = "AC" + "a1" * 16
TOKEN = "the-auth-token-of-a-test-account"
OURS = "+33639980000"
PUBLIC = "https://sms.example.org"

_NUMBER = {
    "capabilities": {"sms": True, "mms": False, "voice": True},
    "sms_url": "",
    "sms_method": "POST",
    "sms_fallback_url": "",
    "sms_fallback_method": "POST",
    "voice_url": "",
    "voice_method": "POST",
    "sms_application_sid": "",
    "voice_application_sid": "",
    "trunk_sid": "",
}


@dataclasses.dataclass(kw_only=True)
class Fault:
    """What happens to the next send. `after`: it was accepted all the same.

    `only`: the callback it must end with, else the fault passes unused.
    """

    kind: str
    after: bool = False
    status: int = 500
    code: int = 0
    retry_after: str = ""
    only: str = ""


class Exchange:
    """Messages by SID, newest last; `seen` holds every request for the contract's check."""

    def __init__(self, now: Callable[[], dt.datetime] | None = None) -> None:
        self.now = now or (lambda: dt.datetime.now(dt.UTC))
        self.messages: dict[str, dict[str, Any]] = {}
        self.numbers: dict[str, dict[str, Any]] = {}
        self.prices: dict[str, dict[str, Any]] = {}
        self.lines: dict[str, dict[str, Any] | None] = {}
        self.account: dict[str, Any] = {"sid": ACCOUNT, "status": "active", "type": "Full"}
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str, Mapping[str, str], Mapping[str, str]]] = []
        self.logins: list[str] = []
        self.hanging = asyncio.Event()
        self._ids = itertools.count(1)
        self._runner: web.AppRunner | None = None
        self.own(OURS)

    def own(self, number: str, **fields: object) -> None:
        """One more number in the account."""
        sid = f"PN{len(self.numbers):032x}"
        self.numbers[sid] = {"sid": sid, "phone_number": number, **_NUMBER, **fields}

    # ------------------------------------------------------------ life

    async def open(self) -> None:
        app = web.Application()
        base = f"/2010-04-01/Accounts/{ACCOUNT}"
        app.router.add_get(f"{base}.json", self._account)
        app.router.add_post(f"{base}/Messages.json", self._create)
        app.router.add_get(f"{base}/Messages.json", self._list)
        app.router.add_get(f"{base}/Messages/{{sid}}.json", self._fetch)
        app.router.add_post(f"{base}/Messages/{{sid}}.json", self._update)
        app.router.add_delete(f"{base}/Messages/{{sid}}.json", self._delete)
        app.router.add_get(f"{base}/IncomingPhoneNumbers.json", self._list_numbers)
        app.router.add_post(f"{base}/IncomingPhoneNumbers/{{sid}}.json", self._set_number)
        app.router.add_get("/v1/Messaging/Countries/{country}", self._price)
        app.router.add_get("/v2/PhoneNumbers/{number}", self._line)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def close(self) -> None:
        self.hanging.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        assert self._runner is not None
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    # ------------------------------------------------------------ what a person does

    def receive(self, sender: str, text: str, **more: object) -> dict[str, str]:
        """An SMS to our number; the form of its webhook."""
        told = self._message(sender, OURS, text, "inbound", "received", **more)
        return {
            "AccountSid": ACCOUNT,
            "MessageSid": told["sid"],
            "SmsSid": told["sid"],
            "From": sender,
            "To": OURS,
            "Body": text,
            "NumMedia": told["num_media"],
            "NumSegments": told["num_segments"],
            "ApiVersion": "2010-04-01",
        }

    def tell(self, sid: str, status: str, **more: object) -> dict[str, str]:
        """A new state of one of our messages; the form of its callback."""
        message = self.messages[sid]
        message.update({"status": status, **more})
        form = {
            "AccountSid": ACCOUNT,
            "MessageSid": sid,
            "SmsSid": sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "From": message["from"],
            "To": message["to"],
        }
        if message["error_code"] is not None:
            form["ErrorCode"] = str(message["error_code"])
        return form

    # ------------------------------------------------------------ the API

    def _message(
        self, sender: str, to: str, body: str, direction: str, status: str, **more: object
    ) -> dict[str, Any]:
        sid = f"SM{next(self._ids):032x}"
        stamp = email.utils.format_datetime(self.now())
        self.messages[sid] = {
            "sid": sid,
            "account_sid": ACCOUNT,
            "from": sender,
            "to": to,
            "body": body,
            "direction": direction,
            "status": status,
            "num_segments": "1",
            "num_media": "0",
            "error_code": None,
            "price": None,
            "price_unit": "USD",
            "date_created": stamp,
            "date_sent": stamp,
            **more,
        }
        return self.messages[sid]

    async def _note(self, request: web.Request) -> Mapping[str, str]:
        form = {k: str(v) for k, v in (await request.post()).items()}
        self.logins.append(request.headers.get("Authorization", ""))
        self.seen.append((request.method, request.path, dict(request.query), form))
        return form

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = await self._note(request)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not form.get("StatusCallback", "").endswith(fault.only):
            fault = None
        if fault is not None and not fault.after:
            return await self._fail(request, fault)
        told = self._message(form["From"], form["To"], form["Body"], "outbound-api", "queued")
        told["_callback"] = form.get("StatusCallback", "")
        if fault is not None:
            return await self._fail(request, fault)
        return web.json_response(_shown(told), status=201)

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "hang":
            await self.hanging.wait()
        if fault.kind in {"cut", "hang"}:
            if request.transport is not None:  # None: the client has gone before
                request.transport.abort()
            return web.Response()
        if fault.kind == "nonsense":
            return web.Response(text="<html>nobody knows</html>", status=201)
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        body = {"code": fault.code, "message": "no", "status": fault.status}
        return web.json_response(body, status=fault.status, headers=headers)

    async def _list(self, request: web.Request) -> web.Response:
        await self._note(request)
        query = request.query
        found = [
            _shown(one)
            for one in reversed(self.messages.values())
            if query.get("To", one["to"]) == one["to"]
            and query.get("From", one["from"]) == one["from"]
        ]
        return web.json_response({"messages": found, "next_page_uri": None})

    async def _fetch(self, request: web.Request) -> web.Response:
        await self._note(request)
        found = self.messages.get(request.match_info["sid"])
        if found is None:
            return web.json_response({"code": 20404, "status": 404}, status=404)
        return web.json_response(_shown(found))

    async def _update(self, request: web.Request) -> web.Response:
        form = await self._note(request)
        found = self.messages[request.match_info["sid"]]
        found["body"] = form["Body"]
        return web.json_response(_shown(found))

    async def _delete(self, request: web.Request) -> web.Response:
        await self._note(request)
        found = self.messages.pop(request.match_info["sid"], None)
        return web.Response(status=404 if found is None else 204)

    async def _account(self, request: web.Request) -> web.Response:
        await self._note(request)
        if request.headers["Authorization"] == "":
            return web.Response(status=401)
        return web.json_response(self.account)

    async def _list_numbers(self, request: web.Request) -> web.Response:
        await self._note(request)
        wanted = request.query.get("PhoneNumber")
        found = [one for one in self.numbers.values() if one["phone_number"] == wanted]
        return web.json_response({"incoming_phone_numbers": found, "next_page_uri": None})

    async def _set_number(self, request: web.Request) -> web.Response:
        form = await self._note(request)
        found = self.numbers[request.match_info["sid"]]
        for name, value in form.items():
            snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
            found[snake] = value
        return web.json_response(found)

    async def _price(self, request: web.Request) -> web.Response:
        await self._note(request)
        found = self.prices.get(request.match_info["country"])
        return web.json_response(found or {"code": 20404}, status=200 if found else 404)

    async def _line(self, request: web.Request) -> web.Response:
        await self._note(request)
        number = request.match_info["number"]
        if number not in self.lines:
            return web.json_response({"code": 20429}, status=429)
        told = {"phone_number": number, "valid": True}
        return web.json_response({**told, "line_type_intelligence": self.lines[number]})


def _shown(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if not name.startswith("_")}


def signed(url: str, form: Mapping[str, str], token: str = TOKEN) -> dict[str, str]:
    """Headers of a webhook, the signature by Twilio's own SDK."""
    made = RequestValidator(token).compute_signature(url, form)
    return {
        "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
        "x-twilio-signature": made,
    }


def settings(url: str, **more: object) -> dict[str, object]:
    """A good table of the configuration."""
    return {
        "kind": "sms.twilio",
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "addresses": [OURS],
        "send_limit_s": 2,
        "base_url": url,
        "countries": [],
        **more,
    }
