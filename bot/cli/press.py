"""`antirelou press`: figures for the press, as a page, tables and a picture."""

from __future__ import annotations

import datetime as dt
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import options

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.cli import opening
    from bot.console import press as figures

Day = Annotated[
    str | None, typer.Option("--from", metavar="DAY", help="The first day, as 2026-10-01.")
]
Until = Annotated[
    str | None, typer.Option("--to", metavar="DAY", help="The last day; it ended a day ago.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    example = "Example: antirelou press --from 2026-10-01 --to 2026-10-31 --out press"
    app.command("press", epilog=example)(press)


def press(
    first: Day = None,
    last: Until = None,
    out: Annotated[
        pathlib.Path, typer.Option("--out", metavar="DIR", help="Where to; made if missing.")
    ] = pathlib.Path("press"),
    language: Annotated[
        str, typer.Option("--lang", metavar="CODE", help="The words of the page: en or fr.")
    ] = "en",
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Figures for the press, rounded and a day old.

    Whole days, in tens, none under ten. A page that needs nothing else, two CSV tables and a
    picture (extra `charts`). Without days: the 30 newest that may be told.
    """
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import press as figures  # noqa: PLC0415 (slow to import)
    from bot.console import press_kit, results  # noqa: PLC0415 (slow to import)

    if language not in press_kit.LANGUAGES:
        options.fail([f"--lang is one of {', '.join(press_kit.LANGUAGES)}"], options.FAULTY)
    asked = day(first, "--from"), day(last, "--to")

    def work(tx: sa.Connection, at: opening.At) -> figures.Figures:
        return figures.look(tx, at.core, first=asked[0], last=asked[1], now_ms=at.now_ms)

    told = options.told(config, set_, json_)
    try:
        found, _ = opening.read(told, work)
    except figures.TooYoungError as error:
        options.fail([str(error)], options.FAULTY)
    files = press_kit.made(found, language)
    _write(out, files, press_kit.NAMES)
    if told.as_json:
        figure = results.as_json(found)
        options.put_json({"folder": str(out), "files": sorted(files), "figures": figure})
        return
    for name, value in press_kit.rows(found, language):
        typer.echo(f"{name}: {value}")
    if press_kit.PICTURE not in files:
        options.note("no picture: matplotlib is missing; pip install 'antirelou[charts]'")
    typer.echo(f"{len(files)} files in {out}; open {out / press_kit.PAGE}")


def day(typed: str | None, option: str) -> str | None:
    """A day as it was typed; ends if it is none."""
    if typed is None:
        return None
    try:
        return dt.date.fromisoformat(typed.strip()).isoformat()
    except ValueError:
        options.fail([f"{option}: write a day as 2026-10-31"], options.FAULTY)


def _write(folder: pathlib.Path, files: dict[str, bytes], names: Iterable[str]) -> None:
    """In the place of an older kit, of which nothing stays."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).unlink(missing_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        options.fail([f"cannot write in {folder}: {error.strerror}"])
