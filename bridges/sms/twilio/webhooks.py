"""The endpoints that Twilio calls: read, check, store, answer, in this order.

Each is there twice, as bare ASGI and as the shorter `post` of the contract: the same code answers.

Whatever is wrong with a request (signature, form, account, number, size, type) is answered with
one and the same 403 and counted; nobody learns which check he failed, and no row is written.
200 is said only after the door has stored; a store that is away is a 503 with Retry-After, after
which Twilio calls the fallback URL, and the sweep finds what that missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from bot.contract import bridge, intake
from bridges.sms.twilio import errors, line, signature, wire

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Take = Callable[[wire.Form, str], Awaitable[bytes]]

LIMIT_S: Final = bridge.POST_LIMIT_S
"""Twilio gives up after 15 s in all; then it calls the fallback URL, which is ours too."""
MAX_QUERY_BYTES: Final = 256
NOTHING: Final = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
FORBIDDEN: Final = b"forbidden\n"
_XML: Final = b"text/xml; charset=utf-8"
_TEXT: Final = b"text/plain; charset=utf-8"
_NO_STORE: Final = (b"cache-control", b"no-store")
# The answers to nearly every request, made once.
_TAKEN: Final = bridge.Answer(
    status=200, headers=((b"content-type", _XML), _NO_STORE), body=NOTHING
)
# A body that was not read makes the connection useless.
_REFUSED: Final = bridge.Answer(
    status=403,
    headers=((b"content-type", _TEXT), _NO_STORE, (b"connection", b"close")),
    body=FORBIDDEN,
)
_TOO_SLOW_S: Final = 5


class Endpoint:
    """One route. `take` gets a form that Twilio signed, and gives the TwiML to answer."""

    def __init__(self, of: line.Line, name: str, take: Take) -> None:
        self._line = of
        self._take = take
        self.path: Final = of.path(name)
        self._url = of.url(name) if of.context.public_url else ""
        self._urls = self._ways("")

    def route(self) -> bridge.Route:
        """As it is mounted."""
        return bridge.Route(path=self.path, app=self, post=self.post)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raises nothing of its own."""
        answer = await self._asked(scope, receive)
        length = (b"content-length", str(len(answer.body)).encode())
        headers = [*answer.headers, length]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _asked(self, scope: Scope, receive: Receive) -> bridge.Answer:
        seen, storing = self._line.seen, False
        try:
            fields, query = _beginning(scope)
            async with asyncio.timeout(LIMIT_S):
                body = await _body(receive)
                storing = True
                return await self.post(fields, query, body)
        except wire.WireError:
            seen.refused += 1
            return _REFUSED
        except TimeoutError:
            if storing:
                return _away(_TOO_SLOW_S)
            seen.refused += 1
            return _REFUSED

    async def post(self, fields: bridge.Fields, query: bytes, body: bytes) -> bridge.Answer:
        """As contract.bridge.Post."""
        seen = self._line.seen
        try:
            asked = _query(query) if query else ""
            form = self._signed(_headers(fields), asked, body)
            if form.maybe(wire.PROBE):
                # Our own check, from outside: only who holds the secret can ask, and nothing is
                # kept.
                wire.account(form, self._line.ours)
                said = NOTHING
            else:
                said = await self._take(form, asked)
        except wire.WireError:
            seen.refused += 1
            return _REFUSED
        except intake.NotStoredError as error:
            seen.not_stored += 1
            return _away(error.retry_after_s)
        except asyncio.CancelledError:
            # Its time is over.
            seen.not_stored += 1
            raise
        seen.taken += 1
        seen.last_event_at = self._line.now()
        if said is NOTHING:
            return _TAKEN
        return bridge.Answer(status=200, headers=_TAKEN.headers, body=said)

    def _signed(self, headers: Mapping[bytes, bytes], query: str, body: bytes) -> wire.Form:
        """The form, if Twilio signed it; raises WireError."""
        form = wire.parse(body)
        signed = signature.good(
            headers.get(signature.HEADER),
            urls=self._ways(query) if query else self._urls,
            pairs=form.pairs,
            secrets=self._line.settings.secrets,
            settings=headers.get(signature.SETTINGS_HEADER),
        )
        if not signed:
            raise wire.WireError("not signed by Twilio")
        return form

    def _ways(self, query: str) -> tuple[str, ...]:
        """Nothing without a public URL: then no signature can be good."""
        if not self._url:
            return ()
        url = f"{self._url}?{query}" if query else self._url
        return signature.ways(url, self._line.settings.webhook_overrides)


