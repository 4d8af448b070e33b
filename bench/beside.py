"""One process of bench/postgres.py: takes messages in or dispatches, beside others of its kind.

Warms up, so that connections are made and statements known, says `ready`, waits for a line, works,
and says how many it did.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import pathlib
import sys
from typing import Any

from bot import build
from bot.contract import address, clock, messages, money, outcomes
from bot.policy import settings
from bot.store import choosing, vault

OURS = "00000000-0000-4000-8000-000000000001"
PRICE = 80_000
# As many requests wait for their answers at once.
CONNECTIONS = 256
# So many rounds, or batches, at once warm a process up.
WARM = 2


class Memory:
    """A network that takes everything at once."""

    channel, network, idempotent = "signal", address.SIGNAL, False
    addresses = ()

    def reaches(self, recipient: address.Address) -> bool:
        return recipient.network == self.network

    def quote(self, recipient: address.Address, text: str) -> messages.Quote:
        return messages.Quote(price=money.Money(PRICE, "EUR"), parts=1)

    async def listen(self, door: object) -> None:
        await asyncio.Event().wait()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        price = money.Money(PRICE, "EUR")
        return outcomes.Accepted(provider_id=reply.reply_id, parts=1, price=price)

    async def close(self) -> None:
        return None


def core() -> settings.Core:
    """A cap that is never reached: its row is what all workers meet at."""
    return settings.Core(
        budget=settings.Budget(cap_day_micros=10**12, cap_month_micros=10**13),
        flood=settings.Flood(pacing=False),
    )


def message(number: int, at: dt.datetime) -> messages.InboundMessage:
    """Of somebody who never wrote before."""
    return messages.InboundMessage(
        channel="signal",
        provider_id=f"m{number}",
        sender=address.Address(address.SIGNAL, f"00000000-0000-4000-9000-{number:012d}"),
        recipient=address.Address(address.SIGNAL, OURS),
        received_at=at,
        text="salut",
    )


async def work(told: dict[str, Any]) -> None:
    store = choosing.store(told["url"])
    await store.open()
    rooms = build.rooms(
        store=store,
        core=core(),
        keys=vault.load(pathlib.Path(told["keys"])),
        bridges={"signal": Memory()},
        moment=clock.SystemClock(),
    )
    await _warm(rooms, told)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    done = await (_take_in(rooms, told) if told["kind"] == "intake" else dispatch(rooms))
    print(done, flush=True)
    await store.close()


async def _warm(rooms: build.Rooms, told: dict[str, Any]) -> None:
    if told["kind"] == "dispatch":
        await asyncio.gather(*(rooms.dispatcher.step() for _ in range(WARM)))
        return
    before = told["first"] + told["n"]
    for number in range(before, before + WARM):
        await rooms.intake.accept([message(number, rooms.clock.now())])


async def _take_in(rooms: build.Rooms, told: dict[str, Any]) -> int:
    numbers = iter(range(told["first"], told["first"] + told["n"]))

    async def connection() -> None:
        for number in numbers:
            await rooms.intake.accept([message(number, rooms.clock.now())])

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return int(told["n"])


async def dispatch(rooms: build.Rooms) -> int:
    """As `run` does: the next are claimed while the last are sent."""
    done = 0

    async def round_after_round() -> None:
        nonlocal done
        while moved := await rooms.dispatcher.step():
            done += moved

    await asyncio.gather(*(round_after_round() for _ in range(2)))
    return done


if __name__ == "__main__":
    asyncio.run(work(json.loads(sys.argv[1])))
