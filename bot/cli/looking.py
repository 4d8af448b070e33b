"""Commands that only look: status, forecast, why, review, ledger, version; and the pool."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bot.cli import options, steering

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.cli import opening
    from bot.console import results, story

_FEW: Final = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status", epilog="Example: antirelou status --json")(status)
    app.command("forecast", epilog="Example: antirelou forecast --json")(forecast)
    why_example = "Example: antirelou why 0000000000000007a1b2c3d4e5f60718"
    app.command("why", epilog=why_example)(why)
    app.command("review", epilog="Example: antirelou review")(review)
    app.command("ledger", epilog="Example: antirelou ledger --days 7")(ledger)
    app.command("addresses", epilog="Example: antirelou addresses rest +33639980000")(addresses)
    app.command("version", epilog="Example: antirelou version")(version)


def status(
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Mode, pauses, queue, caps, bill, donations, runway."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import render  # noqa: PLC0415 (slow to import)
    from bot.console import status as states  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    found, at = opening.read(told, lambda tx, at: states.status(tx, at.core, at.now_ms))
    opening.show(told, found, render.status(found, at.times))


def forecast(
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """What money is left, at what rate it goes, until when.

    At the rate of the last hour, of the last 24 hours, and of a usual day; inbound apart.
    """
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import forecast as ahead  # noqa: PLC0415 (slow to import)
    from bot.console import render  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    found, at = opening.read(told, lambda tx, at: ahead.forecast(tx, at.core.budget, at.now_ms))
    opening.show(told, found, render.forecast(found, at.times))


def why(
    reply: Annotated[
        str | None, typer.Argument(metavar="ID", help="A reply, as review shows it.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="ADDRESS", help="Or whose; - reads standard input."),
    ] = None,
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Why somebody was or was not answered."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import render  # noqa: PLC0415 (slow to import)
    from bot.console import story as stories  # noqa: PLC0415 (slow to import)

    if (reply is None) == (address is None):
        options.fail(["name a reply, or say --address ADDRESS"], options.FAULTY)
    typed = sys.stdin.readline() if address == "-" else address or reply or ""
    told = options.told(config, set_, json_)

    def work(tx: sa.Connection, at: opening.At) -> list[story.Story]:
        persons = steering.find(tx, at, typed)
        if not persons:
            options.fail(["nobody with this address has written"])
        budget = at.core.budget
        return [stories.of_person(tx, at.keys, one, budget, at.now_ms) for one in persons]

    found, at = opening.read(told, work)
    opening.show(told, found, [line for one in found for line in render.story(one, at.times)])


def review(
    *,
    replies: Annotated[
        bool, typer.Option("--replies", help="Each reply too; a few are always listed.")
    ] = False,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """The replies that are held, by what holds them together.

    A cluster is a reason or one new topic. What was written is never shown.
    """
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import clusters, holding, render, results  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)

    def work(
        tx: sa.Connection, at: opening.At
    ) -> tuple[tuple[clusters.Cluster, ...], holding.Review]:
        listed = clusters.listed(tx, at.keys, at.core)
        return listed, holding.review(tx, keys=at.keys, rules=at.core.reply)

    (listed, found), at = opening.read(told, work)
    if told.as_json:
        one_by_one = results.as_json(found)
        options.put_json({"clusters": results.as_json(listed), **_fields(one_by_one)})
        return
    opening.show(told, None, render.clusters(listed, at.times))
    if replies or found.total <= _FEW:
        opening.show(told, None, render.review(found, at.times))


def _fields(plain: object) -> dict[str, object]:
    return plain if isinstance(plain, dict) else {}


def ledger(
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, help="How many days to list.")
    ] = 31,
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Money, day by day: replies, inbound, donations."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import funds, render  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    found, _ = opening.read(told, lambda tx, at: funds.view(tx, at.core.budget, days))
    opening.show(told, found, render.ledger(found))


def addresses(
    act: Annotated[
        str, typer.Argument(metavar="[list|offer|rest|retire]", help="What to do.")
    ] = "list",
    address: Annotated[
        str | None, typer.Argument(metavar="[ADDRESS]", help="One of ours, as list shows it.")
    ] = None,
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Our own addresses: offered, resting or retired.

    A resting one is no longer offered and still answers; a retired one is kept for a year, so
    that it never reaches a private person. `list` says what comes next, and when.
    """
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import pool, render  # noqa: PLC0415 (slow to import)
    from bot.contract import bridge  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    states = {
        "offer": bridge.State.OFFERED,
        "rest": bridge.State.ANSWERING,
        "retire": bridge.State.RETIRED,
    }
    if act == "list" and address is None:
        found, at = opening.read(told, lambda tx, _at: pool.listed(tx))
        opening.show(told, found, render.addresses(found, at.times))
        return
    state = states.get(act)
    if state is None or address is None:
        options.fail(["say list, or offer, rest or retire and an address"], options.FAULTY)
    value = address.strip()

    def work(tx: sa.Connection, at: opening.At) -> results.Done:
        return pool.put(tx, value, state, now_ms=at.now_ms, who=at.who)

    done, _ = opening.write(told, work)
    opening.finish(told, done)


def version(
    *,
    config: options.ConfigFile = None,  # noqa: ARG001 (every command takes the same options)
    set_: options.Overrides = None,  # noqa: ARG001 (the same)
    json_: options.Json = False,
) -> None:
    """The version of this program."""
    found = _installed()
    if json_:
        options.put_json({"version": found, "python": sys.version.split()[0]})
    else:
        typer.echo(f"antirelou {found}")


def told(asked: bool) -> None:  # noqa: FBT001 (typer gives it so)
    """`antirelou --version`, as people type it first."""
    if asked:
        typer.echo(f"antirelou {_installed()}")
        raise typer.Exit


def _installed() -> str:
    from importlib import metadata  # noqa: PLC0415 (slow to import)

    try:
        return metadata.version("antirelou")
    except metadata.PackageNotFoundError:
        options.fail(["not installed, so without a version; run make setup"])
