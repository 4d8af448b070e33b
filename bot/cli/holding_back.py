"""Commands for a flood: the mode, and what is held: approve, drop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import options, steering

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.cli import opening
    from bot.console import clusters, results

Named = Annotated[
    list[str] | None,
    typer.Argument(metavar="REPLY|CLUSTER...", help="As review shows them."),
]
AllHeld = Annotated[bool, typer.Option("--all", help="Every held reply.")]
ByReason = Annotated[
    str | None,
    typer.Option("--reason", metavar="REASON", help="All that are held for it: pace, money, ..."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, command, example in (
        ("mode", mode, "antirelou mode tight --for 2h"),
        ("approve", approve, "antirelou approve t-k7f2"),
        ("drop", drop, "antirelou drop t-k7f2"),
    ):
        app.command(name, epilog=f"Example: {example}")(command)


def mode(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[MODE]", help="normal, tight, free-only, review or receive-only."),
    ] = None,
    for_: Annotated[
        str | None,
        typer.Option("--for", metavar="SPAN", help="90s, 30m, 2h, 1d; then the rules decide."),
    ] = None,
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Show the mode, or set one by hand.

    tight: who comes in a crowd waits. free-only: what costs money waits. review, receive-only:
    everything waits. normal: the rules decide again; with --for, no mode of theirs until then.
    """
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import modes, render  # noqa: PLC0415 (slow to import)
    from bot.policy.flood import snapshot  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    if name is None:
        if for_ is not None:
            options.fail(["--for: name a mode too"], options.FAULTY)
        found, at = opening.read(told, lambda tx, at: modes.view(tx, at.now_ms))
        opening.show(told, found, render.mode(found, at.times))
        return
    known = {one.value: one for one in snapshot.Mode}
    wanted = known.get(name.strip().lower())
    if wanted is None:
        options.fail([f"there is no such mode; there are: {', '.join(known)}"], options.FAULTY)
    span_s = None if for_ is None else steering.seconds(for_)

    def work(tx: sa.Connection, at: opening.At) -> results.Done:
        until_ms = None if span_s is None else at.now_ms + span_s * 1000
        return modes.set_mode(tx, wanted, now_ms=at.now_ms, who=at.who, until_ms=until_ms)

    steering.act(told, work)


def approve(
    named: Named = None,
    *,
    reason: ByReason = None,
    all_: AllHeld = False,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Release held replies, one by one or a whole cluster.

    They go out now, or when they fall due if that is still to come. A topic that is released is
    no topic any more.
    """
    from bot.console import clusters, holding  # noqa: PLC0415 (slow to import)

    def work(tx: sa.Connection, at: opening.At) -> results.Done:
        ids, groups = _chosen(tx, at, named, reason=reason, every=all_)
        rules = at.core.reply
        if groups:
            return clusters.approve(
                tx, groups, keys=at.keys, rules=rules, now_ms=at.now_ms, who=at.who
            )
        return holding.approve(tx, ids, keys=at.keys, rules=rules, now_ms=at.now_ms, who=at.who)

    steering.act(options.told(config, set_, json_), work)


def drop(
    named: Named = None,
    *,
    reason: ByReason = None,
    all_: AllHeld = False,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Cancel replies that wait, one by one or a whole cluster.

    The person's window is given back: they may get a reply if they write again.
    """
    from bot.console import clusters, holding  # noqa: PLC0415 (slow to import)

    def work(tx: sa.Connection, at: opening.At) -> results.Done:
        ids, groups = _chosen(tx, at, named, reason=reason, every=all_)
        if groups:
            return clusters.drop(tx, groups, keys=at.keys, now_ms=at.now_ms, who=at.who)
        return holding.drop(tx, ids, keys=at.keys, now_ms=at.now_ms, who=at.who)

    steering.act(options.told(config, set_, json_), work)


def _chosen(
    tx: sa.Connection,
    at: opening.At,
    named: Sequence[str] | None,
    *,
    reason: str | None,
    every: bool,
) -> tuple[Sequence[int], Sequence[clusters.Key]]:
    """The replies meant, or the clusters; ends if none or an unreadable one was named."""
    from bot.console import clusters, holding, names  # noqa: PLC0415 (slow to import)

    if every + bool(named) + (reason is not None) != 1:
        wrong = "name replies or clusters as review shows them, or say --reason REASON or --all"
        options.fail([wrong], options.FAULTY)
    if every:
        return holding.held_ids(tx), ()
    if reason is not None:
        groups = clusters.named(tx, at.keys, reason=reason.strip().lower())
        if not groups:
            options.fail(["nothing is held for that reason; see antirelou review"])
        return (), groups
    found = [(one, names.reply_id(at.keys, one)) for one in named or ()]
    odd = [place for place, (_, reply) in enumerate(found, 1) if reply is None]
    if not odd:
        return [reply for _, reply in found if reply is not None], ()
    groups = clusters.named(tx, at.keys, codes=[one for one, _ in found])
    there = {clusters.code(at.keys, key) for key in groups}
    # Not repeated: somebody may have typed a number there.
    wrong_ones = [
        f"REPLY {place} is no reply and no cluster; see antirelou review"
        for place in odd
        if found[place - 1][0].strip().lower() not in there
    ]
    if wrong_ones:
        options.fail(wrong_ones)
    if len(odd) < len(found):
        options.fail(["name replies or clusters, not both at once"], options.FAULTY)
    return (), groups
