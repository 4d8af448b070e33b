"""One worker process: the real dispatcher and janitor around a bridge to the outside world.

python -m tests.workers.worker '{"url": ..., "keys": ..., "port": ..., "cap": ..., "lease": ...}'
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import sys
from collections.abc import Sequence
from typing import Any

from bot import build
from bot.contract import address, bridge, clock, intake, messages, money, outcomes
from bot.dispatcher import claim
from bot.dispatcher import loop as dispatching
from bot.policy import settings
from bot.store import choosing, database, vault

PRICE = 80_000
_TIDY_S = 0.2


class Line:
    """Sends over a socket; asks for nothing to be idempotent."""

    channel, network, idempotent = "sms", address.SMS, False
    addresses: Sequence[bridge.OwnAddress] = ()

    def __init__(self, port: int) -> None:
        self._port = port

    def reaches(self, recipient: address.Address) -> bool:
        return recipient.network == address.SMS

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return messages.Quote(price=money.Money(PRICE, "EUR"), parts=1)

    async def listen(self, door: intake.Intake) -> None:
        await asyncio.Event().wait()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(f"{reply.reply_id} {os.getpid()}\n".encode())
            answer = await reader.readline()
            writer.close()
        except OSError as error:
            return outcomes.Unknown(reason=type(error).__name__)
        if not answer:
            return outcomes.Unknown(reason="cut")
        price = money.Money(PRICE, "EUR")
        return outcomes.Accepted(provider_id=reply.reply_id, parts=1, price=price)

    async def close(self) -> None:
        return None


def core(cap_micros: int) -> settings.Core:
    """One cap and nothing else that would hold anybody."""
    return settings.Core(
        who=settings.Who(answer_fiction=True),
        budget=settings.Budget(cap_day_micros=cap_micros, cap_month_micros=None),
        flood=settings.Flood(pacing=False),
    )


async def work(told: dict[str, Any]) -> None:
    """Until SIGTERM."""
    # Smaller and shorter than in life, so that a minute of test holds hours of trouble.
    setattr(dispatching, "BATCH", 10)  # noqa: B010 (final for the program, not for this test)
    setattr(claim, "LEASE_MS", told["lease"])  # noqa: B010 (the same)
    store = choosing.store(told["url"])
    await store.open()
    rooms = build.rooms(
        store=store,
        core=core(told["cap"]),
        keys=vault.load(pathlib.Path(told["keys"])),
        bridges={"sms": Line(told["port"])},
        moment=clock.SystemClock(),
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def tidy() -> None:
        while not stop.is_set():
            with contextlib.suppress(database.StoreAwayError):
                if await store.hold("janitor"):
                    await rooms.janitor.step("tidy")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _TIDY_S)

    print("ready", flush=True)  # noqa: T201 (the test waits for it)
    await asyncio.gather(rooms.dispatcher.run(stop), tidy())
    await store.close()


if __name__ == "__main__":
    asyncio.run(work(json.loads(sys.argv[1])))
