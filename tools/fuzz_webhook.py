"""Throws odd requests at Twilio's webhooks: no exception, no row, always the same refusal.

    python tools/fuzz_webhook.py 200000 [SEED]

Half of the requests are signed with the right secret, so that what lies behind the signature is
tried as well; then a row is right exactly when a plain reading of the form says that the message
is for us. Ends with 1 and the seed at the first fault.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import random
import sys
import time
import urllib.parse
from collections.abc import MutableMapping
from typing import Any, Final

from bot.contract import bridge
from bot.contract.conformance import fakes
from bridges.sms import twilio
from bridges.sms.twilio import signature

ACCOUNT: Final = "AC" + "f0" * 16
TOKEN: Final = "a-secret-for-fuzzing-only"  # noqa: S105 (made up)
OURS: Final = "+33639980000"
PUBLIC: Final = "https://sms.example.org"
REFUSED: Final = (403, b"forbidden\n")
_TEXTS: Final = (
    *(
        "",
        "salut",
        "STOP",
        "é€😀",
        "a\x00b",
        "\x00",
        "x" * 1_000,
        "%00",
        "%",
        "+",
        "&",
        "=",
        "\ud7ff",
    ),
    *("' OR 1=1", "<Response><Message/></Response>", "\r\nX: y", "\u202e", "\n", "1e999", "-1"),
)
_SIDS: Final = (
    "SM" + "0" * 32,
    "MM" + "a" * 32,
    "CA" + "1" * 32,
    "SM",
    "",
    "SM" + "0" * 33,
    "x" * 300,
)
_NAMES: Final = (
    *("AccountSid", "MessageSid", "CallSid", "From", "To", "Body", "NumMedia", "NumSegments"),
    *("OptOutType", "MessageStatus", "ErrorCode", "Extra", "a[]", "\x00", "é", "AntirelouProbe"),
)
_PHONES: Final = (
    OURS,
    "+33639980001",
    "22000",
    "Banque",
    "",
    "+",
    "whatsapp:+33639980001",
    "9" * 400,
)
_STATUSES: Final = ("sent", "delivered", "failed", "received", "", "SENT")
_TYPES: Final = (
    *("application/x-www-form-urlencoded",) * 8,
    "application/x-www-form-urlencoded; charset=UTF-8",
    *("application/json", "text/plain", "", "multipart/form-data; boundary=x"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrives."""

    route: str
    method: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Fault(Exception):
    """Something got through, or broke."""


