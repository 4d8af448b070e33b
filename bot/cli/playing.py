"""The command `simulate` with its many options. Imports nothing slow."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from bot.cli import options

File = pathlib.Path | None
Trace = Annotated[
    File, typer.Argument(metavar="[TRACE]", help="A recorded flood, .jsonl or .jsonl.gz.")
]
Replies = Annotated[
    File, typer.Option("--replies", metavar="FILE", help="Write one line a reply into it.")
]
Chart = Annotated[
    File, typer.Option("--chart", metavar="FILE", help="Draw messages, replies, bill and mode.")
]
Scenario = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        metavar="KIND",
        help="Make a flood up: raid, rotating, sequential, drip, slow-ramp, pumping, bait, "
        "callback, curious, viral or quiet.",
    ),
]
People = Annotated[int, typer.Option("--people", help="People who write, in all.", min=1)]
Attackers = Annotated[int, typer.Option("--attackers", help="Senders of the flood.", min=0)]
Hours = Annotated[float, typer.Option("--hours", help="Length of the whole.", min=12)]
StartHour = Annotated[
    int, typer.Option("--start-hour", help="Local hour in which the flood begins.", min=0, max=23)
]
Language = Annotated[
    str, typer.Option("--language", help="What most write in: fr, en, es, de, it, nl, pt.")
]
Seed = Annotated[int, typer.Option("--seed", help="Another seed, another flood.")]
Save = Annotated[
    File, typer.Option("--save", metavar="FILE", help="Keep the made-up flood as a recording.")
]
OwnPast = Annotated[
    bool, typer.Option("--own-past", help="Play what was written to this installation.")
]
Days = Annotated[int, typer.Option("--days", help="So many days of the own past.", min=1)]
OpinionPrice = Annotated[
    str | None,
    typer.Option(
        "--opinion-price",
        metavar="AMOUNT",
        help="Whether a number is made up can be asked for so much (budget.opinions_day).",
    ),
]
Against = Annotated[
    File, typer.Option("--against", metavar="FILE", help="Play it again with these settings.")
]
AgainstSet = Annotated[
    list[str] | None,
    typer.Option(
        "--against-set",
        metavar="SECTION.KEY=VALUE",
        help="Play it again with this changed; may be given again.",
    ),
]


def simulate(
    trace: Trace = None,
    *,
    replies: Replies = None,
    chart: Chart = None,
    scenario: Scenario = None,
    people: People = 2_000,
    attackers: Attackers = 1_000,
    hours: Hours = 72.0,
    start_hour: StartHour = 14,
    language: Language = "fr",
    seed: Seed = 1,
    save: Save = None,
    own_past: OwnPast = False,
    days: Days = 7,
    opinion_price: OpinionPrice = None,
    against: Against = None,
    against_set: AgainstSet = None,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Play a flood or your own past; nothing is sent.

    The real program under a virtual clock, with a database in memory. Without --config: the
    defaults, with no cap but those given by --set. Of a made-up flood the truth is known. The own
    past is played with the installation's settings and caps.
    """
    from bot.cli import simulating  # noqa: PLC0415 (slow to import)
    from bot.simulate import made_floods  # noqa: PLC0415 (the same)

    _one_of(trace, scenario, own_past=own_past)
    _fits(scenario, save=save, opinion_price=opinion_price, replies=replies, own_past=own_past)
    flood = None
    if scenario is not None:
        flood = made_floods.Flood(
            kind=scenario,
            people=people,
            attackers=attackers,
            hours=hours,
            start_hour=start_hour,
            language=language,
            seed=seed,
        )
    order = simulating.Order(
        trace=trace,
        flood=flood,
        days=days if own_past else None,
        opinion_price=opinion_price,
        save=save,
        replies=replies,
        chart=chart,
        against=_other(config, set_, against, against_set),
    )
    simulating.simulate(options.told(config, set_, json_), order)


def _one_of(trace: File, scenario: str | None, *, own_past: bool) -> None:
    if (trace is not None) + (scenario is not None) + own_past != 1:
        wrong = "give a recording, --scenario or --own-past, one of the three"
        options.fail([wrong], options.FAULTY)


def _fits(
    scenario: str | None,
    *,
    save: File,
    opinion_price: str | None,
    replies: File,
    own_past: bool,
) -> None:
    """Ends for options that mean nothing for what is played."""
    if own_past and replies is not None:
        options.fail(["--replies is for floods: of the own past no number is kept"], options.FAULTY)
    if scenario is None and (save is not None or opinion_price is not None):
        wrong = "--save and --opinion-price are for made-up floods; give --scenario"
        options.fail([wrong], options.FAULTY)


def _other(
    config: File, set_: list[str] | None, against: File, changed: list[str] | None
) -> options.Told | None:
    """The second run's settings: another file's, or the first's with something changed."""
    if against is not None:
        return options.told(against, changed)
    return options.told(config, [*(set_ or ()), *changed]) if changed else None
