"""One request to a bare ASGI application, without a socket."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, MutableMapping
from typing import Any

from bot.contract import bridge


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the application answered; status 0 if it never began to."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def call(
    app: bridge.AsgiApp,
    path: str,
    *,
    method: str = "POST",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    query: bytes = b"",
) -> Answer:
    """Send one request and read the whole answer; errors of the application come through."""
    pairs = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(b"host", b"testserver"), *pairs],
        "client": ("127.0.0.1", 50_000),
        "server": ("testserver", 443),
    }
    asked = iter([{"type": "http.request", "body": body, "more_body": False}])
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        for part in asked:
            return part
        # A client that stays on the line; an answer ends the call, not a made-up disconnect.
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(part: MutableMapping[str, Any]) -> None:
        said.append(part)

    await app(scope, receive, send)
    start = next((part for part in said if part["type"] == "http.response.start"), {})
    return Answer(
        status=start.get("status", 0),
        headers={n.decode().lower(): v.decode() for n, v in start.get("headers", ())},
        body=b"".join(p.get("body", b"") for p in said if p["type"] == "http.response.body"),
    )
