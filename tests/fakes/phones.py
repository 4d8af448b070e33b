"""The outside world as a process of its own: phones that keep their own ledger.

    python -m tests.fakes.phones

It prints its port on the first line. The simulator bridge hands replies over with
`deliver_to = "http://127.0.0.1:PORT/"` (see bridges/simulator/outside.py), and whoever kills the
program asks here what really got through.

POST /         a reply; it is in the ledger before anything is answered
GET  /ledger   {"deliveries": [...], "repeats": n}
POST /manner   {"answer_after_s": [least, most], "drops_repeats": bool}
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from typing import Any

from aiohttp import web


class Phones:
    """Every reply that reached a phone, in order; a dropped repeat reached none."""

    def __init__(self, seed: int) -> None:
        """Answer at once and drop repeats, until told otherwise."""
        self.deliveries: list[dict[str, Any]] = []
        self.repeats = 0
        self.answer_after_s = (0.0, 0.0)
        self.drops_repeats = True
        self._known: set[str] = set()
        self._random = random.Random(seed)

    async def deliver(self, request: web.Request) -> web.Response:
        """Take a reply, and answer after the told time: the gap in which the program is killed."""
        body = await request.json()
        reply_id = body["reply_id"]
        is_repeat = reply_id in self._known
        if is_repeat:
            self.repeats += 1
        if not (is_repeat and self.drops_repeats):
            self._known.add(reply_id)
            self.deliveries.append({**body, "at_ms": time.time_ns() // 1_000_000})
        await asyncio.sleep(self._random.uniform(*self.answer_after_s))
        status = 409 if is_repeat and self.drops_repeats else 200
        return web.json_response({"id": f"phone-{reply_id}"}, status=status)

    async def look(self, _request: web.Request) -> web.Response:
        """Whether anybody is there: the bridge's health check."""
        return web.Response(text="phones")

    async def ledger(self, _request: web.Request) -> web.Response:
        """All that got through."""
        return web.json_response({"deliveries": self.deliveries, "repeats": self.repeats})

    async def manner(self, request: web.Request) -> web.Response:
        """Change how replies are answered from now on."""
        told = await request.json()
        least, most = told.get("answer_after_s", self.answer_after_s)
        self.answer_after_s = (float(least), float(most))
        self.drops_repeats = bool(told.get("drops_repeats", self.drops_repeats))
        return web.json_response({"ok": True})


async def serve(seed: int) -> None:
    """Until the process is ended."""
    phones = Phones(seed)
    app = web.Application()
    app.router.add_post("/", phones.deliver)
    app.router.add_get("/", phones.look)
    app.router.add_get("/ledger", phones.ledger)
    app.router.add_post("/manner", phones.manner)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 (whoever started it reads the port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
