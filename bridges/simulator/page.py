"""The phone in the browser: three package files, served as they are.

One page stands for all simulator channels (it asks `/api/channels` which there are), so every
simulator bridge offers an equal one and the web floor keeps the first. Nothing is fetched from
anywhere but this server, and the policy sent along makes the browser see to that.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
from typing import Final

from bridges.simulator import asgi

PATH: Final = "/phone/"
_FILES: Final = {
    PATH: ("index.html", "text/html; charset=utf-8"),
    PATH + "phone.js": ("phone.js", "text/javascript; charset=utf-8"),
    PATH + "words.js": ("words.js", "text/javascript; charset=utf-8"),
    PATH + "operator.js": ("operator.js", "text/javascript; charset=utf-8"),
    PATH + "phone.css": ("phone.css", "text/css; charset=utf-8"),
}
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A bare ASGI application; two of them are equal, which is how doubles are recognised."""

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """GET and HEAD of the known files; anything else is 404 or 405."""
        known = _FILES.get(scope["path"])
        if known is None:
            await asgi.refuse(send, asgi.Refusal(404, "no such page"))
            return
        if scope["method"] not in {"GET", "HEAD"}:
            await asgi.refuse(send, asgi.Refusal(405, "only GET", headers={"allow": "GET, HEAD"}))
            return
        name, content_type = known
        folder = importlib.resources.files("bridges.simulator") / "page"
        body = (folder / name).read_bytes()
        await asgi.answer(send, 200, body, content_type=content_type, headers=_HEADERS)
