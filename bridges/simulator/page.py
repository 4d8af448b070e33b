"""The phone in the browser: package files, served as they are but for the page's language.

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
_SCRIPTS: Final = (
    *("phone.js", "scene.js", "forum.js", "operator.js", "yours.js"),
    *("words.js", "fr.js", "en.js"),
)
_STYLES: Final = ("phone.css", "show.css")
_LANGUAGES: Final = ("fr", "en")
_MARK: Final = b'<html lang="fr">'
_FILES: Final = {
    PATH: ("index.html", "text/html; charset=utf-8"),
    **{PATH + name: (name, "text/javascript; charset=utf-8") for name in _SCRIPTS},
    **{PATH + name: (name, "text/css; charset=utf-8") for name in _STYLES},
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
        headers = _HEADERS
        if scope["path"] == PATH:
            body = body.replace(_MARK, f'<html lang="{_language(scope)}">'.encode())
            headers = {**_HEADERS, "vary": "accept-language"}
        await asgi.answer(send, 200, body, content_type=content_type, headers=headers)


def _language(scope: asgi.Scope) -> str:
    """What the browser would rather read (RFC 9110, 12.5.4); English for everybody else."""
    asked = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
    best, weight = "en", 0.0
    for entry in asked.split(",")[:20]:
        tag, _, parameter = entry.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        try:
            wish = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if language in _LANGUAGES and wish > weight:
            best, weight = language, wish
    return best
