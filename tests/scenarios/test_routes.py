"""The recorded flood with a channel that costs nothing beside the paid one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import simulate
from tests.bot.simulate.test_routes import Sim, told


@pytest.mark.slow
def test_the_flood_of_2017_with_a_free_sim(shared_dir: Path) -> None:
    """Issue 3: 1,000 parts a day, 200 people a month, the others by Twilio at 0.08."""
    trace = shared_dir / "scenarios" / "seed-2017.jsonl.gz"
    core = told("cheapest", parts_per_day=1_000, recipients_per_month=200)
    report = simulate.run(trace, core, others=[Sim()])
    used = {(one.what, one.period): (one.used, one.limit) for one in report.quotas}
    assert used["recipients", "2017-10"] == (200, 200)
    assert all(n <= limit for n, limit in used.values())
    assert report.replies_by_route["sim"] == 200
    # What 200 parts at 0.08 are worth, but for a few cheaper destinations.
    assert 15_000_000 <= report.saved_micros <= 16_000_000
    assert report.bill_micros + report.saved_micros == pytest.approx(719_000_000, rel=0.01)
    assert report.faults == []
