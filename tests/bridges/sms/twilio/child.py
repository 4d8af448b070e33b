"""The core with one Twilio channel as a process of its own, made to be killed.

    python -m tests.bridges.sms.twilio.child '{"database": ..., "network": ..., "port": ..., ...}'

Time runs `speed` times as fast from a moment that every start shares, so that an hour is a
minute and a restart does not turn it back. Prints "ready" once it answers.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
import os
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from bot import logs
from bot.contract import bridge
from bot.store import database
from bot.web import server
from tests.bridges.sms.twilio import house

START = dt.datetime(2026, 11, 22, 6, tzinfo=dt.UTC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fast:
    """The machine's clock, `speed` times as fast since `began` (seconds since 1970)."""

    began: float
    speed: float

    def now(self) -> dt.datetime:
        return START + dt.timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.time() - self.began) * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


def mounted(made: house.House) -> bridge.AsgiApp:
    """The bridge's routes as one application."""

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
        await made.apps[scope["path"]](scope, receive, send)

    return app


async def run(told: dict[str, Any]) -> None:
    """Until it is killed."""
    clock = Fast(began=told["began"], speed=told["speed"])
    store = database.Store(Path(told["database"]))
    await store.open()
    made = await house.built(
        told["network"],
        clock,
        store=store,
        told=house.core(tuple(told["delay_s"]), told["parts_per_second"]),
        table={"send_limit_s": 3},
    )
    stop = asyncio.Event()
    listener = server.Server(mounted(made), port=told["port"])
    listener.bind()
    async with asyncio.TaskGroup() as group:
        group.create_task(listener.serve())
        await listener.ready()
        group.create_task(made.bridge.listen(made.rooms.intake))
        group.create_task(made.rooms.dispatcher.run(stop))
        group.create_task(made.rooms.janitor.run(stop))
        print("ready", flush=True)  # noqa: T201 (whoever started it waits for this)


if __name__ == "__main__":
    # To stderr: nobody reads what follows "ready", and a full pipe would stop us.
    logs.setup(os.environ.get("ANTIRELOU_TWILIO_LOG", "error"))
    asyncio.run(run(json.loads(sys.argv[1])))
