"""Commands that try things out or look after them: segments, check, migrate, simulate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import options, playing

if TYPE_CHECKING:
    from bot.cli import pricing
    from bot.contract import segments as counting


def register(app: typer.Typer) -> None:
    """Add the commands."""
    example = "Example: antirelou segments --price 'Un non se respecte.'"
    app.command("segments", epilog=example)(segments)
    app.command("check", epilog="Example: antirelou check --config config.toml")(check)
    app.command("migrate", epilog="Example: antirelou migrate --config config.toml")(migrate)
    example = "Example: antirelou simulate flood.jsonl.gz --set budget.cap_day=100"
    app.command("simulate", epilog=example)(playing.simulate)


def segments(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text; - reads standard input.")],
    *,
    price: Annotated[
        bool, typer.Option("--price", help="What it costs by country, by the channels set up.")
    ] = False,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """How many parts a text makes as an SMS.

    Names the characters that make it dear, and a cheaper wording where quotes and dashes do.
    """
    from bot.contract import segments as counts  # noqa: PLC0415 (slow to import)

    if text == "-":
        raw = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
        text = raw.removesuffix("\n").removesuffix("\r")
    size = counts.count(text)
    plain = counts.to_gsm7(text) if size.guilty else None
    told = options.told(config, set_, json_)
    prices = _prices(told, text) if price or config is not None else None
    if json_:
        options.put_json(_as_json(size, plain, prices))
        return
    unit = "septets" if size.encoding is counts.Encoding.GSM_7 else "units"
    typer.echo(f"{size.encoding}, {size.parts} part{'s'[: size.parts > 1]}, {size.units} {unit}")
    for one in size.guilty:
        typer.echo(options.printable(f"  {_accused(one)}"))
    if plain is not None:
        cheaper = counts.count(plain)
        typer.echo(
            options.printable(f"In GSM-7, {cheaper.parts} part{'s'[: cheaper.parts > 1]}: {plain}")
        )
    elif size.guilty:
        typer.echo("No GSM-7 wording by quotes and dashes alone: the words would have to change.")
    for channel in prices or ():
        typer.echo(options.printable(f"{channel.channel}: {_told(channel)}"))


def _accused(one: counting.Guilty) -> str:
    match one.suggestion:
        case None:
            mend = "no near wording"
        case "":
            mend = "leave it out"
        case word:
            mend = f"write {word!r}" if word.isspace() else f"write {word}"
    return f"at {one.position + 1}: {one.character} ({one.name}); {mend}"


def _told(channel: pricing.ChannelPrices) -> str:
    """Countries that share a price together."""
    if channel.free:
        return "free everywhere"
    by_price: dict[str, list[str]] = {}
    for country in channel.countries:
        by_price.setdefault(str(country.price or "not reached"), []).append(country.country)
    return "; ".join(f"{price} to {', '.join(names)}" for price, names in by_price.items())


def _prices(told: options.Told, text: str) -> tuple[pricing.ChannelPrices, ...]:
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.cli import pricing as prices  # noqa: PLC0415 (slow to import)

    found = opening.load(told)
    return prices.by_country(found, prices.bridges(found), text)


def _as_json(
    size: counting.Segments,
    plain: str | None,
    prices: tuple[pricing.ChannelPrices, ...] | None,
) -> dict[str, object]:
    return {
        "encoding": size.encoding.value,
        "parts": size.parts,
        "units": size.units,
        "guilty": [
            {
                "character": one.character,
                "position": one.position,
                "name": one.name,
                "suggestion": one.suggestion,
            }
            for one in size.guilty
        ],
        "gsm7": plain,
        "prices": None
        if prices is None
        else {
            channel.channel: {
                country.country: None if country.price is None else country.price.decimal()
                for country in channel.countries
            }
            for channel in prices
        },
        "currency": prices[0].currency if prices else None,
    }


def check(
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the providers.")] = False,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Look for faults; say what a reply costs.

    Every fault of the settings, the key file, the database, the port, the clock and what the
    providers say of our accounts, with its mend. Starts, makes and changes nothing.
    """
    from bot.cli import checking  # noqa: PLC0415 (slow to import)

    checking.check(options.told(config, set_, json_), offline=offline)


def migrate(
    *,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="sqlite:FILE", help="Move all of this file's data."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="postgresql://...",
            help="Where to; without it to store.url, which keeps a password off the command line.",
        ),
    ] = None,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Bring the database to this program's schema.

    `run` does the same when it starts. With --from it moves an installation to an empty PostgreSQL
    database instead, and proves that all of it arrived.
    """
    from bot.cli import migrating  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    if from_ is not None:
        migrating.move(told, from_, to)
    elif to is not None:
        options.fail(["--to needs --from"], options.FAULTY)
    else:
        migrating.migrate(told)
