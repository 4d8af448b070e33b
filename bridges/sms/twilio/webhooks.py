"""The endpoints that Twilio calls, as bare ASGI: read, check, store, answer, in this order.

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

LIMIT_S: Final = 12.0
"""Twilio gives up after 15 s in all; then it calls the fallback URL, which is ours too."""
MAX_QUERY_BYTES: Final = 256
NOTHING: Final = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
FORBIDDEN: Final = b"forbidden\n"
_XML: Final = b"text/xml; charset=utf-8"
# The answer to nearly every message, made once.
_TAKEN: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": (
        (b"content-type", _XML),
        (b"content-length", str(len(NOTHING)).encode()),
        (b"cache-control", b"no-store"),
    ),
}
_SAID: Final = {"type": "http.response.body", "body": NOTHING}


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
        return bridge.Route(path=self.path, app=self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raises nothing of its own."""
        seen = self._line.seen
        try:
            body = await self._answer(scope, receive)
        except wire.WireError:
            seen.refused += 1
            await _say(send, 403, FORBIDDEN, b"text/plain; charset=utf-8", close=True)
        except intake.NotStoredError as error:
            seen.not_stored += 1
            await _say(send, 503, b"", b"text/plain; charset=utf-8", error.retry_after_s)
        else:
            seen.taken += 1
            seen.last_event_at = self._line.now()
            if body is NOTHING:
                await send(_TAKEN)
                await send(_SAID)
            else:
                await _say(send, 200, body, _XML)

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        if scope["type"] != "http" or scope["method"] != "POST":
            raise wire.WireError("no POST")
        headers = _once(scope["headers"])
        if not wire.is_form(headers.get(b"content-type", b"")):
            raise wire.WireError("no form")
        query = _query(scope.get("query_string", b""))
        _check_length(headers)
        storing = False
        try:
            # One timer for both waits: each costs as much as the signature.
            async with asyncio.timeout(LIMIT_S):
                form = self._signed(headers, query, await _body(receive))
                if form.maybe(wire.PROBE):
                    # Our own check, from outside: only who holds the secret can ask, and nothing
                    # is kept.
                    wire.account(form, self._line.ours)
                    return NOTHING
                storing = True
                return await self._take(form, query)
        except TimeoutError:
            if storing:
                raise intake.NotStoredError("the store was too slow") from None
            raise wire.WireError("too slow") from None

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


def _once(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
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


async def _say(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes,
    retry_after_s: int | None = None,
    *,
    close: bool = False,
) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    if close:
        # A body that was not read makes the connection useless.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