class Fuzzer:
    """A bridge whose door counts what it takes."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311 (a seed that repeats, no secrecy)
        self.door = fakes.FakeIntake()
        context = bridge.Context(
            channel="sms",
            clock=fakes.FakeClock(),
            storage=fakes.FakeStorage(),
            currency="EUR",
            public_url=PUBLIC,
        )
        table = {"account_sid": ACCOUNT, "auth_token": TOKEN, "addresses": [OURS]}
        made = twilio.create({**table, "calls_count": True}, context)
        self.apps = {one.path: one.app for one in made.routes(self.door)}
        self.counts: collections.Counter[str] = collections.Counter()

    async def one(self) -> None:
        """Make a request, send it, judge the answer. Raises Fault."""
        route = self.draw.choice(list(self.apps))
        pairs = self._pairs(route)
        query = self.draw.choice((b"", b"", b"r=" + b"ab" * 16, b"r=x", b"%ff", b"\xff", b"#a"))
        url = PUBLIC + route + ("?" + query.decode("latin-1") if query else "")
        signed = self.draw.random() < 0.5  # noqa: PLR2004 (half)
        made = signature.sign(url, signature.fields(pairs), TOKEN if signed else "nobody")
        body = urllib.parse.urlencode(pairs).encode()
        request = Request(
            route=route,
            method=b"POST",
            query=query,
            headers=[
                (b"content-type", self.draw.choice(_TYPES).encode()),
                (b"x-twilio-signature", made),
            ],
            body=body,
        )
        if self.draw.random() < 0.5:  # noqa: PLR2004 (half)
            request = self._broken(request)
        before = len(self.door.accepted) + len(self.door.taken_receipts)
        answer = await self._send(request)
        taken = len(self.door.accepted) + len(self.door.taken_receipts) - before
        self._judge(request, answer, taken, signed=signed)
        self.door.accepted.clear()
        self.door.taken_receipts.clear()

    def _pairs(self, route: str) -> list[tuple[str, str]]:
        draw = self.draw
        sid = "CallSid" if route.endswith("voice") else "MessageSid"
        ours, theirs = ("From", "To") if route.endswith("status") else ("To", "From")
        pairs = {
            "AccountSid": ACCOUNT,
            sid: ("CA" if sid == "CallSid" else "SM") + f"{draw.getrandbits(128):032x}",
            ours: OURS,
            theirs: f"+3363998{draw.randrange(1, 100):04d}",
            "Body": draw.choice(_TEXTS),
            "MessageStatus": draw.choice(_STATUSES),
        }
        for _ in range(draw.choice((0, 0, 1, 2, 5))):
            name = draw.choice(_NAMES)
            pairs[name] = draw.choice((*_TEXTS, *_SIDS, *_PHONES, *_STATUSES))
        if draw.random() < 0.1:  # noqa: PLR2004 (one in ten)
            pairs.pop(draw.choice(list(pairs)))
        found = list(pairs.items())
        if found and draw.random() < 0.1:  # noqa: PLR2004 (one in ten)
            found.append((draw.choice(found)[0], draw.choice(_TEXTS)))
        if draw.random() < 0.01:  # noqa: PLR2004 (one in a hundred)
            found += [(f"f{n}", "") for n in range(draw.choice((150, 300, 10_000)))]
        return found

    def _broken(self, request: Request) -> Request:
        draw, body = self.draw, request.body
        match draw.randrange(8):
            case 0:
                body = draw.randbytes(draw.choice((0, 1, 30, 1_000)))
            case 1:
                body = body[: draw.randrange(len(body) + 1)]
            case 2:
                place = draw.randrange(len(body) + 1)
                body = body[:place] + draw.randbytes(3) + body[place:]
            case 3:
                body = body.replace(b"%", b"%%", 1) + b"&%zz=1"
            case 4:
                body = body * draw.choice((2, 50, 700))
            case 5:
                headers = [(n, draw.randbytes(20)) for n, _ in request.headers]
                return dataclasses.replace(request, headers=headers)
            case 6:
                return dataclasses.replace(request, headers=request.headers * 2)
            case _:
                odd = draw.choice((b"algorithm=HMAC_MD5", b"\xff", b"algorithm", b"a" * 9_000))
                name = b"x-twilio-webhooks-signature-settings"
                headers = [*request.headers, (name, odd)]
                return dataclasses.replace(request, headers=headers)
        return dataclasses.replace(request, body=body)

    async def _send(self, request: Request) -> tuple[int, bytes]:
        cut = self.draw.randrange(len(request.body) + 1)
        parts = [request.body[:cut], request.body[cut:]]
        said: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(part: MutableMapping[str, Any]) -> None:
            said.append(part)

        scope = {
            "type": "http",
            "method": request.method.decode(),
            "path": request.route,
            "query_string": request.query,
            "headers": request.headers,
        }
        await self.apps[request.route](scope, receive, send)
        return said[0]["status"], said[1]["body"]

    def _judge(
        self,
        request: Request,
        answer: tuple[int, bytes],
        taken: int,
        *,
        signed: bool,
    ) -> None:
        status, _ = answer
        self.counts[f"{status}, {'signed' if signed else 'unsigned'}"] += 1
        if status != 200 and answer != REFUSED:  # noqa: PLR2004 (HTTP)
            raise Fault(f"answered {status}")
        if taken and (status != 200 or not signed):  # noqa: PLR2004 (HTTP)
            raise Fault("a row without a signature")
        if taken and "\x00" in urllib.parse.unquote(request.body.decode("latin-1")):
            raise Fault("a NUL reached the door")
        if taken and f"AccountSid={ACCOUNT}" not in request.body.decode("latin-1"):
            raise Fault("another account's row")
        if taken > 1:
            raise Fault("two rows of one request")


async def run(count: int, seed: int) -> collections.Counter[str]:
    """Try `count` requests; how often what was answered. Raises Fault, or whatever broke."""
    fuzzer = Fuzzer(seed)
    for _ in range(count):
        await fuzzer.one()
    return fuzzer.counts


def main() -> int:
    """From the command line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)  # noqa: PLR2004 (the second argument)
    began = time.monotonic()
    try:
        counts = asyncio.run(run(count, seed))
    except Fault as fault:
        print(f"fuzz: seed {seed}: {fault}")
        return 1
    print(f"fuzz: {count} requests in {time.monotonic() - began:.0f} s, seed {seed}: no fault")
    for name, number in sorted(counts.items()):
        print(f"  {name:16} {number}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
