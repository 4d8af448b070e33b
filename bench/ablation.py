"""What each signal earns: floods of other seeds, sizes, languages and kinds, a signal off in turn.

`python -m bench.ablation --write docs/defence.md` puts its table between the markers there.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Iterator

from bot import simulate
from bot.contract import money
from bot.policy import settings
from bot.simulate import figures

BEGIN = "<!-- made by: python -m bench.ablation --write docs/defence.md -->"
END = "<!-- end of what bench.ablation made -->"
ALL = settings.Flood()
VARIANTS = {
    "all on": ALL,
    "no topics": dataclasses.replace(ALL, topics=False),
    "no blocks": dataclasses.replace(ALL, blocks=False),
    "no surges": dataclasses.replace(ALL, surges=False),
    "no pacing": dataclasses.replace(ALL, pacing=False),
    "all off": dataclasses.replace(ALL, topics=False, blocks=False, surges=False, pacing=False),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A made-up flood and the day's cap it meets, in euros."""

    flood: simulate.Flood
    cap: int | None = None

    @property
    def name(self) -> str:
        flood = self.flood
        cap = "" if self.cap is None else f", cap {self.cap}"
        size = f"{flood.people:,} + {flood.attackers:,}"
        return f"{flood.kind} ({flood.language}, {size}, seed {flood.seed}{cap})"


def _flood(kind: str, language: str, people: int, attackers: int, seed: int) -> simulate.Flood:
    hour = (7 * seed + len(kind)) % 24
    return simulate.Flood(
        kind=kind,
        language=language,
        people=people,
        attackers=attackers,
        seed=seed,
        start_hour=hour,
    )


TRIALS = (
    Trial(flood=_flood("quiet", "nl", 600, 0, 11)),
    Trial(flood=_flood("viral", "it", 1_500, 3_000, 12)),
    Trial(flood=_flood("raid", "es", 1_500, 2_000, 13)),
    Trial(flood=_flood("raid", "de", 300, 400, 14)),
    Trial(flood=_flood("bait", "en", 1_000, 600, 15)),
    Trial(flood=_flood("callback", "pt", 300, 300, 16)),
    Trial(flood=_flood("curious", "fr", 1_000, 500, 17)),
    Trial(flood=_flood("sequential", "nl", 1_000, 2_000, 18)),
    Trial(flood=_flood("pumping", "fr", 1_000, 1_000, 19)),
    Trial(flood=_flood("drip", "it", 1_500, 500, 20)),
    Trial(flood=_flood("rotating", "fr", 1_500, 5_000, 21)),
    Trial(flood=_flood("rotating", "fr", 1_500, 5_000, 21), cap=60),
    Trial(flood=_flood("rotating", "es", 1_000, 4_000, 22), cap=40),
    Trial(flood=_flood("raid", "en", 1_500, 2_000, 23), cap=40),
    Trial(flood=_flood("slow-ramp", "de", 1_500, 1_500, 24), cap=60),
)
QUICK = TRIALS[3:4] + TRIALS[5:6]


def run(trial: Trial, flood: settings.Flood) -> figures.Figures:
    """One trial under some signals."""
    cap = None if trial.cap is None else trial.cap * money.MICROS
    budget = settings.Budget(cap_day_micros=cap, cap_month_micros=None)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "flood.jsonl.gz"
        known = simulate.write(path, trial.flood)
        return simulate.run(path, settings.Core(budget=budget, flood=flood), known=known)


def cell(of: figures.Figures) -> str:
    """Bill by all_knowing, people on time, and accused where somebody could be."""
    judged = of.judged
    if judged is None or judged.bill is None or judged.on_time is None:
        return "-"
    told = [f"{judged.bill:.2f}", f"{judged.on_time:.1%}"]
    if judged.bait_accused is not None:
        told.append(f"{judged.bait_accused:.1%}")
    return " / ".join(told)


def rows(trials: tuple[Trial, ...], workers: int) -> Iterator[list[str]]:
    """One row a trial, one cell a variant."""
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        waiting = [
            (trial, [pool.submit(run, trial, flood) for flood in VARIANTS.values()])
            for trial in trials
        ]
        for trial, runs in waiting:
            yield [trial.name, *(cell(one.result()) for one in runs)]


def table(trials: tuple[Trial, ...], workers: int) -> str:
    """The table in Markdown."""
    lines = [["flood (people + senders of the flood)", *VARIANTS]]
    lines.append(["---"] * len(lines[0]))
    for row in rows(trials, workers):
        print(" | ".join(row), flush=True)
        lines.append(row)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ablation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small floods only")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE", help="put the table in here")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    told = parser.parse_args()
    made = table(QUICK if told.quick else TRIALS, told.workers)
    if told.write is not None:
        page = told.write.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        told.write.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
