"""What a limited timeline left out, asked for page by page; nio never does (PROVIDERS.md)."""

from __future__ import annotations

from typing import Any, Final

from bridges.matrix import calls

PAGE: Final = 100
MAX_PAGES: Final = 50
BACK_PAGES: Final = 5


async def fill(
    server: calls.Homeserver,
    room_id: str,
    *,
    start: str,
    until: str | None,
    max_pages: int = MAX_PAGES,
) -> tuple[list[dict[str, Any]], bool]:
    """Events before `start` back to `until` (a sync token; None: the beginning), oldest first.

    The second value says whether it is whole; after `max_pages` we give up. Raises CallError.
    """
    found: list[dict[str, Any]] = []
    query = {"dir": "b", "from": start, "limit": str(PAGE)}
    if until is not None:
        query["to"] = until
    for _ in range(max_pages):
        body = await server.call("GET", calls.path("rooms", room_id, "messages"), query=query)
        chunk, end = body.get("chunk"), body.get("end")
        found.extend(event for event in _list(chunk) if isinstance(event, dict))
        if not isinstance(end, str) or end == query["from"] or not chunk:
            return found[::-1], True
        query["from"] = end
    return found[::-1], False


def _list(told: object) -> list[Any]:
    return told if isinstance(told, list) else []
