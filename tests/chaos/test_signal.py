"""A bad line to the real signal-cli daemon: every question ends in time, and a new line serves."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from typing import Any

import pytest

from bot.contract import clock
from bridges.signal.daemon import calls, place
from tests.peers import chaos, signal_cli

LIMIT_S = 120.0
PATIENCE_S = 1.0
UP, DOWN = chaos.Way.UP, chaos.Way.DOWN
FAULTS: tuple[tuple[chaos.Fault, dict[str, Any]], ...] = (
    (chaos.Fault.CUT, {"way": UP, "after": 10}),
    (chaos.Fault.CUT, {"way": DOWN, "after": 5}),
    (chaos.Fault.HALF_OPEN, {"way": UP}),
    (chaos.Fault.HALF_OPEN, {"way": DOWN}),
    (chaos.Fault.STALL, {"way": DOWN}),
    (chaos.Fault.DRIP, {"way": DOWN}),
)


@pytest.mark.slow
@pytest.mark.case("C26")
async def test_a_bad_line_in_every_place_of_a_question(tmp_path: pathlib.Path) -> None:
    reason = signal_cli.why_not()
    if reason:
        pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        real = await asyncio.to_thread(stack.enter_context, signal_cli.running(tmp_path))
        line = chaos.Proxy(port=real.port)
        async with asyncio.timeout(LIMIT_S), line.running():
            unanswered = 0
            for fault, more in FAULTS:
                asking = calls.OverSocket(
                    place.Place(host="127.0.0.1", port=line.port), clock.SystemClock()
                )
                line.order(fault, **more)
                if fault is chaos.Fault.DRIP:
                    assert await asking.ask("version", {}, 30)
                else:
                    with pytest.raises(calls.NoAnswerError):
                        await asking.ask("version", {}, PATIENCE_S)
                    unanswered += 1
                assert line.hit.is_set(), fault
                line.mend()
                assert await asking.ask("version", {}, 30)
                await asking.close()
            chaos.record(
                "signal-cli", line.struck, questions=2 * len(FAULTS), unanswered=unanswered
            )
