"""Providers that post signed webhooks over real sockets, and post again what was not taken."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import json
import re
import urllib.parse
from collections.abc import Callable, Mapping

from bridges import signal
from bridges.sms import seven, smsgate, twilio
from tests.bridges.signal import envelopes
from tests.bridges.signal import world as signals
from tests.bridges.sms.seven import gateway
from tests.bridges.sms.smsgate import phone
from tests.bridges.sms.twilio import exchange
from tests.chaos import site
from tests.fakes import world

NOWHERE = "http://127.0.0.1:9"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")
SMSGATE = {
    "kind": "sms.smsgate",
    "api": "phone",
    "url": NOWHERE,
    "username": "sms",
    "password": "made-up",
    "signing_key": phone.KEY,
    "device_id": phone.DEVICE,
    "addresses": [{"value": phone.OURS, "state": "offered", "sim": 1}],
}
Made = tuple[str, bytes, Mapping[str, str]]


@dataclasses.dataclass(frozen=True)
class Provider:
    """`event`: path, body and headers of what somebody wrote, by a number and the time."""

    name: str
    channel: str
    create: site.Create
    event: Callable[[int, dt.datetime], Made]
    short: bool
    """Whether its route is answered by `direct.Connection` itself."""

    def raw(self, number: int, now: dt.datetime) -> bytes:
        """The request as it is on the wire, the same each time."""
        path, body, headers = self.event(number, now)
        lines = {"host": "sms.example.org", "content-length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _twilio(number: int, _now: dt.datetime) -> Made:
    form = {
        "AccountSid": exchange.ACCOUNT,
        "MessageSid": f"SM{number:032x}",
        "From": world.phone(number),
        "To": exchange.OURS,
        "Body": "salut",
        "NumMedia": "0",
        "NumSegments": "1",
    }
    path = "/twilio/sms/in"
    body = urllib.parse.urlencode(form).encode()
    return path, body, exchange.signed(site.PUBLIC + path, form)


def _smsgate(number: int, now: dt.datetime) -> Made:
    told = phone.received("salut", f"e{number}", at=now, sender=world.phone(number))
    body = json.dumps(told).encode()
    return "/sms/sms/events", body, phone.signature(body, now)


def _seven(number: int, now: dt.datetime) -> Made:
    path = "/sms/sms/seven"
    sender = world.phone(number).lstrip("+")
    body = json.dumps(gateway.received(message_id=str(number), sender=sender)).encode()
    return path, body, gateway.signature(body, now, site.PUBLIC + path)


def _signal(number: int, _now: dt.datetime) -> Made:
    told = envelopes.text(envelopes.aci(number), "salut", envelopes.AT_MS + number)
    body = json.dumps(envelopes.notification(told)).encode()
    return f"/signal/signal/{signals.SECRET}", body, {"content-type": "application/json"}


PROVIDERS = {
    one.name: one
    for one in (
        Provider(
            "Twilio's webhooks",
            "sms",
            lambda lent: twilio.create(exchange.settings(NOWHERE), lent),
            _twilio,
            short=True,
        ),
        Provider(
            "SMSGate's webhooks",
            "sms",
            lambda lent: smsgate.create(SMSGATE, lent),
            _smsgate,
            short=False,
        ),
        Provider(
            "seven.io's webhooks",
            "sms",
            lambda lent: seven.create(gateway.Gateway().table(), lent),
            _seven,
            short=False,
        ),
        Provider(
            "signal-cli-rest-api's webhooks",
            "signal",
            lambda lent: signal.create(signals.table(NOWHERE), lent),
            _signal,
            short=False,
        ),
    )
}


async def post(
    port: int, raw: bytes, *, patience_s: float = 20.0, answers: int = 1
) -> tuple[int, ...]:
    """Post once over a connection of its own; the statuses that were heard to their end."""
    heard: list[int] = []
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(patience_s):
                writer.write(raw)
                await writer.drain()
                while len(heard) < answers:
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    length = _LENGTH.search(head)
                    assert length is not None, head
                    await reader.readexactly(int(length[1]))
                    heard.append(int(head.split(b" ")[1]))
        finally:
            writer.transport.abort()
    return tuple(heard)