class Webhooks:
    """What is done with the forms."""

    def __init__(
        self, of: line.Line, door: intake.Intake, told: Callable[[str], Awaitable[None]]
    ) -> None:
        """`told` is called when Twilio says that it answers a keyword itself."""
        self._line = of
        self._door = door
        self._told = told

    def routes(self) -> tuple[bridge.Route, ...]:
        """Both `in` and `fallback` take the same, so a fallback finds what the first call lost."""
        takes: dict[str, Take] = {
            "in": self._inbound,
            "fallback": self._inbound,
            "status": self._status,
            "voice": self._voice,
        }
        return tuple(Endpoint(self._line, name, take).route() for name, take in takes.items())

    async def _inbound(self, form: wire.Form, _query: str) -> bytes:
        line_ = self._line
        await self._door.accept(
            (wire.inbound(form, line_.ours, line_.now(), line_.tariff.inbound),)
        )
        keyword = wire.answered(form)
        if keyword is not None:
            await self._told(keyword)
        return NOTHING

    async def _status(self, form: wire.Form, query: str) -> bytes:
        news = wire.news(form, query, self._line.ours)
        # A state that Twilio invents later says nothing to us, and is no reason to be called again.
        if errors.delivery_of(news.status) is not None:
            await self._door.receipts([await self._line.receipt(news)])
        return NOTHING

    async def _voice(self, form: wire.Form, _query: str) -> bytes:
        call = wire.call(form, self._line.ours, self._line.now())
        if self._line.settings.calls_count:
            await self._door.accept([call])
        url = self._line.settings.voice_message_url
        # Busy for everybody else: the number may be tested in front of the one who gave it out.
        if url is None or not call.sender.is_e164 or not await self._door.delay_over(call.sender):
            return wire.BUSY
        return wire.play(url) if await self._line.take_voice_message() else wire.BUSY


def _beginning(scope: Scope) -> tuple[bridge.Fields, bytes]:
    """Headers and query of what may be a form; the others' bodies are not read."""
    if scope["type"] != "http" or scope["method"] != "POST":
        raise wire.WireError("no POST")
    fields: bridge.Fields = scope["headers"]
    query: bytes = scope.get("query_string", b"")
    _check_length(_headers(fields))
    _query(query)
    return fields, query


def _headers(fields: bridge.Fields) -> dict[bytes, bytes]:
    headers = _once(fields)
    if not wire.is_form(headers.get(b"content-type", b"")):
        raise wire.WireError("no form")
    return headers


def _once(pairs: bridge.Fields) -> dict[bytes, bytes]:
    """Headers by name; one that stands there twice counts as none."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    return {name: value for name, value in found.items() if names.count(name) == 1}


def _query(raw: bytes) -> str:
    if len(raw) > MAX_QUERY_BYTES or not raw.isascii() or b"#" in raw:
        raise wire.WireError("no query of ours")
    return raw.decode("ascii")


def _check_length(headers: Mapping[bytes, bytes]) -> None:
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or len(declared) > 9 or int(declared) > wire.MAX_BODY_BYTES:  # noqa: PLR2004 (a gigabyte)
        raise wire.WireError("too long")


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    more = True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise wire.WireError("the connection ended before the body")
        body += event.get("body", b"")
        if len(body) > wire.MAX_BODY_BYTES:
            raise wire.WireError("too long")
        more = event.get("more_body", False)
    return bytes(body)


def _away(retry_after_s: int) -> bridge.Answer:
    """Nothing was stored; it comes again."""
    later = (b"retry-after", str(retry_after_s).encode())
    return bridge.Answer(status=503, headers=((b"content-type", _TEXT), _NO_STORE, later))
