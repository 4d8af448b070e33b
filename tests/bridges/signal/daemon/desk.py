"""What these tests lend to a transport: settings, a hand that keeps, a way to wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from bot.contract import address, bridge, clock, intake
from bridges.signal import daemon, settings
from bridges.signal.daemon import neighbour
from tests.peers import signal_cli_fake

NUMBER = signal_cli_fake.OURS


def chosen(url: str, way: settings.Way = settings.Way.DAEMON, **more: float) -> settings.Settings:
    """Settings of our fictional account."""
    own = bridge.OwnAddress(address=address.Address(address.SIGNAL, NUMBER))
    return settings.Settings(
        channel="signal",
        number=NUMBER,
        own=own,
        secret="s" * 16,
        url=url,
        way=way,
        **more,  # type: ignore[arg-type]
    )


@contextlib.asynccontextmanager
async def opened(
    url: str,
    moment: clock.Clock | None = None,
    way: settings.Way = settings.Way.DAEMON,
    **more: float,
) -> AsyncIterator[neighbour.Daemon]:
    """A transport, closed at the end."""
    made = daemon.create(chosen(url, way, **more), moment or clock.SystemClock())
    try:
        yield made
    finally:
        await made.close()


class Keeping:
    """A hand that keeps what it took; it may be told to refuse or to wait."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.batches: list[int] = []
        self.refusals = 0
        self.open = asyncio.Event()
        self.open.set()
        self.knocked = asyncio.Event()

    async def __call__(self, batch: Sequence[object]) -> None:
        self.knocked.set()
        await self.open.wait()
        if self.refusals and batch:
            self.refusals -= 1
            raise intake.NotStoredError("full", retry_after_s=0)
        self.batches.append(len(batch))
        self.numbers += [signal_cli_fake.number_of(event) for event in batch]


async def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Let others run until it is so; other processes too, so it does not keep a core busy."""
    async with asyncio.timeout(seconds):
        turns = 0
        while not true():
            turns += 1
            await asyncio.sleep(0 if turns < 200 else 0.001)


@contextlib.asynccontextmanager
async def running(work: object) -> AsyncIterator[asyncio.Task[None]]:
    """A task, cancelled at the end if it still runs."""
    task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
