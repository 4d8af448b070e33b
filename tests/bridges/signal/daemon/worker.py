"""Our side in a process of its own, so that it can be killed as a program is killed.

What its hand returned for is in a file that outlives it, one write a batch: the database. A kill
may tear a write, as it may not tear a transaction: a number counts only with both its brackets.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path

from bot.contract import bridge, clock
from bridges.signal import daemon, settings
from tests.peers import signal_cli_fake


class Stored:
    """A hand that writes numbers into a file, after a moment, as a disk does."""

    def __init__(self, path: Path, seed: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._random = random.Random(seed)

    async def __call__(self, batch: Sequence[object]) -> None:
        await asyncio.sleep(self._random.random() * 0.004)
        if batch:
            numbers = (signal_cli_fake.number_of(event) for event in batch)
            os.write(self._file, "".join(f"<{number}>" for number in numbers).encode())


def run(chosen: settings.Settings, path: Path, seed: int) -> None:
    """Receive until told to stop (SIGTERM) or killed; a lost link is opened again."""
    asyncio.run(_run(chosen, Stored(path, seed)))


async def _run(chosen: settings.Settings, hand: Stored) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    transport = daemon.create(chosen, clock.SystemClock())
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            try:
                await transport.receive(hand)
            except bridge.BridgeDownError:
                await asyncio.sleep(0.005)  # the supervisor's pause, shortened
    await transport.close()
