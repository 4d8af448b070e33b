"""A bad line to the real signal-cli daemon: every question ends in time, and a new line serves."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib

import pytest

from bot.contract import clock
from bridges.signal.daemon import calls, place
from tests.chaos import figures as kept
from tests.chaos import table
from tests.peers import chaos, signal_cli

ROWS = ("signal-cli without an account",)
LIMIT_S = 120.0
PATIENCE_S = 0.5
HEARD = {chaos.Fault.DRIP, chaos.Fault.DOUBLE}


async def suffer(line: chaos.Proxy, fault: chaos.Fault, more: table.Order) -> None:
    """A question over a line that breaks there, and one over a good line."""
    asking = calls.OverSocket(place.Place(host="127.0.0.1", port=line.port), clock.SystemClock())
    line.order(fault, **more)
    if fault in HEARD:
        told = await asking.ask("version", {}, 30)
        # A second answer to the same question is nobody's.
        assert await asking.ask("version", {}, 30) == told
    else:
        with pytest.raises(calls.NoAnswerError):
            await asking.ask("version", {}, PATIENCE_S)
    await asyncio.wait_for(line.hit.wait(), LIMIT_S)
    line.mend()
    assert await asking.ask("version", {}, 30)
    await asking.close()
    # The late answer of a line that was stalled must not meet the next order.
    line.cut_all()


@pytest.mark.slow
@pytest.mark.case("C26")
async def test_a_bad_line_in_every_place_of_a_question(
    tmp_path: pathlib.Path, figures: kept.Figures
) -> None:
    reason = signal_cli.why_not()
    if reason:
        pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        real = await asyncio.to_thread(stack.enter_context, signal_cli.running(tmp_path))
        line = chaos.Proxy(port=real.port)
        async with asyncio.timeout(LIMIT_S), line.running():
            for fault, places in table.QUESTIONS.items():
                for more in places:
                    await suffer(line, fault, more)
                asked = (3 if fault in HEARD else 2) * len(places)
                unanswered = 0 if fault in HEARD else len(places)
                figures.add(ROWS[0], fault, len(places), questions=asked, unanswered=unanswered)
    assert line.struck == {fault: len(places) for fault, places in table.QUESTIONS.items()}
