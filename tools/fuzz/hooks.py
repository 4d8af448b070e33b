"""The webhooks: half of the requests are signed, so that what lies behind is tried as well."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final

from bot.contract import bridge
from bot.contract.conformance import fakes
from bridges import signal as signal_bridge
from bridges.sms import seven, smsgate
from tools import fuzz_webhook
from tools.fuzz import corpus, mutate, target

KEY: Final = "a-secret-for-fuzzing-only"
PUBLIC: Final = "https://sms.example.org"
OURS: Final = "+33639980000"
_FINE: Final = frozenset({200, 503})
_RENEWED: Final = 20
_CREATE: Final[Mapping[str, bridge.Create]] = {
    "smsgate": smsgate.create,
    "seven": seven.create,
    "signal": signal_bridge.create,
}


class Twilio:
    """The older fuzzer, as one of these."""

    name = "twilio"

    def __init__(self) -> None:
        self._fuzzer = fuzz_webhook.Fuzzer(0)

    async def one(self, draw: random.Random) -> target.Tried:
        """It judges by itself and raises Fault."""
        self._fuzzer.draw = draw
        before = self._fuzzer.counts["200, signed"]
        await self._fuzzer.one()
        taken = self._fuzzer.counts["200, signed"] - before
        return target.Tried(rows=taken, signed=True, refused=not taken)


class Hook:
    """One webhook over a door that keeps a ledger."""

    def __init__(self, name: str, table: Mapping[str, object], refusals: Sequence[int]) -> None:
        """`refusals`: the statuses that say no."""
        self.name = name
        self._table = table
        self.door = fakes.FakeIntake()
        self.clock = fakes.FakeClock()
        self.app, self.path = self._opened()
        self._tried = 0
        self._refusals = frozenset(refusals)

    def _opened(self) -> tuple[Any, str]:
        """A new bridge: an old one may have learnt from an odd event who it is itself."""
        context = bridge.Context(
            channel="one",
            clock=self.clock,
            storage=fakes.FakeStorage(),
            currency="EUR",
            public_url=PUBLIC,
        )
        made: Any = _CREATE[self.name](self._table, context)
        route = made.routes(self.door)[0]
        return route.app, route.path

    async def one(self, draw: random.Random) -> target.Tried:
        """An event, signed or not, whole or broken."""
        self._tried += 1
        if self._tried % _RENEWED == 0:
            self.app, self.path = self._opened()
        body = mutate.json_of(draw, corpus.EVENTS[self.name])
        # Another message each time, or an event seen before would hide what it does.
        body = body.replace(b"1767614340000", b"%d" % draw.randrange(10**12, 2 * 10**12))
        signed = draw.random() < 0.5  # noqa: PLR2004 (half)
        path, headers = self._sealed(body, KEY if signed else "nobody", draw)
        if draw.random() < 0.2:  # noqa: PLR2004 (one in five)
            headers = _odd_headers(draw, headers)
            signed = signed and self._still_good(headers, body)
        before = self._ledger()
        status = await asyncio.wait_for(_ask(self.app, path, headers, body, draw), target.LIMIT_S)
        rows = self._ledger() - before
        if status not in _FINE and status not in self._refusals:
            raise target.FaultError(f"answered {status}")
        if rows and status != 200:  # noqa: PLR2004 (HTTP)
            raise target.FaultError(f"a row, and answered {status}")
        for message in self.door.accepted:
            if "\x00" in message.text or message.text != message.text.encode().decode():
                raise target.FaultError("a NUL or half a character reached the door")
        self.door.accepted.clear()
        self.door.taken_receipts.clear()
        return target.Tried(rows=rows, signed=signed, refused=status in self._refusals)

    def _still_good(self, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Whether what the signature needs still stands there; upper case is the same."""
        if self.name == "signal":
            return True  # its secret is the path
        right = self._sealed(body, KEY, None)[1]
        told = {(name, value.strip().lower()) for name, value in headers}
        return all((name, value.lower()) in told for name, value in right)

    def _ledger(self) -> int:
        return len(self.door.accepted) + len(self.door.taken_receipts)

    def _sealed(
        self, body: bytes, key: str, draw: random.Random | None
    ) -> tuple[str, list[tuple[bytes, bytes]]]:
        """Path and headers as the sender makes them."""
        stamp = str(int(self.clock.now().timestamp())).encode()
        headers = [(b"content-type", b"application/json")]
        if self.name == "signal":
            wrong = "/" + "x" * len(KEY) if draw and key != KEY else "/" + key
            return self.path.rstrip("/") + wrong, headers
        if self.name == "smsgate":
            made = hmac.new(key.encode(), body + stamp, hashlib.sha256).hexdigest().encode()
            return self.path, [*headers, (b"x-timestamp", stamp), (b"x-signature", made)]
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest().encode()
        words = b"\n".join((stamp, b"n", b"POST", f"{PUBLIC}{self.path}".encode(), digest))
        made = hmac.new(key.encode(), words, hashlib.sha256).hexdigest().encode()
        sealed = [(b"x-timestamp", stamp), (b"x-nonce", b"n"), (b"x-signature", made)]
        return self.path, headers + sealed


def _odd_headers(
    draw: random.Random, headers: list[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """One of them doubled, missing, or nonsense."""
    place = draw.randrange(len(headers))
    name, value = headers[place]
    match draw.randrange(4):
        case 0:
            return [*headers, (name, draw.choice(mutate.TOKENS))]
        case 1:
            return headers[:place] + headers[place + 1 :]
        case 2:
            return [*headers[:place], (name, draw.choice(mutate.TOKENS)), *headers[place + 1 :]]
    return [*headers[:place], (name, value.swapcase() + b" "), *headers[place + 1 :]]


async def _ask(
    app: Any,  # noqa: ANN401 (ASGI)
    path: str,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    draw: random.Random,
) -> int:
    cut = draw.randrange(len(body) + 1)
    parts = [body[:cut], body[cut:]]
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(event: MutableMapping[str, Any]) -> None:
        said.append(event)

    scope = {
        "type": "http",
        "method": draw.choice(("POST",) * 9 + ("GET",)),
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
    }
    await app(scope, receive, send)
    return int(said[0]["status"])


def all_of() -> list[target.Target]:
    """Every webhook."""
    phone = {"url": "http://10.0.0.2:8080", "username": "u", "password": "p" * 12}
    return [
        Twilio(),
        Hook("smsgate", {**phone, "api": "phone", "signing_key": KEY, "addresses": [OURS]}, (403,)),
        Hook("seven", {"api_key": "k" * 20, "signing_key": KEY, "addresses": [OURS]}, (403,)),
        Hook(
            "signal",
            {"number": OURS, "secret": KEY, "url": "http://127.0.0.1:1", "transport": "webhook"},
            (400, 403, 405, 408, 413),
        ),
    ]
