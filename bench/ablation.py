"""What each signal earns: floods of other seeds, sizes, languages and kinds, a signal off in turn.

Then what second opinions earn, and what a signal would that the program does not have: velocity
by country, in the place of that by block.
`python -m bench.ablation --write docs/defence.md` puts its tables between the markers there.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import functools
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence

from bot import simulate
from bot.contract import money
from bot.policy import numbers, settings
from bot.policy.flood import words
from bot.simulate import figures

BEGIN = "<!-- {} made by: python -m bench.ablation --write docs/defence.md -->"
END = "<!-- end of {} made by bench.ablation -->"
_BLOCK = words.block
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
        speaks = f"{flood.language}, crowd {flood.crowd}" if flood.crowd else flood.language
        return f"{flood.kind} ({speaks}, {size}, seed {flood.seed}{cap})"


def _flood(  # noqa: PLR0917 (a row of the table)
    kind: str, language: str, people: int, attackers: int, seed: int, crowd: str | None = None
) -> simulate.Flood:
    hour = (7 * seed + len(kind)) % 24
    return simulate.Flood(
        kind=kind,
        language=language,
        crowd=crowd,
        people=people,
        attackers=attackers,
        seed=seed,
        start_hour=hour,
    )


TRIALS = (
    Trial(flood=_flood("quiet", "nl", 600, 0, 11)),
    Trial(flood=_flood("viral", "it", 1_500, 3_000, 12)),
    Trial(flood=_flood("viral", "fr", 1_500, 3_000, 32, "pt")),
    Trial(flood=_flood("viral", "nl", 1_500, 300, 33, "en")),
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
QUICK = TRIALS[5:6] + TRIALS[7:8]
# What a look-up of a number costs, and what may be spent on them in a day.
OPINION = 8_000
OPINIONS_DAY = 20 * money.MICROS
IN_DOUBT = (
    Trial(flood=_flood("rotating", "fr", 1_500, 5_000, 21), cap=60),
    Trial(flood=_flood("rotating", "es", 1_000, 4_000, 22), cap=40),
    Trial(flood=_flood("raid", "en", 1_500, 2_000, 23), cap=40),
    Trial(flood=_flood("slow-ramp", "de", 1_500, 1_500, 24), cap=60),
)
ABROAD = (
    Trial(flood=_flood("rotating", "fr", 1_500, 5_000, 31, "de")),
    Trial(flood=_flood("rotating", "fr", 1_500, 5_000, 31, "de"), cap=60),
    Trial(flood=_flood("drip", "it", 1_500, 500, 35, "de")),
    Trial(flood=_flood("viral", "fr", 1_500, 3_000, 32, "pt")),
    Trial(flood=_flood("viral", "nl", 1_500, 300, 33, "en")),
)


def run(
    trial: Trial, flood: settings.Flood, *, opinions: bool = False, countries: bool = False
) -> figures.Figures:
    """One trial under some signals. `countries`: a number's country counts as its block."""
    words.block = _country if countries else _BLOCK
    cap = None if trial.cap is None else trial.cap * money.MICROS
    budget = settings.Budget(
        cap_day_micros=cap, cap_month_micros=None, opinions_day_micros=OPINIONS_DAY
    )
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "flood.jsonl.gz"
        known = simulate.write(path, trial.flood)
        core = settings.Core(budget=budget, flood=flood)
        told = OPINION if opinions else None
        return simulate.run(path, core, known=known, opinion_micros=told)


def _country(sender: str) -> str | None:
    region = numbers.read(sender).region
    return f"+{region}" if region else None


def cell(of: figures.Figures) -> str:
    """Bill by all_knowing, people on time, and accused where somebody could be."""
    judged = of.judged
    if judged is None or judged.bill is None or judged.on_time is None:
        return "-"
    told = [f"{judged.bill:.2f}", f"{judged.on_time:.1%}"]
    if of.opinions_micros:
        told[0] += f" + {of.opinions_micros / judged.all_knowing_micros:.2f}"
    if judged.bait_accused is not None:
        told.append(f"{judged.bait_accused:.1%}")
    return " / ".join(told)


Column = tuple[str, Callable[[Trial], figures.Figures]]
SIGNALS: tuple[Column, ...] = tuple(
    (name, functools.partial(run, flood=flood)) for name, flood in VARIANTS.items()
)
OPINIONS: tuple[Column, ...] = (
    ("without look-ups", functools.partial(run, flood=ALL)),
    ("with look-ups", functools.partial(run, flood=ALL, opinions=True)),
)
COUNTRIES: tuple[Column, ...] = (
    ("as it is", functools.partial(run, flood=ALL)),
    ("with countries", functools.partial(run, flood=ALL, countries=True)),
)

TABLES = {
    "signals": (TRIALS, SIGNALS),
    "opinions": (IN_DOUBT, OPINIONS),
    "countries": (ABROAD, COUNTRIES),
}


def table(trials: Sequence[Trial], columns: Sequence[Column], workers: int) -> str:
    """One row a trial, one cell a column, in Markdown."""
    lines = [["flood (people + senders of the flood)", *(name for name, _ in columns)]]
    lines.append(["---"] * len(lines[0]))
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        waiting = [(trial, [pool.submit(play, trial) for _, play in columns]) for trial in trials]
        for trial, runs in waiting:
            row = [trial.name, *(cell(one.result()) for one in runs)]
            print(" | ".join(row), flush=True)
            lines.append(row)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ablation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small floods only")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE", help="put the tables in here")
    parser.add_argument("--only", choices=list(TABLES), action="append", help="not all tables")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    told = parser.parse_args()
    if told.quick:
        table(QUICK, SIGNALS, told.workers)
        return
    made = {
        name: table(trials, columns, told.workers)
        for name, (trials, columns) in TABLES.items()
        if not told.only or name in told.only
    }
    if told.write is not None:
        page = told.write.read_text(encoding="utf-8")
        for name, rows in made.items():
            before, begin, rest = page.partition(BEGIN.format(name))
            _, end, after = rest.partition(END.format(name))
            page = f"{before}{begin}\n\n{rows}\n\n{end}{after}"
        told.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
