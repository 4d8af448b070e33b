"""The public page away from the program: as files for any host, and on paper."""

from __future__ import annotations

import datetime as dt
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bot.cli import options

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot import config as configuration
    from bot.cli import opening
    from bot.web.public import site, state

Kind = Literal["card", "poster"]
Language = Annotated[
    str, typer.Option("--lang", metavar="CODE", help="One of fr, en, es, de, it, nl, pt.")
]
Out = Annotated[
    pathlib.Path | None,
    typer.Option("--out", metavar="FILE", help="Where to; else KIND-CODE.pdf here."),
]
Url = Annotated[str, typer.Option("--url", metavar="URL", help="Where the page is; else page.url.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    page = typer.Typer(
        help="The public page: as files for any host, and on paper.",
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    page.command("export", epilog="Example: antirelou page export /var/www/page")(export)
    card = _printing("card", "A card (A6, PDF) whose QR code leads to the page.")
    poster = _printing("poster", "A poster (A4, PDF) whose QR code leads to the page.")
    page.command("card", epilog="Example: antirelou page card --lang en")(card)
    example = "Example: antirelou page poster --lang fr --out affiche.pdf"
    page.command("poster", epilog=example)(poster)
    app.add_typer(page, name="page")


def export(
    folder: Annotated[pathlib.Path, typer.Argument(metavar="DIR", help="Made or replaced whole.")],
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """The page as static files, in seven languages, for any host.

    It shows what is so now, with its date; run it again (a timer) to follow what changes.
    """
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.web.public import export as exporting  # noqa: PLC0415 (slow to import)
    from bot.web.public import site  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    seen, at = opening.read(told, _look)
    files = site.Site(_setup(at.settings), index="index.html", copied=_today(at))
    try:
        size = exporting.write(files, seen, folder)
    except (exporting.NotOursError, OSError) as error:
        options.fail([str(error)])
    count = sum(1 for _ in files.paths(seen))
    if told.as_json:
        options.put_json({"folder": str(folder), "files": count, "bytes": size})
    else:
        typer.echo(f"{count} files, {size:,} bytes in {folder}; open {folder}/index.html")


def _printing(kind: Kind, what: str) -> Callable[..., None]:
    """The command that prints one kind; `what` is shown by --help."""

    def command(
        language: Language = "fr",
        out: Out = None,
        url: Url = "",
        *,
        config: options.ConfigFile = None,
        set_: options.Overrides = None,
        json_: options.Json = False,
    ) -> None:
        _print(kind, language, out, url, options.told(config, set_, json_))

    command.__doc__ = what
    return command


def _print(
    kind: Kind,
    language: str,
    out: pathlib.Path | None,
    url: str,
    told: options.Told,
) -> None:
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.web.public import paper, words  # noqa: PLC0415 (slow to import)

    if language not in words.LANGUAGES:
        options.fail([f"--lang is one of {', '.join(words.LANGUAGES)}"], options.FAULTY)
    found = opening.load(told)
    where = url or found.page.url or found.web.public_url
    if not where:
        options.fail(["where is the page? set page.url, or say --url"], options.FAULTY)
    target = out or pathlib.Path(f"{kind}-{language}.pdf")
    try:
        target.write_bytes(paper.made(kind, language, where))
    except paper.NoPrintError:
        pip = "a PDF needs the extra: pip install 'antirelou[print]'"
        page = f"print /{language}/{kind}.html of the page from a browser"
        options.fail([f"{pip}; without it, {page}"])
    except OSError as error:
        options.fail([f"cannot write {target}: {error.strerror}"])
    if told.as_json:
        options.put_json({"file": str(target), "kind": kind, "language": language, "url": where})
    else:
        typer.echo(f"{target}: leads to {where}")


def _setup(found: configuration.Settings) -> site.Setup:
    from bot import build, registry  # noqa: PLC0415 (slow to import)
    from bot.cli import pricing  # noqa: PLC0415 (slow to import)
    from bot.web.public import site  # noqa: PLC0415 (slow to import)

    made = pricing.bridges(found)
    try:
        core = build.core_of(found, made)
    except registry.RegistryError as error:
        options.fail([f"{key}: {text}" for key, text in error.faults], options.FAULTY)
    kinds = {name: channel.kind for name, channel in found.channels.items()}
    name, url = found.page.contact_name, found.page.url or found.web.public_url
    return site.setup(core.reply, made, kinds, contact_name=name, url=url)


def _look(tx: sa.Connection, at: opening.At) -> state.Seen:
    from bot.web.public import state  # noqa: PLC0415 (slow to import)

    zone = at.core.budget.timezone
    return state.look(tx, channels=at.settings.channels, zone=zone, now_ms=at.now_ms)


def _today(at: opening.At) -> dt.date:
    return dt.datetime.fromtimestamp(at.now_ms / 1000, at.core.budget.timezone).date()
