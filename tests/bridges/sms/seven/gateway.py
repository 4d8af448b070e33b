"""seven.io on loopback: credit that cannot go below zero, a logbook, a ledger, and faults.

After docs.seven.io (sms, logbook, webhooks, signing; 22 November 2026). Answers are made up after
the examples there.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime as dt
import decimal
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.contract import bridge, conformance
from bot.contract.conformance import fakes
from bridges.sms import seven

OURS = "+447700900001"
HIS = "+447700900123"
KEY = "made-up-signing-key"
PRICE = decimal.Decimal("0.075")
UNSENT = (
    "code-11", "code-201", "code-202", "code-500", "code-900", "bare-900", "http-400", "http-401",
    "http-429", "http-500", "cut-before", "hang-before",
)  # fmt: skip
SENT = ("http-502-after", "cut-after", "hang-after", "nonsense-after", "code-402-after")


class Gateway:
    """`ledger`: what went out to people. `faults`: what the next sends meet, in order."""

    def __init__(self) -> None:
        self.ledger: list[conformance.Sent] = []
        self.outbound: list[dict[str, Any]] = []
        self.inbound: list[dict[str, Any]] = []
        self.credit = decimal.Decimal(1_000)
        self.faults: collections.deque[str] = collections.deque()
        self.hangs: set[str] = set()
        self.keys_seen: set[str] = set()
        self._hung: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        app = web.Application()
        app.router.add_post("/api/sms", self._sms)
        app.router.add_get("/api/balance", self._balance)
        app.router.add_get("/api/journal/outbound", self._journal)
        app.router.add_get("/api/journal/inbound", self._journal)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def close(self) -> None:
        for task in self._hung:
            task.cancel()
        await self._runner.cleanup()

    def table(self, **more: object) -> dict[str, object]:
        return {
            "kind": "sms.seven",
            "api_key": "made-up-api-key",
            "signing_key": KEY,
            "addresses": [OURS],
            **more,
        }

    def create(
        self, table: Mapping[str, object], context: bridge.Context, limit_s: float = 1.0
    ) -> seven.Seven:
        """As seven.create, but for where the API is and how long it may take."""
        url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/api"
        chosen = dataclasses.replace(seven.read(table), url=url, send_limit_s=limit_s)
        return seven.Seven(chosen, context)

    async def _balance(self, request: web.Request) -> web.Response:
        return web.json_response({"amount": float(self.credit), "currency": "EUR"})

    async def _journal(self, request: web.Request) -> web.Response:
        way = self.inbound if request.path.endswith("inbound") else self.outbound
        query = request.query
        day = query.get("date_from", "0000")
        found = [
            one
            for one in way
            if query.get("id", one["id"]) == one["id"]
            and query.get("to", one["to"]) == one["to"]
            and one["timestamp"][:10] >= day
        ]
        start = int(query.get("offset", "0"))
        return web.json_response(found[start : start + int(query["limit"])])

    async def _sms(self, request: web.Request) -> web.StreamResponse:
        form = dict(await request.post())
        self.keys_seen.add(request.headers.get("X-Api-Key", ""))
        assert set(form) == {"to", "from", "text", "foreign_id", "ttl"}
        fault = self.faults.popleft() if self.faults else ""
        fault = "hang-before" if form["foreign_id"] in self.hangs else fault
        if self.credit < PRICE:
            fault = "code-500"
        if fault in {"", *SENT}:
            self._accept({name: str(value) for name, value in form.items()})
        return await self._answer(request, fault)

    def _accept(self, form: dict[str, str]) -> None:
        self.credit -= PRICE
        self.ledger.append(
            conformance.Sent(recipient=form["to"], text=form["text"], reply_id=form["foreign_id"])
        )
        self.outbound.append(
            {
                "id": str(77_000_000_000 + len(self.ledger)),
                "to": form["to"].lstrip("+"),
                "from": form["from"],
                "timestamp": "2026-11-22 12:00:00.123",
                "price": f"{PRICE:.4f}",
                "dlr": None,
                "foreign_id": form["foreign_id"],
            }
        )

    async def _answer(self, request: web.Request, fault: str) -> web.StreamResponse:
        if fault.startswith("hang"):
            task = asyncio.current_task()
            assert task is not None
            self._hung.add(task)
            await asyncio.Event().wait()
        if fault.startswith("cut"):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault.startswith("http"):
            headers = {"Retry-After": "9"} if "429" in fault else {}
            # The words of a proxy are no code of seven.io's.
            return web.Response(status=int(fault.split("-")[1]), text="500", headers=headers)
        if fault.startswith("bare"):
            return web.Response(text=fault.split("-")[1])
        if fault.startswith("nonsense"):
            return web.Response(text="<html>")
        if fault.startswith("code"):
            return web.json_response({"success": fault.split("-")[1], "messages": []})
        return web.json_response(
            {
                "success": "100",
                "total_price": float(PRICE),
                "balance": float(self.credit),
                "messages": [
                    {
                        "id": self.outbound[-1]["id"],
                        "success": True,
                        "error": None,
                        "parts": 1,
                        "price": float(PRICE),
                    }
                ],
            }
        )


def received(text: str = "hello", message_id: str = "681590", **more: object) -> dict[str, Any]:
    """The event `sms_mo`, as in the documentation."""
    data: dict[str, object] = {
        "id": message_id,
        "sender": HIS.lstrip("+"),
        "system": OURS.lstrip("+"),
        "text": text,
        "time": str(int(fakes.NOON.timestamp())),
        "message_type": "SMS",
    }
    return {
        "data": data | more,
        "webhook_event": "sms_mo",
        "webhook_timestamp": "2026-01-05 13:00:00",
    }


def report(status: str, message_id: str = "77149843739", **more: object) -> dict[str, Any]:
    """The event `dlr`, as in the documentation."""
    return {
        "data": {
            "msg_id": message_id,
            "status": status,
            "timestamp": "2026-01-05 13:00:00",
            **more,
        },
        "webhook_event": "dlr",
        "webhook_timestamp": "2026-01-05T13:00:00+01:00",
    }


def signature(body: bytes, at: dt.datetime, url: str, key: str = KEY) -> dict[str, str]:
    """The headers of a signed POST."""
    stamp, nonce = str(int(at.timestamp())), "fpPRhAd1s8GXacfR39mWqKPynmmXfJnc"
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    words = f"{stamp}\n{nonce}\nPOST\n{url}\n{md5}".encode()
    return {
        "content-type": "application/json",
        "x-signature": hmac.new(key.encode(), words, hashlib.sha256).hexdigest(),
        "x-timestamp": stamp,
        "x-nonce": nonce,
    }


async def post(
    app: bridge.AsgiApp,
    told: Mapping[str, Any] | bytes,
    *,
    channel: str = "sms",
    public_url: str = "https://sms.example.org",
    at: dt.datetime = fakes.NOON,
    key: str = KEY,
    **headers: str,
) -> conformance.Answer:
    """One signed event into the bridge's route."""
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    path = f"/sms/{channel}/seven"
    given = signature(body, at, public_url + path, key)
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await conformance.call(app, path, body=body, headers=given)
