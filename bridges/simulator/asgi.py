"""The little of HTTP that the phones need, straight on ASGI: a bounded body in, JSON out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_LIMIT_S: Final = 10.0
"""Real seconds a body may take. The lapse clock has no say: the network does not run faster."""


class Refusal(Exception):
    """An answer other than 200, as status and a sentence for whoever asked."""

    def __init__(self, status: int, text: str, *, headers: Mapping[str, str] | None = None) -> None:
        """`text` holds no address and no message."""
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})


async def read_body(scope: Scope, receive: Receive, *, limit: int) -> bytes:
    """The JSON body, at most `limit` bytes; raises Refusal (408, 413, 415).

    Asking for the content type keeps foreign web pages out: a browser sends JSON across origins
    only after asking, and nobody here says yes.
    """
    headers = dict(scope["headers"])
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/json":
        raise Refusal(415, "send content-type: application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            more = True
            while more:
                event = await receive()
                if event["type"] != "http.request":
                    raise Refusal(400, "the connection ended before the body did")
                body += event.get("body", b"")
                if len(body) > limit:
                    raise Refusal(413, f"body: more than {limit} bytes; shorten the text")
                more = event.get("more_body", False)
    except TimeoutError:
        raise Refusal(408, f"body: took longer than {BODY_LIMIT_S:.0f} s") from None
    return bytes(body)


async def answer(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send one whole answer."""
    lines = {
        "content-type": content_type,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **(headers or {}),
    }
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, refusal: Refusal) -> None:
    """Answer a refusal as JSON; a body left unread makes the connection useless, so close it."""
    body = dump({"ok": False, "error": refusal.text})
    headers = {**refusal.headers}
    if refusal.status in {408, 413, 415}:
        headers["connection"] = "close"
    await answer(send, refusal.status, body, headers=headers)


def dump(value: object) -> bytes:
    """JSON as it goes over the wire."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
